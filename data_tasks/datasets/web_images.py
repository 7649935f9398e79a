"""Pictures of the web with their captions: how every such set is read, and what pre-training asks of them."""

from typing import Any

from data_tasks import made_up
from data_tasks.formats import denoised
from data_tasks.registry import register
from data_tasks.sources.mapping import Picture
from data_tasks.sources.stored import Make, Record, Stored
from data_tasks.sources.tar import TarShards
from data_tasks.sources.tfds import Tfds
from unified_io.data.denoised import Denoised

HELD_OUT = {"train": "train:2000-", "validation": "train:-2000"}
"""Splits of the sets that have but one."""

CC3M = TarShards("cc3m", "cc3m-{split}-*.tar")
CC3M_SPLITS = {"train": "train", "validation": "validation"}
CC3M_OBTAIN = "Hugging Face pixparse/cc3m-wds"
CC3M_SIZE = 2_905_954
CC12M = TarShards("cc12m", "cc12m-{split}-*.tar")
CC12M_OBTAIN = "Hugging Face pixparse/cc12m-wds"
CC12M_SIZE = 10_968_539
RED_CAPS = TarShards("red_caps", "{split}/*.tar")
RED_CAPS_OBTAIN = "redcaps.xyz: its annotations, and img2dataset, which writes the pictures as tar files"
RED_CAPS_SIZE = 12_011_121
LAION_AESTHETICS = TarShards("laion_aesthetics", "{split}/*.tar")
LAION_AESTHETICS_OBTAIN = (
    "withdrawn as it was; Hugging Face laion/relaion2B-en-research-safe, those rows of an aesthetic score above 5, and "
    "img2dataset, which writes the pictures as tar files"
)
LAION_AESTHETICS_SIZE = 491_000_000

FIELDS: dict[str, str | Make] = {"image": Picture("jpg"), "captions": "txt"}
"""Of all of the above."""
SAMPLE = [
    {"jpg": made_up.picture("web 1"), "txt": "<PERSON> paints a red fence by the sea", "json": {"key": "1"}},
    {"jpg": made_up.picture("web 2"), "txt": "two grey cats sleep on an old chair", "json": {"key": "2"}},
    {"jpg": made_up.picture("web 3"), "txt": "a map of the old town, drawn by hand", "json": {"key": "3"}},
]

_LAION = Tfds("laion400m", "laion400m/images")
_BOTH = ("text", "image")


def harmless(record: Record) -> bool:
    """Whether a picture of LAION-400M is marked as unlikely to offend; of the four marks, the first in tfds."""
    return record["nsfw"] == 0


def _pretrain(
    name: str,
    stored: Stored,
    weight: float,
    targets: tuple[str, ...] = _BOTH,
    inputs: tuple[str, ...] = _BOTH,
    **about: Any,
) -> None:
    register(
        name,
        group="pretrain_image_text",
        stored=stored,
        form=Denoised(denoised.captioned_image, name, targets=targets, inputs=inputs),
        weight=weight,
        **{"fields": FIELDS, "splits": HELD_OUT, "sample": SAMPLE} | about,
    )


_pretrain(
    "pretrain_laion_aesthetics",
    LAION_AESTHETICS,
    17.7,
    targets=("image",),
    inputs=("text",),
    dataset="LAION Aesthetics v2.5",
    obtain=LAION_AESTHETICS_OBTAIN,
    size=LAION_AESTHETICS_SIZE,
)
_pretrain(
    "pretrain_laion_400m",
    _LAION,
    8.95,
    targets=("text",),
    inputs=("image",),
    dataset="LAION-400M",
    fields={"image": Picture("image"), "captions": "caption"},
    keep=harmless,
    obtain="tfds laion400m/images, of what img2dataset wrote; withdrawn by LAION in favour of Re-LAION",
    size=346_000_000,
    sample=[
        {
            "image": made_up.picture(f"laion {number}"),
            "caption": caption,
            "nsfw": number % 2,
            "license": "?",
            "url": "",
            "similarity": 0.3,
            "original_height": 24,
            "original_width": 32,
        }
        for number, caption in enumerate(
            ("a wooden bridge in autumn", "beach party", "a plate of ripe plums")
        )
    ],
)
_pretrain("pretrain_cc12m", CC12M, 1.48, dataset="CC12M", obtain=CC12M_OBTAIN, size=CC12M_SIZE)
_pretrain("pretrain_red_caps", RED_CAPS, 1.39, dataset="RedCaps", obtain=RED_CAPS_OBTAIN, size=RED_CAPS_SIZE)
_pretrain(
    "pretrain_web_images",
    TarShards("web_images", "{split}/*.tar"),
    1.33,
    dataset="Web Images",
    obtain="private, never released; CC12M is like it; own pictures as tar files of jpg and txt take its place",
    available=False,
    size=107_000_000,
)
_pretrain(
    "pretrain_cc3m",
    CC3M,
    0.49,
    dataset="CC3M",
    splits=CC3M_SPLITS,
    obtain=CC3M_OBTAIN,
    size=CC3M_SIZE,
)
