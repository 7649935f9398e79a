"""LVIS: masks of many classes of things, and pictures made of them."""

import numpy as np
import tensorflow_datasets as tfds
from jaxtyping import Bool

from data_tasks.datasets.coco_objects import MASKS_OF_CLASSES
from data_tasks.formats.dense import DenseMap
from data_tasks.formats.legend import FromLegend
from data_tasks.registry import register
from data_tasks.sources.mapping import Boxes, Named, Picture
from data_tasks.sources.stored import Context, Record
from data_tasks.sources.tfds import Tfds

CLASSES = tuple(
    name.strip().replace("_", " ")
    for name in tfds.core.tfds_path("datasets/lvis/classes.txt").read_text().splitlines()
    if name.strip()
)


def _masks(record: Record, context: Context) -> Bool[np.ndarray, "n h w"]:
    return np.stack([thing["segmentation"][:, :, 0] > 0 for thing in record["objects"]])


def _looked_for(record: Record, context: Context) -> list[str]:
    """Names the classes of which it is known whether they are there: of the other ones nobody looked."""
    labels = {thing["label"] for thing in record["objects"]} | {*map(int, record["neg_category_ids"])}
    return [CLASSES[label] for label in sorted(labels)]


def marked(record: Record) -> list[Record]:
    """Returns the record with those classes of which every thing is marked; none if there is none."""
    partly = {*map(int, record["not_exhaustive_category_ids"])}
    things = [thing for thing in record["objects"] if thing["label"] not in partly]
    return [record | {"objects": things}] if things else []


def _thing(label: int, top: int, left: int, bottom: int, right: int) -> Record:
    drawn = np.zeros((24, 32, 1), np.uint8)
    drawn[top:bottom, left:right] = 255
    place = tfds.features.BBox(top / 24, left / 32, bottom / 24, right / 32)
    area = (bottom - top) * (right - left)
    return {"area": area, "bbox": place, "id": label, "label": label, "segmentation": drawn}


def _picture(number: int, *things: Record) -> Record:
    pixels = np.zeros((24, 32, 3), np.uint8) + np.arange(32, dtype=np.uint8)[:, None] * 8
    known = {"neg_category_ids": [7, 8], "not_exhaustive_category_ids": [90]}
    return {"image": pixels, "image/id": number, "objects": list(things), **known}


_SAMPLE = [
    _picture(1, _thing(4, 2, 2, 20, 14), _thing(90, 10, 12, 22, 30), _thing(4, 0, 20, 8, 31)),
    _picture(2, _thing(700, 4, 6, 22, 26), _thing(4, 1, 1, 10, 12)),
]

for _name, _group, _form in (
    ("lvis_segmentation", "semantic_segmentation", MASKS_OF_CLASSES),
    ("lvis_localised_segmentation", "localised_segmentation", DenseMap("dense_mask_box", query="box")),
    ("lvis_from_masks", "controllable_editing", FromLegend("from_legend")),
):
    register(
        _name,
        group=_group,
        dataset="LVIS",
        stored=Tfds("lvis", "lvis"),
        fields={
            "image": Picture("image"),
            "boxes": Boxes("objects/bbox", "yxyx"),
            "names": Named("objects/label", CLASSES),
            "classes": _looked_for,
            "masks": _masks,
        },
        form=_form,
        each=marked,
        obtain="tfds lvis",
        size=100_170,
        sample=_SAMPLE,
    )
