"""A few outputs as pictures, to look at while the model trains."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from data_tasks.digits import strokes, words
from unified_io.api import UnifiedIO
from unified_io.model import UnifiedIOConfig


def draw_samples(config: UnifiedIOConfig, params: Any) -> Mapping[str, np.ndarray]:
    """Draws every digit once as a picture and once as an action, asked for in a validation wording.

    Returns:
      Two strips of ten tiles: uint8 [size, 10 size, 3].
    """
    model = UnifiedIO(config, params)
    named = [words.TEMPLATES["validation"][0].format(word=word) for word in words.WORDS]
    pictures = model.generate_batch([{"text": f"draw {name}"} for name in named], "image")
    actions = model.generate_batch([{"text": f"write {name}"} for name in named], "action")
    size = pictures[0].shape[0]
    pens = [np.repeat(strokes.render(points, size)[:, :, None], 3, axis=2) for points in actions]
    return {"text_to_image": _strip(pictures), "text_to_action": _strip(pens)}


def _strip(tiles: list[np.ndarray]) -> np.ndarray:
    return (np.concatenate(tiles, axis=1).clip(0, 1) * 255).astype(np.uint8)
