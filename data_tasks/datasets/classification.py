"""Pictures with one class of a closed set: things, places, living things, birds."""

import functools
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from data_tasks.formats.tag import Tag
from data_tasks.registry import register
from data_tasks.sources.mapping import ClassFile, Picture
from data_tasks.sources.stored import Context, Make, Record
from data_tasks.sources.tfds import Tfds


@functools.cache
def _names(builder: str) -> tuple[str, ...]:
    """Names of the classes that tfds has with a builder, in plain words: "/a/arena/hockey" -> "arena hockey"."""
    given = tfds.builder(builder).info.features["label"].names
    words = [name.lstrip("/") for name in given]
    if all(name.startswith("/") for name in given):
        words = [name.partition("/")[2] for name in words]
    return tuple(
        " ".join(name.replace("/", " ").replace("_", " ").replace("-", " ").split()) for name in words
    )


def _name(builder: str) -> Make:
    def make(record: Record, context: Context) -> str:
        return _names(builder)[int(record["label"])]

    return make


def _classes(builder: str) -> Make:
    def make(record: Record, context: Context) -> tuple[str, ...]:
        return _names(builder)

    return make


_SPLITS = {"train": "train", "validation": "validation"}

for _task, _builder, _prompts, _splits, _about in (
    ("places365", "places365_small", "tag_place", _SPLITS, ("Places365", 1_803_460)),
    ("inaturalist", "i_naturalist2017", "tag_species", _SPLITS, ("iNaturalist 2017", 579_184)),
    ("sun397", "sun397", "tag_place", _SPLITS, ("SUN397", 76_128)),
):
    register(
        _task,
        group="tagging",
        dataset=_about[0],
        stored=Tfds(_task, _builder),
        fields={"image": Picture("image"), "name": _name(_builder), "classes": _classes(_builder)},
        form=Tag(_prompts),
        splits=_splits,
        obtain=f"tfds {_builder}",
        size=_about[1],
    )

_FILE = "class_names.txt"
"""Names of classes, each another one, one a line in the order of the builder's numbers."""
_PIXELS = np.zeros((24, 32, 3), np.uint8) + np.arange(32, dtype=np.uint8)[:, None] * 8


def _listed(count: int) -> dict[str, Any]:
    """How records are read whose classes are named by a file of so many lines."""
    return {
        "fields": {
            "image": Picture("image"),
            "name": ClassFile("label", _FILE),
            "classes": ClassFile("every", _FILE),
        },
        "each": lambda record: [record | {"every": list(range(count))}],
        "media": [_FILE],
    }


register(
    "imagenet",
    group="tagging",
    dataset="ImageNet 2012",
    stored=Tfds("imagenet", "imagenet2012"),
    form=Tag("tag"),
    splits=_SPLITS,
    obtain=f"tfds imagenet2012, and {_FILE} with 1,000 names in words that differ",
    size=1_281_167,
    sample=[{"image": _PIXELS, "label": label, "file_name": f"n{label}.JPEG"} for label in (3, 7)],
    **_listed(1000),
)


def _bird(label: int) -> Record:
    return {
        "image": _PIXELS,
        "image/filename": "1.jpg",
        "label": label,
        "label_name": str(label),
        "bbox": tfds.features.BBox(0.1, 0.1, 0.9, 0.9),
        "segmentation_mask": np.ones((24, 32, 1), np.uint8),
    }


register(
    "caltech_birds",
    group="tagging",
    dataset="Caltech-UCSD Birds 2011",
    stored=Tfds("caltech_birds", "caltech_birds2011"),
    form=Tag("tag_bird"),
    splits={"train": "train", "validation": "test"},
    obtain=f"tfds caltech_birds2011, and {_FILE} with the 200 names of its classes.txt in plain words",
    size=5_994,
    sample=[_bird(4), _bird(9)],
    **_listed(200),
)
