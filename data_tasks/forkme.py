"""A dataset of your own in one file: copy this to data_tasks/datasets/flowers.py and change what stands here.

docs/add_your_dataset.md goes through it step by step. Tasks are named after the file.
"""

from data_tasks.formats.caption import Caption
from data_tasks.formats.tag import Tag
from data_tasks.registry import register
from data_tasks.sources.lines import Lines
from data_tasks.sources.mapping import Constant, Picture

NAME = __name__.rpartition(".")[2]

# How it lies on the disk, in the folder NAME below UNIFIED_IO_DATA. Other kinds are in data_tasks/sources:
# Parquet, TarShards, CocoJson, Tfds, VideoList, Records …
STORED = Lines(NAME, "{split}.jsonl")

# Two records as your dataset has them, for tests and for `unified-io data show … --sample`; the media they name are
# made up.
SAMPLE = [
    {"file": "1.jpg", "kind": "rose", "said": ["a red rose", "a flower in a garden"]},
    {"file": "2.jpg", "kind": "daisy", "said": ["a white daisy in the grass"]},
]
MEDIA = ("images/1.jpg", "images/2.jpg")
CLASSES = ("daisy", "rose", "tulip")

# Where the raw fields that formats read stand in a record; all of them are in data_tasks/sources/record.py.
PICTURE = Picture("file", "images")

ABOUT = {
    "group": "own",
    "dataset": "Flowers",
    "stored": STORED,
    "splits": {
        "train": "train",
        "validation": "validation",
    },  # ours -> its own; "train:100-" is a part of one
    "obtain": "your own folder",
    "size": 2,
    "sample": SAMPLE,
    "media": MEDIA,
}

# One registration a task: what is asked of the same records. Formats are in data_tasks/formats.
register(
    f"{NAME}_kind",
    fields={"image": PICTURE, "name": "kind", "classes": Constant(CLASSES)},
    form=Tag("tag"),
    **ABOUT,
)
register(
    f"{NAME}_caption",
    fields={"image": PICTURE, "captions": "said"},
    form=Caption("caption"),
    **ABOUT,
)
