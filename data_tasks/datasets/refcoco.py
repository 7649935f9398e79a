"""RefCOCO, RefCOCO+ and RefCOCOg: the thing that an expression means, as a box, a property of it, or a mask."""

from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from jaxtyping import Bool

from data_tasks.formats.boxes import FindBoxes
from data_tasks.formats.boxes_augmented import WrittenBoxes
from data_tasks.formats.dense import DenseMap
from data_tasks.formats.one_of import one_of
from data_tasks.formats.pairs import ASKS, TwoRegions
from data_tasks.formats.properties import RegionProperty
from data_tasks.registry import register
from data_tasks.sources.mapping import Boxes, Picture
from data_tasks.sources.stored import Context, Make, Record
from data_tasks.sources.tfds import Tfds

AGAIN = one_of(
    WrittenBoxes("boxes_written_phrase", query="phrase"),
    RegionProperty("property_phrase", of="phrase"),
)
"""An expression asked in other ways: the box in another order, or a property of it."""
PAIRS = one_of(*(TwoRegions(f"pairs_{ask}", ask_for=ask) for ask in ASKS))
"""Two expressions in one query, in every way there is."""


def _said(thing: Record) -> list[str]:
    """What people said of a thing, in lower case."""
    phrases = (" ".join(said["raw"].lower().split()) for said in thing["refexp"])
    return [phrase for phrase in phrases if phrase]


def expressed(record: Record) -> list[Record]:
    """Returns one record an expression, with the one thing that it means."""
    return [
        record | {"objects": [thing], "phrases": [phrase]}
        for thing in record["objects"]
        for phrase in _said(thing)
    ]


def _phrases(record: Record, context: Context) -> list[str]:
    """Draws one expression a thing."""
    rng = context.draw("phrases")
    return [
        said[rng.integers(len(said)) if context.training else 0] for said in map(_said, record["objects"])
    ]


def paired(record: Record) -> list[Record]:
    """Returns the record with the things that somebody spoke of; none if there are less than two."""
    things = [thing for thing in record["objects"] if _said(thing)]
    return [record | {"objects": things}] if len(things) > 1 else []


def _masks(record: Record, context: Context) -> Bool[np.ndarray, "n h w"]:
    return np.stack([thing["mask"].any(axis=-1) for thing in record["objects"]])


_FIELDS: dict[str, str | Make] = {
    "image": Picture("image"),
    "boxes": Boxes("objects/bbox", "yxyx"),
    "phrases": "phrases",
}


def _thing(number: int, box: tuple[float, float, float, float], *said: str) -> Record:
    top, left, bottom, right = (round(side * size) for side, size in zip(box, (24, 32, 24, 32), strict=True))
    drawn = np.zeros((24, 32, 3), np.uint8)
    drawn[top:bottom, left:right] = 255
    return {
        "area": (bottom - top) * (right - left),
        "bbox": tfds.features.BBox(*box),
        "gt_box_index": number,
        "id": number,
        "label": 1,
        "mask": drawn,
        "refexp": [{"raw": words, "refexp_id": place} for place, words in enumerate(said)],
    }


def _picture(number: int, *things: Record) -> Record:
    pixels = np.zeros((24, 32, 3), np.uint8) + np.arange(32, dtype=np.uint8)[:, None] * 8
    return {"coco_annotations": [], "image": pixels, "image/id": number, "objects": list(things)}


_SAMPLE = [
    _picture(
        1,
        _thing(0, (0.1, 0.1, 0.9, 0.5), "Man on the left", "guy in red"),
        _thing(1, (0.3, 0.6, 0.8, 0.9), "woman with the hat"),
    ),
    _picture(2, _thing(0, (0.2, 0.2, 0.7, 0.8), "the white dog")),
]

_SETS = (
    ("refcoco_unc", "RefCOCO", "refcoco_unc", 120_624),
    ("refcoco_plus_unc", "RefCOCO+", "refcocoplus_unc", 120_191),
    ("refcocog_google", "RefCOCOg", "refcocog_google", 85_474),
)


def _about(dataset: str, config: str, size: int) -> dict[str, Any]:
    return {
        "dataset": dataset,
        "stored": Tfds(config, f"ref_coco/{config}"),
        "obtain": f"tfds ref_coco/{config}, whose data are put in its manual folder: github.com/lichengunc/refer and "
        "COCO's pictures of 2014",
        "size": size,
        "sample": _SAMPLE,
    }


for _name, _dataset, _config, _size in _SETS:
    _shared = _about(_dataset, _config, _size) | {"each": expressed}
    register(
        _name,
        group="referring_expression",
        fields=_FIELDS,
        form=FindBoxes("boxes_phrase", query="phrase"),
        **_shared,
    )
    register(
        f"{_name}_segmentation",
        group="referring_segmentation",
        fields=_FIELDS | {"masks": _masks},
        form=DenseMap("dense_mask_phrase", query="phrase"),
        **_shared,
    )
    # Expressions of RefCOCOg are long: one fills a prompt.
    if _config != "refcocog_google":
        register(
            f"{_name}_augmented",
            group="referring_expression",
            fields=_FIELDS,
            form=AGAIN,
            **_shared,
        )
        register(
            f"{_name}_pairs",
            group="referring_expression",
            fields=_FIELDS | {"phrases": _phrases},
            form=PAIRS,
            **_shared | {"each": paired, "size": 16_994},
        )
