"""Captions of pictures from the web, of texts in pictures, by blind people's phones, and of figures in papers."""

from typing import Any

from data_tasks.datasets import web_images as web
from data_tasks.formats.caption import Caption
from data_tasks.formats.caption_augmented import RuledCaption
from data_tasks.registry import register
from data_tasks.sources.coco import CocoJson
from data_tasks.sources.mapping import Picture
from data_tasks.sources.parquet import Parquet
from data_tasks.sources.stored import Record

_WEB: tuple[tuple[str, dict[str, Any]], ...] = (
    (
        "cc3m",
        {
            "dataset": "Conceptual Captions 3M",
            "stored": web.CC3M,
            "splits": web.CC3M_SPLITS,
            "obtain": web.CC3M_OBTAIN,
            "size": web.CC3M_SIZE,
        },
    ),
    (
        "redcaps",
        {
            "dataset": "RedCaps",
            "stored": web.RED_CAPS,
            "splits": web.HELD_OUT,
            "obtain": web.RED_CAPS_OBTAIN,
            "size": web.RED_CAPS_SIZE,
        },
    ),
)

for _name, _about in _WEB:
    for _suffix, _form in (("", Caption("caption_image")), ("_rules", RuledCaption("caption_rules"))):
        register(
            f"{_name}_caption{_suffix}",
            group="captioning",
            fields=web.FIELDS,
            form=_form,
            sample=web.SAMPLE,
            **_about,
        )

_MEDIA = ["pictures/1.jpg", "pictures/2.jpg"]

for _name, _medium in (("text_caps", "image"), ("text_caps_history", "earlier")):
    register(
        _name,
        group="captioning",
        dataset="TextCaps",
        stored=Parquet("text_caps", "data/{split}-*.parquet"),
        fields={"image": Picture("image"), "captions": "caption_str"},
        form=Caption("caption_image", media=(_medium,)),
        splits={"train": "train", "validation": "val"},
        obtain="Hugging Face lmms-lab/TextCaps",
        size=21_953,
        sample=[
            {
                "image_id": str(number),
                "image": {"bytes": None, "path": name},
                "caption_str": ["A sign that says stop", "a red sign"],
            }
            for number, name in enumerate(_MEDIA)
        ],
        media=_MEDIA,
    )


def _accepted(record: Record) -> list[Record]:
    """Returns the picture with the captions that describe it: not that it is of bad quality, none that were refused."""
    kept = [one for one in record["captions"] if not one.get("is_rejected") and not one.get("is_precanned")]
    return [record | {"captions": kept}] if kept else []


_BLIND = [f"VizWiz_0000{number}.jpg" for number in (1, 2)]

register(
    "vizwiz_caption",
    group="captioning",
    dataset="VizWiz-Captions",
    stored=CocoJson("vizwiz_captions", {"captions": "annotations/{split}.json"}, "{split}/{file_name}"),
    fields={"image": Picture("file"), "captions": "captions/caption"},
    form=Caption("caption_image"),
    splits={"train": "train", "validation": "val"},
    each=_accepted,
    obtain="vizwiz.org, image captioning",
    size=23_431,
    sample=[
        {
            "id": number,
            "file_name": name,
            "captions": [
                {"caption": "A tin of beans on a table.", "is_precanned": False, "is_rejected": False},
                {"caption": "A green tin.", "is_precanned": False, "is_rejected": False},
            ],
        }
        for number, name in enumerate(_BLIND, 1)
    ],
    media=[f"{split}/{name}" for split in ("train", "val") for name in _BLIND],
)

register(
    "scicap",
    group="captioning",
    dataset="SciCap",
    stored=CocoJson("scicap", {"captions": "{split}.json"}, "img/{file_name}"),
    fields={"image": Picture("file"), "captions": "captions/caption"},
    form=Caption("caption_image"),
    splits={"train": "train", "validation": "val"},
    obtain="Hugging Face CrowdAILab/scicap, its lists as train.json and val.json, pictures in img",
    size=400_000,
    sample=[
        {
            "id": number,
            "file_name": f"paper{number}.png",
            "figure_type": "Graph Plot",
            "captions": [{"caption": f"Figure {number}: loss over steps."}],
        }
        for number in (1, 2)
    ],
    media=["img/paper1.png", "img/paper2.png"],
)
