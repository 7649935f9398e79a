"""Open Images: its boxes and the names of its classes as all tasks read them, and its localised narratives."""

import functools

import numpy as np
import tensorflow_datasets as tfds

from data_tasks.formats.caption import Caption
from data_tasks.formats.caption_augmented import RuledCaption
from data_tasks.registry import register
from data_tasks.sources.lines import Lines
from data_tasks.sources.mapping import Boxes, ClassFile, Picture
from data_tasks.sources.stored import Make, Record
from data_tasks.sources.tfds import Tfds

NAMES = "class_names.txt"
"""Names of the 601 classes that have boxes, one a line, in the order of class-descriptions-boxable.csv."""
OBTAIN = f"tfds open_images_v4/300k; {NAMES} is the second column of class-descriptions-boxable.csv"
BOXED = 1_743_042
SPLITS = {"train": "train", "validation": "validation"}

OBJECTS = Tfds("open_images", "open_images_v4/300k")
"""Of version 4; versions 5 to 7 have the same boxes."""
OBJECT_FIELDS: dict[str, str | Make] = {
    "image": Picture("image"),
    "boxes": Boxes("bobjects/bbox", "yxyx"),
    "names": ClassFile("bobjects/label", NAMES),
    "crowd": lambda record, context: [thing["is_group_of"] == 1 for thing in record["bobjects"]],
}


def has_objects(record: Record) -> bool:
    """Whether anything has a box that is no group; half of the pictures of training show nothing that has."""
    return any(thing["is_group_of"] != 1 for thing in record["bobjects"])


def single(record: Record) -> list[Record]:
    """Returns the record without groups, for questions about one box."""
    return [record | {"bobjects": [thing for thing in record["bobjects"] if thing["is_group_of"] != 1]}]


MEDIA = (NAMES,)


def _thing(label: int, *box: float) -> Record:
    unknown = dict.fromkeys(("is_occluded", "is_truncated", "is_depiction", "is_inside"), -1)
    place = tfds.features.BBox(*box)
    return {"label": label, "source": 4, "bbox": place, "is_group_of": 0, **unknown}


def _picture(*things: Record) -> Record:
    pixels = np.zeros((24, 32, 3), np.uint8) + np.arange(32, dtype=np.uint8)[:, None] * 8
    filename = "226f0a1873b9bf8e.jpg"
    return {
        "image": pixels,
        "image/filename": filename,
        "objects": [],
        "objects_trainable": [],
        "bobjects": list(things),
    }


OBJECT_SAMPLE = [
    _picture(_thing(7, 0.1, 0.1, 0.7, 0.5), _thing(7, 0.4, 0.5, 0.9, 0.9), _thing(30, 0.0, 0.6, 0.4, 1.0)),
    _picture(_thing(12, 0.2, 0.2, 0.8, 0.9), _thing(30, 0.0, 0.0, 0.5, 0.4)),
]


@functools.cache
def class_numbers() -> dict[str, int]:
    """The code of a class, such as /m/011k07 -> its number among those that have boxes."""
    codes = tfds.core.tfds_path("object_detection/open_images_classes_boxable.txt").read_text().split()
    return {code: number for number, code in enumerate(codes)}


_NARRATIVES = Lines("open_images_narratives", "open_images_{split}_captions.jsonl")
_NARRATED = {
    "stored": _NARRATIVES,
    "group": "captioning",
    "dataset": "Open Images localised narratives",
    "splits": {"train": "train_v6", "validation": "validation"},
    "obtain": "google.github.io/localized-narratives; its files of a split joined; "
    "pictures of Open Images in train_v6 and validation",
    "size": 507_444,
    "media": [f"{split}/{name}.jpg" for split in ("train_v6", "validation") for name in ("0a1", "0a2")],
    "sample": [
        {
            "dataset_id": "x",
            "image_id": "0a1",
            "annotator_id": 1,
            "caption": "In this image we can see a tall tree.",
        },
        {
            "dataset_id": "x",
            "image_id": "0a2",
            "annotator_id": 2,
            "caption": "There are two boats. We see water below.",
        },
    ],
}

for _name, _form in (
    ("open_images_narrative", Caption("caption_image")),
    ("open_images_narrative_rules", RuledCaption("caption_rules")),
):
    register(
        _name,
        fields={"image": Picture("image_id", "{split}", name="{}.jpg"), "captions": "caption"},
        form=_form,
        **_NARRATED,
    )
