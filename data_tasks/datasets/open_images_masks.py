"""The masks of Open Images: what is painted of its classes and within its boxes."""

from typing import Any

import numpy as np
from jaxtyping import Bool

from data_tasks.datasets.coco_objects import MASKS_OF_CLASSES
from data_tasks.datasets.open_images import NAMES, class_numbers
from data_tasks.formats.dense import DenseMap
from data_tasks.registry import register
from data_tasks.sources import mapping
from data_tasks.sources.lines import Lines
from data_tasks.sources.mapping import ClassFile, Picture
from data_tasks.sources.media import inside
from data_tasks.sources.stored import Context, Record
from unified_io.preprocess import image_ops

_PICTURE = Picture("ImageID", "{split}", name="{}.jpg")


def _masks(record: Record, context: Context) -> Bool[np.ndarray, "n h w"]:
    """Reads the masks, which are smaller or larger than their picture."""
    size = _PICTURE(record, context).shape[:2]
    files = [inside(context.folder, f"masks-{context.split}", mask["MaskPath"]) for mask in record["masks"]]
    return np.stack([image_ops.resize_nearest(image_ops.read(file)[:, :, 0] > 0.5, size) for file in files])


def _boxes(record: Record, context: Context) -> Any:
    sides = ("BoxXMin", "BoxYMin", "BoxXMax", "BoxYMax")
    return mapping.boxes([[float(mask[side]) for side in sides] for mask in record["masks"]], "xyxy")


def _numbered(record: Record) -> list[Record]:
    """Returns the record with the numbers of its masks' classes, of those that have one; none if there is none."""
    kept = [mask for mask in record["masks"] if mask["LabelName"] in class_numbers()]
    labels = [class_numbers()[mask["LabelName"]] for mask in kept]
    return [record | {"masks": kept, "labels": labels}] if kept else []


def _mask(file: str, code: str, *box: float) -> Record:
    sides = ("BoxXMin", "BoxXMax", "BoxYMin", "BoxYMax")
    return {"MaskPath": file, "LabelName": code, **dict(zip(sides, box, strict=True))}


_FILES = ("0a1_m011k07_1.png", "0a1_m012074_2.png", "0a2_m011k07_3.png")
for _name, _group, _form in (
    ("open_images_segmentation", "semantic_segmentation", MASKS_OF_CLASSES),
    ("open_images_localised_segmentation", "localised_segmentation", DenseMap("dense_mask_box", query="box")),
):
    register(
        _name,
        group=_group,
        dataset="Open Images, segmentations",
        stored=Lines("open_images", "{split}-annotations-object-segmentation.jsonl"),
        fields={
            "image": _PICTURE,
            "masks": _masks,
            "boxes": _boxes,
            "names": ClassFile("labels", NAMES),
        },
        form=_form,
        each=_numbered,
        obtain="storage.googleapis.com/openimages/web: its table of segmentations, the rows of a picture as one line "
        '{"ImageID", "masks": [row, ...]}; the masks in masks-train and masks-validation',
        size=944_037,
        sample=[
            {
                "ImageID": "0a1",
                "masks": [
                    _mask(_FILES[0], "/m/011k07", 0.1, 0.7, 0.0, 0.8),
                    _mask(_FILES[1], "/m/012074", 0.3, 0.9, 0.2, 1.0),
                ],
            },
            {"ImageID": "0a2", "masks": [_mask(_FILES[2], "/m/011k07", 0.0, 0.5, 0.1, 0.9)]},
        ],
        media=[
            NAMES,
            *(f"{split}/{name}.jpg" for split in ("train", "validation") for name in ("0a1", "0a2")),
            *(f"masks-{split}/{name}" for split in ("train", "validation") for name in _FILES),
        ],
    )
