"""Capabilities that make pictures: from words, in a hole of a picture, and out of another picture."""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from unified_io.api.dense import Dense
from unified_io.api.prompts import UNINFORMATIVE, wording
from unified_io.api.renderings import Picture
from unified_io.api.rows import line_up
from unified_io.api.scene import Scene
from unified_io.errors import ConfigError

Rank = Callable[[Float[np.ndarray, "h w 3"], str], float]
"""(picture, caption) -> how good it is; larger is better."""


class Pictures(Dense):
    """New pictures. A list in gives a list out."""

    def generate_image(
        self, caption: Any, *, rank: Rank | None = None, prompt: str | None = None, **options: Any
    ) -> Any:
        """Draws what a caption describes.

        Args:
          caption: What to draw.
          rank: Scores samples; without one the model itself says how likely the caption is, given the sample.
          prompt: Another template with the slot {caption}.
          options: As in `Options`: guidance 10 away from a picture of nothing in particular; with `samples` from 2 up
            the best of them is picked.

        Returns:
          `Picture`, as large as the model draws.
        """
        self.require("generate_image", ["text"], "image")
        if options.get("samples", 1) != 1 and rank is None:
            self.require("picking among samples (or give rank=, which)", ["text", "image"], "text")
        single, rows = line_up(caption=caption)
        captions = [one for (one,) in rows]
        fields = [
            self.read({"text": wording("generate_image", prompt, caption=one)}, "image") for one in captions
        ]
        made = self._make(fields, "image", options, guidance=10.0, negative_prompt=UNINFORMATIVE)
        if options.get("samples", 1) == 1:
            results = [Picture(pixels) for pixels in made]
        else:
            random = bool(options.get("allow_random", False))
            rank = rank or (lambda pixels, caption: self._likely(pixels, caption, random))
            results = [_pick(some, one, rank) for some, one in zip(made, captions, strict=True)]
        return results[0] if single else results

    def inpaint(
        self, image: Any, region: Any, content: Any = "", *, prompt: str | None = None, **options: Any
    ) -> Any:
        """Fills a region of a picture anew; the rest stays as it is.

        Args:
          image: A picture.
          region: A box (y1, x1, y2, x2) in pixels, or a mask bool [h, w], True where to fill.
          content: What to put there; "" leaves it to the model.
          prompt: Another template with the slots {box} and {content}.
          options: As in `Options`.

        Returns:
          `Picture` of the size of the one given.
        """
        self.require("inpaint", ["text", "image"], "image")
        region = region if isinstance(region, list) and isinstance(image, list) else np.asarray(region)
        single, rows = line_up(image=image, region=region, content=content)
        scenes = [self._scene(value) for value, _, _ in rows]
        holes = [_hole(scene, where) for scene, (_, where, _) in zip(scenes, rows, strict=True)]
        image_input = self._input("image")
        fields = []
        for scene, hole, (_, _, what) in zip(scenes, holes, rows, strict=True):
            text = wording("inpaint", prompt, box=scene.box_text(_around(hole)), content=what).strip()
            # Blanked as well as masked: a patch that only touches the hole is still seen.
            seen = {"text": text, "image": scene.pixels * ~hole[:, :, None]}
            fields.append({**self.read(seen, "image"), image_input.fields[1]: ~hole})
        squares = self._make_one(fields, "image", options)
        results = [
            Picture(np.where(hole[:, :, None], scene.undo(square), scene.pixels))
            for scene, hole, square in zip(scenes, holes, squares, strict=True)
        ]
        return results[0] if single else results

    def edit(self, image: Any, instruction: Any, *, prompt: str | None = None, **options: Any) -> Any:
        """Draws a picture anew as an instruction says.

        Args:
          image: A picture.
          instruction: What to change, e.g. "make it night".
          prompt: Another template with the slot {instruction}.
          options: As in `Options`.

        Returns:
          `Picture` of the size of the one given.
        """
        self.require("edit", ["text", "image"], "image")
        single, rows = line_up(image=image, instruction=instruction)
        scenes = [self._scene(value) for value, _ in rows]
        prompts = [wording("edit", prompt, instruction=words) for _, words in rows]
        results = [Picture(pixels) for pixels in self._paint(scenes, prompts, options)]
        return results[0] if single else results

    def _likely(self, pixels: np.ndarray, caption: str, allow_random: bool) -> float:
        seen = {"text": wording("caption_image"), "image": pixels}
        return float(self.score_batch([seen], [caption], allow_random=allow_random)[0, 0])


def _pick(samples: list[np.ndarray], caption: str, rank: Rank) -> Picture:
    scores = np.array([rank(pixels, caption) for pixels in samples], float)
    order = np.argsort(-scores, kind="stable")
    best, *others = (samples[i] for i in order)
    return Picture(best, tuple(others), tuple(scores[order].tolist()))


def _hole(scene: Scene, region: Any) -> Bool[np.ndarray, "h w"]:
    """The pixels to fill."""
    region = np.asarray(region)
    if region.ndim == 1:
        scene.box_text(region)
        return scene.box_mask(region.astype(np.float32))
    if region.dtype != bool or region.shape != scene.size:
        raise ConfigError(
            f"region is {region.dtype} {list(region.shape)}; give a box (y1, x1, y2, x2) in pixels or a bool mask "
            f"{list(scene.size)}"
        )
    if not region.any():
        raise ConfigError("the mask is nowhere True; there is nothing to fill")
    return region


def _around(mask: Bool[np.ndarray, "h w"]) -> Float[np.ndarray, "4"]:
    """The box around a mask: (y1, x1, y2, x2), pixels."""
    ys, xs = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return np.array([ys[0], xs[0], ys[-1] + 1, xs[-1] + 1], np.float32)
