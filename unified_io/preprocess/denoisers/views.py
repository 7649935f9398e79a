"""Views of one scene: part of one is hidden and restored with the help of the others (cross-view completion)."""

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Float

from unified_io.errors import DataError
from unified_io.preprocess.denoisers.objective import Choice, Objective
from unified_io.preprocess.denoisers.parts import Parts, history_of, picture

IMAGE = "image"


@dataclasses.dataclass(frozen=True, eq=False)
class Views:
    """Pictures of one scene from several places, two or more."""

    images: tuple[Float[np.ndarray, "h w 3"], ...]

    def __post_init__(self):
        images = tuple(picture(image) for image in self.images)
        if len(images) < 2 or any(image is None for image in images):
            raise DataError(f"{len(images)} views, or one without pixels; give two or more pictures")
        object.__setattr__(self, "images", images)


def sample(views: Views, objective: Objective, seed: int | np.random.Generator) -> dict[str, Any]:
    """Draws the view to restore; the others are its history.

        inputs    [Image] [R] with part of one view, and the other views as history
        targets   that view, whole

    Args:
      views: The record.
      objective: Says how much of a picture is hidden.
      seed: The same seed gives the same example.

    Raises:
      DataError: There are more views than the model takes, or they are too small to hide part of.
    """
    rng = np.random.default_rng(seed)
    if len(views.images) > objective.history + 1:
        raise DataError(
            f"{len(views.images)} views; give at most {objective.history + 1}, those the model takes"
        )
    index = int(rng.integers(len(views.images)))
    others = [image for place, image in enumerate(views.images) if place != index]
    parts = Parts(media={IMAGE: views.images[index]}, history={IMAGE: others})
    return objective.make(parts, Choice(IMAGE, "R", frozenset({history_of(IMAGE)})), rng)
