"""Text and pictures in a row: the documents of OBELICS, and captioned pictures of the web, a few together."""

from data_tasks.datasets.web_images import (
    CC3M,
    CC3M_OBTAIN,
    CC3M_SIZE,
    CC3M_SPLITS,
    CC12M,
    CC12M_OBTAIN,
    CC12M_SIZE,
    HELD_OUT,
    RED_CAPS,
    RED_CAPS_OBTAIN,
    RED_CAPS_SIZE,
    SAMPLE,
)
from data_tasks.formats import denoised
from data_tasks.registry import register
from data_tasks.sources.episodes import Pictures
from data_tasks.sources.grouped import Grouped
from data_tasks.sources.mapping import Cleaned
from data_tasks.sources.parquet import Parquet
from data_tasks.sources.stored import Record
from unified_io.data.denoised import Denoised

_SHOWN = ("text", "image", "image_history")
_GROUP = 3


def _parted(record: Record) -> list[Record]:
    """Returns the pictures of a document without the gaps, and its text with a word where each stands."""
    files, texts = record["images"], record["texts"]
    words = [denoised.PICTURE if name else text or "" for name, text in zip(files, texts, strict=True)]
    return [record | {"files": [name for name in files if name], "text": "\n\n".join(words)}]


_NAME = "pretrain_obelics"
register(
    _NAME,
    group="pretrain_interleaved",
    dataset="OBELICS",
    stored=Parquet("obelics", "data/{split}-*.parquet"),
    fields={"images": Pictures("files", "images"), "text": "text"},
    form=Denoised(denoised.document, _NAME, targets=("text", "image"), inputs=_SHOWN),
    splits={"train": "train:2000-", "validation": "train:-2000"},
    each=_parted,
    obtain="Hugging Face HuggingFaceM4/OBELICS; its pictures in images, their names in place of the links, null for "
    "those that are gone",
    size=131_000_000,
    weight=8.00,
    sample=[
        {
            "images": [None, f"{n}.jpg", None],
            "texts": ["We came at noon.", None, "The bay was still full of ice."],
        }
        for n in (1, 2)
    ],
    media=["images/1.jpg", "images/2.jpg"],
)

for _name, _dataset, _stored, _splits, _weight, _size, _obtain in (
    ("cc12m", "CC12M", CC12M, HELD_OUT, 0.35, CC12M_SIZE, CC12M_OBTAIN),
    ("cc3m", "CC3M", CC3M, CC3M_SPLITS, 0.21, CC3M_SIZE, CC3M_OBTAIN),
    ("red_caps", "RedCaps", RED_CAPS, HELD_OUT, 0.14, RED_CAPS_SIZE, RED_CAPS_OBTAIN),
):
    _NAME = f"pretrain_{_name}_interleaved"
    register(
        _NAME,
        group="pretrain_interleaved",
        dataset=f"{_dataset}, {_GROUP} pairs together",
        stored=Grouped(_stored.name, _stored, _GROUP),
        fields={"images": Pictures("members/jpg"), "captions": Cleaned("members/txt")},
        form=Denoised(denoised.pairs, _NAME, targets=("text",), inputs=_SHOWN),
        splits=_splits,
        obtain=_obtain,
        size=_size,
        weight=_weight,
        sample=[{"members": SAMPLE}],
    )
