"""BlendedMVS, FrameNet and Taskonomy: their maps of normals, and the question which way a surface faces at a point."""

import numpy as np
from jaxtyping import Float

from data_tasks.formats.normals_augmented import NormalAt
from data_tasks.registry import register
from data_tasks.sources.lines import Lines
from data_tasks.sources.mapping import Picture
from data_tasks.sources.stored import Context, Make, Record
from unified_io.preprocess import maps

_NORMALS = Picture("normal")


def normals(record: Record, context: Context) -> Float[np.ndarray, "h w 3"]:
    """Returns the unit vectors of a picture of them, (n + 1) / 2 as red, green and blue; black is unknown."""
    pixels = _NORMALS(record, context)
    return np.where(pixels.any(axis=2, keepdims=True), maps.pixels_to_normals(pixels), np.float32(0.0))


NORMAL_FIELDS: dict[str, str | Make] = {"image": Picture("image"), "normals": normals}

NORMAL_SETS: dict[str, tuple[str, str, int]] = {
    "blended_mvs": (
        "BlendedMVS",
        "github.com/YoYo000/BlendedMVS, normals computed of its depth maps",
        100_000,
    ),
    "framenet": ("FrameNet", "github.com/hjwdzh/FrameNet, its normals of ScanNet", 1_000_000),
    "taskonomy": ("Taskonomy", "taskonomy.stanford.edu, the domains rgb and normal", 4_000_000),
}
"""Folder of a set -> what people call it, where to get it, and about how many pictures it has."""
NORMAL_OBTAIN = (
    'as a list one object a line, {"image", "normal"}, files of one size, in train.jsonl and validation.jsonl; normals '
    "are 8-bit pictures, (n + 1) / 2 as red, green and blue, x to the right, y up, z to the camera, black where unknown"
)
NORMAL_MEDIA = ("rgb/1.png", "rgb/2.png", "normal/1.png", "normal/2.png")
NORMAL_SAMPLE: list[Record] = [
    {"image": f"rgb/{number}.png", "normal": f"normal/{number}.png"} for number in (1, 2)
]

for _name, (_dataset, _obtain, _size) in NORMAL_SETS.items():
    register(
        f"{_name}_normal_at",
        group="vqa",
        dataset=_dataset,
        stored=Lines(_name, "{split}.jsonl"),
        fields=NORMAL_FIELDS,
        form=NormalAt("normal_at"),
        obtain=f"{_obtain}, {NORMAL_OBTAIN}",
        size=_size,
        sample=NORMAL_SAMPLE,
        media=NORMAL_MEDIA,
    )
