"""Surface normals of BlendedMVS, FrameNet and Taskonomy, all stored as pictures in one encoding."""

import numpy as np
from jaxtyping import Float

from data_tasks.formats.dense import DenseMap
from data_tasks.formats.normals_augmented import Facing, NormalsAs
from data_tasks.formats.one_of import one_of
from data_tasks.registry import register
from data_tasks.sources.lines import Lines
from data_tasks.sources.mapping import Picture
from data_tasks.sources.stored import Context, Make, Record
from unified_io.preprocess import maps

AGAIN = one_of(
    NormalsAs("normal_order", change="order"),
    NormalsAs("normal_axes", change="axes"),
    Facing("normal_facing"),
)
"""Normals asked in other ways: axes in another order, some of them only, the surfaces that face one way."""


def stored(name: str) -> Lines:
    """Returns how a set lies on disk: a list of pictures and of their normals."""
    return Lines(name, "{split}.jsonl")


def normals(record: Record, context: Context) -> Float[np.ndarray, "h w 3"]:
    """Reads the unit vectors of a picture of them, (n + 1) / 2 as red, green and blue; black is unknown."""
    pixels = Picture("normals")(record, context)
    return np.where(pixels.any(axis=2, keepdims=True), maps.pixels_to_normals(pixels), np.float32(0.0))


FIELDS: dict[str, str | Make] = {"image": Picture("image"), "normals": normals}
OBTAIN = (
    'a list one object a line, {"image", "normals"}: a picture and its normals as an 8-bit picture of that size, '
    "(n + 1) / 2 as red, green, blue; x to the right, y up, z to the camera; black where unknown"
)
SAMPLE = [{"image": f"{number}_rgb.png", "normals": f"{number}_normal.png"} for number in (1, 2)]
MEDIA = tuple(name for line in SAMPLE for name in line.values())
SETS = (
    (
        "blended_mvs",
        "BlendedMVS",
        "github.com/YoYo000/BlendedMVS, normals computed of its depth maps",
        17_000,
    ),
    ("framenet", "FrameNet", "github.com/hjwdzh/FrameNet, on frames of ScanNet", 200_000),
    ("taskonomy", "Taskonomy", "github.com/StanfordVL/taskonomy, the domains rgb and normal", 4_000_000),
)
"""Folder, what it is called, where to get it, and about how many pictures it has."""

for _name, _dataset, _where, _size in SETS:
    for _ending, _form in (("", DenseMap("dense_normal", kind="normal")), ("_augmented", AGAIN)):
        register(
            f"{_name}_normals{_ending}",
            group="normals",
            dataset=_dataset,
            stored=stored(_name),
            fields=FIELDS,
            form=_form,
            obtain=f"{_where}: {OBTAIN}",
            size=_size,
            sample=SAMPLE,
            media=MEDIA,
        )
