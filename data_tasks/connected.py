"""What X-InstructBLIP, Lynx and S3 train on: sizes, rates and counts as published. Knows no stored dataset."""

import math
from collections.abc import Mapping
from typing import NamedTuple

from unified_io.errors import DataError

XINSTRUCTBLIP: dict[str, dict[str, int]] = {
    "image": {
        "capfilt_14m": 13_873_136,
        "cc12m": 6_029_862,
        "vg_qa": 1_440_069,
        "ocr_vqa": 1_002_146,
        "sbu": 859_739,
        "vg_caption": 821_774,
        "vqav2": 658_104,
        "coco_caption": 566_747,
        "llava_150k": 394_276,
        "aok_vqa": 17_056,
        "ok_vqa": 9_009,
    },
    "audio": {
        "wavcaps": 297_341,
        "audiocaps": 38_701,
        "audiocaps_qa": 24_158,
        "audioset_balanced": 14_141,
    },
    "point_cloud": {"cap3d": 651_576, "cap3d_qa": 250_070},
    "video": {"webvid_2m": 2_000_000, "msrvtt_qa": 149_075, "msrvtt": 130_260},
}
"""Examples of every dataset, by the modality that is trained. That of WebVid is the round number of its name."""

XINSTRUCTBLIP_UPSAMPLED = {"image": {"coco_caption": 3.0}, "video": {"msrvtt": 1.0}}
"""Rates in place of those of the square roots: of images towards the end of training, of videos from the beginning."""


def square_root_rates(
    sizes: Mapping[str, float], instead: Mapping[str, float] | None = None
) -> dict[str, float]:
    """Returns rates that go with the square roots of sizes and sum to 1.

    Args:
      sizes: Examples of every dataset.
      instead: Rates of some, put in place of theirs afterwards; the others stay, so that the sum is no longer 1.

    Raises:
      DataError: There is no dataset, a size is not above 0, or a rate is of no dataset.
    """
    if not sizes or min(sizes.values()) <= 0:
        raise DataError(f"sizes are {dict(sizes)!r}; want one above 0 for every dataset")
    if unknown := [name for name in instead or {} if name not in sizes]:
        raise DataError(f"a rate for {unknown[0]!r}, which has no size; datasets are {', '.join(sizes)}")
    roots = {name: math.sqrt(size) for name, size in sizes.items()}
    total = sum(roots.values())
    return {name: root / total for name, root in roots.items()} | dict(instead or {})


LYNX_PRETRAINING: dict[str, float] = {
    "blip_capfilt": 30.525,
    "cc12m": 2.465,
    "cc3m": 10.076,
    "sbu": 2.987,
    "text_caps": 0.381,
    "coco_caption": 0.287,
    "cuhk_pedes": 0.118,
    "flickr30k": 0.104,
    "pexels": 0.091,
    "iapr": 0.069,
    "pascal": 0.003,
    "vg_qa": 8.711,
    "gqa": 5.868,
    "ocr_vqa": 5.364,
    "vqav2": 2.761,
    "visual7w": 0.870,
    "vizwiz": 0.128,
    "ok_vqa": 0.056,
    "tdiuc": 4.389,
    "places365": 10.921,
    "imagenet": 7.887,
    "snli_ve": 3.213,
    "visual7w_choice": 0.849,
    "air_crowd_food": 0.609,
    "nlvr2": 0.524,
    "wikiart": 0.264,
    "har": 0.078,
    "time_classification": 0.072,
    "hateful_memes": 0.026,
    "invig": 0.310,
}
"""Per cent of the examples of stage 1; its Table 12."""

LYNX_FINETUNING: dict[str, dict[str, float]] = {
    "image_caption": {"llava_caption": 0.945, "vg_caption": 0.798, "minigpt4": 0.138},
    "image_qa": {
        "vg_qa": 10.880,
        "gqa": 3.999,
        "ocr_vqa": 12.349,
        "vqav2": 3.449,
        "visual7w": 0.593,
        "vizwiz": 0.087,
        "ok_vqa": 0.038,
        "web_src": 1.814,
        "llava_reasoning": 3.119,
        "text_vqa": 0.478,
        "st_vqa": 0.359,
    },
    "classification": {
        "places365": 5.0,
        "imagenet": 5.0,
        "nlvr2": 0.671,
        "wikiart": 0.180,
        "har": 0.053,
        "time_classification": 0.049,
    },
    "video_qa": {"msrvtt_qa": 3.137, "vln_vqa": 0.629, "next_qa": 0.623, "msvd_qa": 0.611},
    "video_caption": {"something_v2": 5.0, "vln_caption": 5.0},
    "dialog": {"llava_instruction": 5.845, "llava_dialog": 4.155},
    "text": {
        "flan_v2": 15.0,
        "oig_small": 3.884,
        "alpaca_gpt4": 0.955,
        "unnatural_instructions": 0.161,
    },
}
"""Per cent of the examples of stage 3. What is known adds up to 95: the row of Baize, a text set, is not legible."""


class Told(NamedTuple):
    """Dialogs of one dataset, and in which of the STYLES they are answered."""

    dialogs: int
    style: str


STYLES: dict[str, str] = {
    "sentence": "Answer in one sentence.",
    "phrase": "Answer with a single phrase.",
    "word": "Answer with a single word or phrase.",
    "letter": "Answer with the letter of the right option only.",
    "thorough": "Answer thoroughly, and say what your answer rests on.",
    "reaction": "React to what you are shown, with the emotion you are asked for.",
    "helpful": "Be a helpful assistant.",
}
"""Style -> system message. The wordings are ours; those of S3 are not published."""

S3: dict[str, dict[str, Told]] = {
    "text_image": {
        "coco": Told(5_000, "sentence"),
        "gqa": Told(10_000, "phrase"),
        "image_chat": Told(5_000, "reaction"),
        "visual_dialog": Told(24_000, "word"),
        "llava": Told(31_000, "thorough"),
        "science_qa": Told(10_000, "letter"),
        "ocr_vqa": Told(1_000, "word"),
        "text_caps": Told(14_000, "sentence"),
        "vizwiz": Told(10_000, "word"),
        "visual_genome": Told(5_500, "word"),
        "ok_vqa": Told(5_000, "word"),
        "aok_vqa": Told(10_000, "thorough"),
    },
    "text_audio": {
        "clotho": Told(3_750, "sentence"),
        "clotho_aqa": Told(1_000, "word"),
        "audioset": Told(5_000, "sentence"),
    },
    "text": {"open_assistant": Told(5_000, "helpful")},
}
"""145,250 dialogs, by what is in them."""
