"""Format 13: things in space, as cuboids in the camera's frame."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from data_tasks.formats.base import Fields, Format, Raw, judged, window
from data_tasks.formats.medium import read, seen, told
from data_tasks.formats.shown import plain
from unified_io.cuboids import cuboids_to_text, text_to_cuboids, writable
from unified_io.errors import DataError
from unified_io.evaluation.cuboids import AP3D, AP3D_15, AP3D_25, AP3D_50
from unified_io.evaluation.metric import Metric
from unified_io.preprocess.window import Window


@dataclasses.dataclass(frozen=True)
class FindCuboids(Format):
    """Finds things in space: twelve location tokens and the name of each (`unified_io.cuboids`), in random order.

    Those out of the ranges that can be written, and those whose centre is cropped away, are left out. Predictions and
    truths are `{"center", "dims", "rotation", "name"}`, one a thing, in metres.
    """

    @property
    def reads(self) -> tuple[str, ...]:
        return *read(("image",)), "cuboids", "intrinsics"

    @property
    def writes(self) -> tuple[str, ...]:
        return told(("image",))

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return AP3D, AP3D_15, AP3D_25, AP3D_50

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        through = window(raw, rng)
        intrinsics = of_square(raw["intrinsics"], through)
        centers, dims, rotations = (_stacked(raw, *field) for field in _SHAPES)
        kept = np.flatnonzero(writable(centers, dims, intrinsics))
        if not len(kept):
            raise DataError(f"none of {len(centers)} cuboids is to be seen: cropped away, or out of range")
        if raw.get("training", True):
            kept = rng.permutation(kept)
        names = [plain(raw["cuboids"][i]["name"]) for i in kept]
        centers, dims, rotations = centers[kept], dims[kept], rotations[kept]
        texts = {
            "text_inputs": self.ask(raw, rng),
            "text_targets": cuboids_to_text(centers, dims, rotations, intrinsics, names),
        }
        truth = {"intrinsics": intrinsics, "cuboids": _described(centers, dims, rotations, names)}
        return judged(raw, truth) | seen(raw, ("image",), rng, through) | texts

    def parse(self, answer: str, example: Mapping[str, Any]) -> list[dict[str, Any]]:
        intrinsics = np.array(super().truth(example)["intrinsics"])
        found = text_to_cuboids(answer, intrinsics)
        return _described(found.centers, found.dims, found.rotations, [plain(name) for name in found.labels])

    def truth(self, example: Mapping[str, Any]) -> list[dict[str, Any]]:
        return super().truth(example)["cuboids"]


def of_square(intrinsics: Float[np.ndarray, "3 3"], through: Window) -> Float[np.ndarray, "3 3"]:
    """Takes intrinsics in pixels of the picture to those of a window, its side being 1.

    Raises:
      DataError: They are no intrinsics of a camera.
    """
    if np.shape(intrinsics) != (3, 3) or not np.diag(intrinsics).min() > 0:
        raise DataError(
            f"field intrinsics is {np.round(intrinsics, 3).tolist()}, wanted a 3x3 matrix in pixels"
        )
    to_square = np.array([[1, 0, -through.left], [0, 1, -through.top], [0, 0, through.side]]) / through.side
    return to_square @ np.asarray(intrinsics, np.float64)


_SHAPES = (("center", (3,)), ("dims", (3,)), ("rotation", (3, 3)))


def _stacked(raw: Raw, key: str, shape: tuple[int, ...]) -> np.ndarray:
    try:
        values = [np.reshape(np.asarray(cuboid[key], np.float64), shape) for cuboid in raw["cuboids"]]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"a cuboid's {key} is missing or not {list(shape)} numbers ({error})") from error
    return np.reshape(values, (-1, *shape))


def _described(
    centers: np.ndarray, dims: np.ndarray, rotations: np.ndarray, names: list[str]
) -> list[dict[str, Any]]:
    return [
        {"center": center.tolist(), "dims": dim.tolist(), "rotation": rotation.tolist(), "name": name}
        for center, dim, rotation, name in zip(centers, dims, rotations, names, strict=True)
    ]
