"""Tasks that pre-training makes up: masks of what Segment Anything marked, and shapes pasted on pictures of the web."""

from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from data_tasks.datasets.web_images import (
    HELD_OUT,
    LAION_AESTHETICS,
    LAION_AESTHETICS_OBTAIN,
    LAION_AESTHETICS_SIZE,
    RED_CAPS,
    RED_CAPS_OBTAIN,
    RED_CAPS_SIZE,
    SAMPLE,
)
from data_tasks.formats.dense import DenseMap
from data_tasks.formats.patches import PastedPatches
from data_tasks.registry import register
from data_tasks.sources.mapping import Boxes, Masks, Picture
from data_tasks.sources.maps import compressed, to_runs
from data_tasks.sources.stored import Record
from data_tasks.sources.tfds import Tfds

_SIZE = ("image/height", "image/width")
_MOST = 64  # things of a picture; some have hundreds, and every mask is as large as the picture
_PIXELS = np.zeros((24, 32, 3), np.uint8) + np.arange(32, dtype=np.uint8)[:, None] * 8


def _fewer(record: Record) -> list[Record]:
    """Returns the record with its largest things; of a picture without any, nothing."""
    things = sorted(record["annotations"], key=lambda thing: -int(thing["area"]))[:_MOST]
    return [record | {"annotations": things}] if things else []


def _thing(number: int, top: int, left: int, bottom: int, right: int) -> Record:
    drawn = np.zeros((24, 32), bool)
    drawn[top:bottom, left:right] = True
    box = tfds.features.BBox(top / 24, left / 32, bottom / 24, right / 32)
    return {
        "id": number,
        "area": int(drawn.sum()),
        "bbox": box,
        "crop_box": tfds.features.BBox(0.0, 0.0, 1.0, 1.0),
        "point_coords": np.array([[left + 1.0, top + 1.0]]),
        "predicted_iou": 0.9,
        "stability_score": 0.9,
        "segmentation": {"counts": compressed(to_runs(drawn)), "size": np.array([24, 32], np.uint64)},
    }


def _marked(number: int, *things: Record) -> Record:
    about = {"file_name": f"sa_{number}.jpg", "height": 24, "width": 32, "image_id": number}
    return {"image": {"content": _PIXELS, **about}, "annotations": list(things)}


register(
    "pretrain_segment_anything",
    group="pretrain_synthetic",
    dataset="Segment Anything",
    stored=Tfds("segment_anything", "segment_anything"),
    fields={
        "image": Picture("image/content"),
        "boxes": Boxes("annotations/bbox", "yxyx"),
        "masks": Masks("annotations/segmentation", _SIZE),
    },
    form=DenseMap("dense_mask_box", kind="mask", query="box"),
    splits=HELD_OUT,
    each=_fewer,
    obtain="tfds segment_anything, with the list of links that Meta sends on agreement",
    size=11_185_362,
    weight=0.50,
    sample=[
        _marked(1, _thing(1, 2, 2, 20, 14), _thing(2, 4, 16, 22, 30)),
        _marked(2, _thing(3, 6, 6, 18, 24)),
    ],
)

_PATCHES: dict[str, Any] = {
    "group": "pretrain_synthetic",
    "fields": {"image": Picture("jpg")},
    "splits": HELD_OUT,
    "sample": SAMPLE,
}
register(
    "pretrain_laion_patches",
    dataset="LAION Aesthetics, shapes pasted on",
    stored=LAION_AESTHETICS,
    form=PastedPatches("patches_list"),
    obtain=LAION_AESTHETICS_OBTAIN,
    size=LAION_AESTHETICS_SIZE,
    weight=0.45,
    **_PATCHES,
)
register(
    "pretrain_red_caps_patches",
    dataset="RedCaps, shapes pasted on",
    stored=RED_CAPS,
    form=PastedPatches("patches_count", ask="count"),
    obtain=RED_CAPS_OBTAIN,
    size=RED_CAPS_SIZE,
    weight=0.05,
    **_PATCHES,
)
