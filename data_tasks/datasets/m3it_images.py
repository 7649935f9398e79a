"""The sets of M3IT that ask about a picture, or about several."""

import re

import numpy as np
from jaxtyping import Float

from data_tasks.datasets.m3it import ASKED, ASKED_WHOLE, DONE, SPLITS, TO_TEST, TOLD, m3it, one_picture
from data_tasks.formats.caption import Caption
from data_tasks.formats.instruct import Instruct
from data_tasks.formats.qa import Question
from data_tasks.formats.region import RegionText
from data_tasks.sources import mapping
from data_tasks.sources.stored import Context, Record
from unified_io.errors import DataError

_SHORT, _SENTENCE = Question("qa"), Question("qa_sentence", style="sentence")
_SAYS = [("What colour is on the left?", "It is red."), ("What colour is on the right?", "It is blue.")]

for _name, _own, _form, _size, _splits in (
    ("m3it_vqa_v2", "vqa/vqa-v2", _SENTENCE, 30_000, SPLITS),
    ("m3it_gqa", "vqa/gqa", _SENTENCE, 30_001, SPLITS),
    ("m3it_okvqa", "vqa/okvqa", _SENTENCE, 9_009, SPLITS),
    ("m3it_a_okvqa", "vqa/a-okvqa", _SENTENCE, 17_056, SPLITS),
    ("m3it_ocr_vqa", "vqa/ocr-vqa", _SENTENCE, 11_414, SPLITS),
    ("m3it_text_vqa", "vqa/text-vqa", _SENTENCE, 27_113, TO_TEST),
    ("m3it_st_vqa", "vqa/st-vqa", _SENTENCE, 26_074, TO_TEST),
    ("m3it_visual_mrc", "vqa/visual-mrc", _SENTENCE, 15_000, SPLITS),
    ("m3it_viquae", "vqa/viquae", _SENTENCE, 1_190, SPLITS),
    ("m3it_clevr", "reasoning/clevr", _SHORT, 30_000, SPLITS),
    ("m3it_shapes", "vqa/shapes", _SHORT, 13_568, SPLITS),
    ("m3it_vcr", "reasoning/vcr", _SENTENCE, 25_000, SPLITS),
):
    m3it(_name, _own, group="vqa", form=_form, fields=ASKED, size=_size, says=_SAYS, splits=_splits)

for _name, _own, _size in (
    ("m3it_text_caps", "captioning/textcap", 97_765),
    ("m3it_paragraph", "captioning/image-paragraph-captioning", 14_575),
):
    m3it(
        _name,
        _own,
        group="captioning",
        form=Caption("caption_image"),
        fields=TOLD,
        size=_size,
        says=[("", "A red half beside a blue half."), ("", "Two colours share a small picture.")],
    )

for _name, _own, _size, _says in (
    ("m3it_imagenet", "classification/imagenet", 30_000, [("", "tabby cat"), ("", "school bus")]),
    ("m3it_coco_itm", "classification/coco-itm", 30_000, [("Two colours.", "yes"), ("A dog runs.", "no")]),
    ("m3it_iqa", "classification/iqa", 30_000, [("", "good"), ("", "poor")]),
):
    m3it(_name, _own, group="tagging", form=_SHORT, fields=ASKED_WHOLE, size=_size, says=_says)


def _region(record: Record, context: Context) -> Float[np.ndarray, "1 4"]:
    """The box that the input names by x and y of two corners, in pixels."""
    numbers = [float(number) for number in re.findall(r"\d+(?:\.\d+)?", record["inputs"])]
    if len(numbers) != 4:
        raise DataError(f"the input {record['inputs'][:80]!r} has {len(numbers)} numbers; want a box of four")
    height, width = one_picture(record, context).shape[:2]
    return mapping.boxes([numbers], "xyxy", (height, width))


m3it(
    "m3it_coco_goi",
    "classification/coco-goi",
    group="region_classification",
    form=RegionText("region_class"),
    fields={"boxes": _region, "names": lambda record, context: [record["outputs"].strip()]},
    size=30_000,
    says=[("region: [2, 4, 14, 20]", "dog"), ("region: [10.5, 4, 30, 20]", "bench")],
)

for _name, _own, _size in (
    ("m3it_visual_dialog", "generation/visual-dialog", 50_000),
    ("m3it_mocheg", "classification/mocheg", 4_991),
):
    m3it(
        _name,
        _own,
        group="image_instruction",
        form=Instruct("instruct", media=("image",)),
        fields=DONE,
        size=_size,
        says=[("Is it day or night?", "It looks like day."), ("And are there people?", "No, only colours.")],
    )

m3it(
    "visual_storytelling",
    "generation/vist",
    group="image_instruction",
    form=Instruct("instruct", media=("pictures",)),
    fields=DONE,
    size=5_000,
    media="images",
    says=[("The day began in red.", "Then the fields turned green."), ("We left.", "We came home.")],
)

m3it(
    "m3it_nlvr",
    "reasoning/nlvr",
    group="image_pair_qa",
    form=Question("qa_true", media=("pictures",)),
    fields=ASKED,
    size=29_372,
    media="images",
    says=[("One picture has red in it.", "true"), ("Both are black.", "false")],
)
