"""Formats judged by an eye for the toy world: does a drawn picture show what its caption tells?"""

import colorsys
import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from data_tasks.formats.draw import Draw
from data_tasks.toy.captions import facts
from data_tasks.toy.scene import COLOURS
from unified_io.evaluation.metric import Mean, Metric

_HUES = {word: colorsys.rgb_to_hsv(*rgb)[0] for word, rgb in COLOURS.items() if word != "white"}
# Light and shade change neither hue nor saturation; floors and walls are duller than any thing, and darker than white.
_VIVID, _BRIGHT, _WHITE = 0.62, 0.12, 0.84
_LEAST = 0.004  # part of the picture that a colour must fill


def colours_seen(picture: Float[np.ndarray, "h w 3"]) -> set[str]:
    """Returns the names of the colours that things in a picture have."""
    high, low = picture.max(axis=2), picture.min(axis=2)
    vivid = (high - low > _VIVID * high) & (high > _BRIGHT)
    hues = np.array([colorsys.rgb_to_hsv(*map(float, pixel))[0] for pixel in picture[vivid]])
    names = np.array([*_HUES])
    away = np.abs(hues[:, None] - np.array([*_HUES.values()])[None])
    nearest = names[np.minimum(away, 1.0 - away).argmin(axis=1)] if len(hues) else np.array([], str)
    least = _LEAST * high.size
    found = {str(name) for name in names if (nearest == name).sum() >= least}
    return found | ({"white"} if (low > _WHITE).sum() >= least else set())


def colours_agree(picture: Float[np.ndarray, "h w 3"], truth: Mapping[str, Any]) -> float:
    """Returns the F1 of the colours that are seen in a picture against those that its caption tells of."""
    told = {colour for colour, _ in facts(truth["caption"])}
    seen = colours_seen(picture)
    return 2.0 * len(told & seen) / (len(told) + len(seen)) if told or seen else 1.0


COLOURS_SEEN = Mean("colours_seen", each=colours_agree)


@dataclasses.dataclass(frozen=True)
class DrawTold(Draw):
    """Adds the eye to `Draw`: no caption tells where a thing stands, so pixels alone say little."""

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return COLOURS_SEEN, *(dataclasses.replace(one, each=_Picture(one.each)) for one in super().metrics)

    def truth(self, example: Mapping[str, Any]) -> dict[str, Any]:
        return {"caption": json.loads(example["meta/truth"]), "picture": super().truth(example)}


@dataclasses.dataclass(frozen=True)
class _Picture:
    """Judges by the true picture."""

    each: Any

    def __call__(self, made: Any, truth: Mapping[str, Any]) -> float:
        return self.each(made, truth["picture"])
