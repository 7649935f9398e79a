"""Capabilities that paint something over a picture: masks, depth, surface normals. Results have the picture's size."""

from typing import Any

import numpy as np
from jaxtyping import Float

from unified_io.api.options import running
from unified_io.api.prompts import wording
from unified_io.api.renderings import Depth, Masks, Normals
from unified_io.api.rows import line_up
from unified_io.api.scene import Scene
from unified_io.api.vision import Vision
from unified_io.errors import ConfigError
from unified_io.preprocess import maps

THING = "object"


class Dense(Vision):
    """Something for every pixel. A list in gives a list out."""

    def segment_box(
        self, image: Any, boxes: Any, category: Any = THING, *, prompt: str | None = None, **options: Any
    ) -> Any:
        """Cuts out what is in a box, or in each of several.

        Args:
          image: A picture.
          boxes: (y1, x1, y2, x2) in pixels of the picture, [4] or [n, 4]. For a list of pictures a list of them.
          category: What is in them, if it is known.
          prompt: Another template with the slots {category} and {box}.
          options: As in `Options`; temperature 0.9, top-p 0.95.

        Returns:
          `Masks`, one a box.
        """
        self.require("segment_box", ["text", "image"], "image")
        single, rows = line_up(
            image=image, boxes=boxes if isinstance(image, list) else np.asarray(boxes), category=category
        )
        scenes = [self._scene(value) for value, _, _ in rows]
        given = [np.asarray(some, np.float32).reshape(-1, 4) for _, some, _ in rows]
        return self._segmented(single, scenes, given, [name for _, _, name in rows], prompt, options)

    def segment_class(
        self, image: Any, category: Any, *, threshold: float = 0.3, prompt: str | None = None, **options: Any
    ) -> Any:
        """Finds everything of a category and cuts each one out.

        Args:
          image: A picture.
          category: What to look for.
          threshold: As in `localize`.
          prompt: Another template for the masks, with the slots {category} and {box}.
          options: As in `Options`, for the masks; temperature 0.9, top-p 0.95.

        Returns:
          `Masks`, one a thing that was found.
        """
        self.require("segment_class", ["text", "image"], "image")
        single, rows = line_up(image=image, category=category)
        names = [name for _, name in rows]
        images = [value for value, _ in rows]
        found = self.localize(images, names, threshold=threshold, **running(options))
        scenes = [self._scene(value) for value in images]
        return self._segmented(single, scenes, [x.boxes for x in found], names, prompt, options)

    def depth(self, image: Any, *, max_depth: float = 10.0, prompt: str | None = None, **options: Any) -> Any:
        """Estimates how far away everything is.

        Args:
          image: A picture.
          max_depth: What white stands for, metres; 10 indoors.
          prompt: Another wording.
          options: As in `Options`; temperature 0.9, top-p 0.9.

        Returns:
          `Depth`.
        """
        if not 0 < max_depth < np.inf:
            raise ConfigError(f"max_depth {max_depth} is not a number of metres above 0")
        single, painted = self._painted("depth", image, prompt, options)
        results = [Depth(maps.pixels_to_depth(x, max_depth)) for x in painted]
        return results[0] if single else results

    def surface_normals(self, image: Any, *, prompt: str | None = None, **options: Any) -> Any:
        """Estimates which way every surface faces.

        Args:
          image: A picture.
          prompt: Another wording.
          options: As in `Options`; temperature 0.9, top-p 0.9.

        Returns:
          `Normals`.
        """
        single, painted = self._painted("surface_normals", image, prompt, options)
        results = [Normals(maps.pixels_to_normals(x)) for x in painted]
        return results[0] if single else results

    def _painted(
        self, capability: str, image: Any, prompt: str | None, options: dict[str, Any]
    ) -> tuple[bool, list[Float[np.ndarray, "h w 3"]]]:
        self.require(capability, ["text", "image"], "image")
        single, rows = line_up(image=image)
        scenes = [self._scene(value) for (value,) in rows]
        texts = [wording(capability, prompt)] * len(rows)
        return single, self._paint(scenes, texts, options, temperature=0.9, top_p=0.9)

    def _paint(
        self, scenes: list[Scene], prompts: list[str], options: dict[str, Any], **defaults: Any
    ) -> list[Float[np.ndarray, "h w 3"]]:
        """Paints a picture of each scene's size."""
        fields = [
            self.read({"text": p, "image": s.pixels}, "image") for p, s in zip(prompts, scenes, strict=True)
        ]
        squares = self._make_one(fields, "image", options, **defaults)
        return [scene.undo(square) for scene, square in zip(scenes, squares, strict=True)]

    def _segmented(
        self,
        single: bool,
        scenes: list[Scene],
        boxes: list[np.ndarray],
        names: list[str],
        prompt: str | None,
        options: dict[str, Any],
    ) -> Any:
        places = [(i, box) for i, some in enumerate(boxes) for box in some]
        prompts = [
            wording("segment", prompt, category=names[i], box=scenes[i].box_text(box)) for i, box in places
        ]
        painted = self._paint([scenes[i] for i, _ in places], prompts, options, temperature=0.9, top_p=0.95)
        results = []
        for i, scene in enumerate(scenes):
            masks = [maps.pixels_to_mask(x) for x, (j, _) in zip(painted, places, strict=True) if i == j]
            shape = (len(masks), *scene.size)
            results.append(
                Masks(np.array(masks, bool).reshape(shape), boxes[i], (str(names[i]),) * len(masks))
            )
        return results[0] if single else results
