"""Interleaved captions: several pictures with a caption each, one or all of which are asked for."""

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Float

from unified_io.errors import DataError
from unified_io.preprocess.denoisers.chances import draw
from unified_io.preprocess.denoisers.objective import Choice, Objective
from unified_io.preprocess.denoisers.parts import CONTEXT, TEXT, Mark, Parts, history_of, picture
from unified_io.preprocess.denoisers.text import Words

IMAGE = "image"


@dataclasses.dataclass(frozen=True, eq=False)
class Captions:
    """Pictures that need not belong together, and what each of them shows."""

    images: tuple[Float[np.ndarray, "h w 3"], ...]
    captions: tuple[str, ...]

    def __post_init__(self):
        images = tuple(picture(image) for image in self.images)
        object.__setattr__(self, "images", images)
        if len(images) != len(self.captions) or len(images) < 2:
            raise DataError(
                f"{len(images)} pictures and {len(self.captions)} captions; give two or more pictures with a caption "
                "each; a single one is a Clip"
            )
        if any(image is None for image in images) or not all(caption.strip() for caption in self.captions):
            raise DataError(
                "a picture has no pixels or a caption no words; leave out both it and its partner"
            )


def sample(captions: Captions, objective: Objective, seed: int | np.random.Generator) -> dict[str, Any]:
    """Draws one of three ways to ask for captions. All pictures are given, the last one as the current one.

        denoise   [Text] [R] <image_history_1> a <extra_id_0> runs     <extra_id_0> dog
        one       [Text] [S] <image_history_1>                         a dog runs
        all       [Text] [S]                                           <image_history_1> a dog runs <image_input> a cat

    Args:
      captions: The record.
      objective: What is asked, and how often each way.
      seed: The same seed gives the same example.

    Raises:
      DataError: There are more pictures than the model takes, or no way to ask for their captions.
    """
    rng = np.random.default_rng(seed)
    *earlier, current = captions.images
    if len(earlier) > objective.history:
        raise DataError(
            f"{len(captions.images)} captioned pictures; give at most {objective.history + 1}, those the model takes"
        )
    marks = [*(Mark(IMAGE, place) for place in range(1, len(captions.images))), Mark(IMAGE)]
    room = objective.text.room // len(marks) - 1
    texts = [objective.text.cut(caption, room) for caption in captions.captions]
    long = [index for index, words in enumerate(texts) if _can_hide(words, objective)]
    weights = {way: w for way, w in objective.interleaved.items() if w > 0 and (way != "denoise" or long)}
    if not weights:
        raise DataError(
            f"no caption has {objective.text.short} tokens to hide some of, and no other way is allowed"
        )
    way = draw(weights, rng)
    pictures, given = Parts(media={IMAGE: current}, history={IMAGE: earlier}), {IMAGE, history_of(IMAGE)}
    if way == "all":
        parts = dataclasses.replace(
            pictures, text=tuple(u for pair in zip(marks, texts, strict=True) for u in (pair[0], *pair[1]))
        )
        return objective.make(parts, Choice(TEXT, "S", frozenset(given)), rng)
    index = int(rng.choice(long if way == "denoise" else len(texts)))
    parts = dataclasses.replace(pictures, text=texts[index], context=(marks[index],))
    paradigm = "R" if way == "denoise" else "S"
    return objective.make(parts, Choice(TEXT, paradigm, frozenset({CONTEXT, *given})), rng)


def _can_hide(words: Words, objective: Objective) -> bool:
    return len(words) > 1 and sum(word.size for word in words) >= objective.text.short
