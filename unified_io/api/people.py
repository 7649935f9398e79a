"""The capability that says where the parts of people are: keypoints."""

from typing import Any

import numpy as np
from jaxtyping import Float

from unified_io.api import forms
from unified_io.api.options import running
from unified_io.api.prompts import wording
from unified_io.api.results import Keypoints
from unified_io.api.rows import line_up
from unified_io.api.scene import Scene
from unified_io.api.vision import Vision
from unified_io.errors import ConfigError
from unified_io.structures import COCO_PARTS, fill_missing, text_to_keypoints

LENGTH = 128
PERSON = "person"
THRESHOLD = 0.5


class People(Vision):
    """Keypoints."""

    def keypoints(
        self,
        image: Any,
        boxes: Any = None,
        *,
        forced: bool = True,
        prompt: str | None = None,
        **options: Any,
    ) -> Any:
        """Finds 17 body parts of every person.

        Args:
          image: A picture.
          boxes: The people, (y1, x1, y2, x2) in pixels [4] or [n, 4]; unless given, they are localised first.
          forced: Have a point for every part, as the released evaluation does. Otherwise the model may leave parts
            out, and they count as not visible.
          prompt: Another template with the slot {box}.
          options: As in `Options`; 128 tokens, greedy.

        Returns:
          `Keypoints`.
        """
        form, length = forms.body_parts(self._vocabulary("keypoints"))
        longest = self.config.target("text").length
        if forced and length > longest:
            raise ConfigError(
                f"all body parts take {length} tokens but this model writes {longest}; give forced=False"
            )
        single, scenes, given = self._placed(image, boxes, options)
        places = [(i, box) for i, people in enumerate(given) for box in people]
        texts = self._write(
            [scenes[i] for i, _ in places],
            [wording("keypoints", prompt, box=scenes[i].box_text(box)) for i, box in places],
            options,
            constraint=form if forced else None,
            max_length=length if forced else LENGTH,
        )
        found = [
            self._people(scene, people, [t for t, (j, _) in zip(texts, places, strict=True) if i == j])
            for i, (scene, people) in enumerate(zip(scenes, given, strict=True))
        ]
        return found[0] if single else found

    def _placed(
        self, image: Any, boxes: Any, options: dict[str, Any]
    ) -> tuple[bool, list[Scene], list[np.ndarray]]:
        """Pictures with the people that were given for them, or else are found."""
        if boxes is None:
            found = self.localize(image, PERSON, threshold=THRESHOLD, **running(options))
            boxes = [x.boxes for x in found] if isinstance(image, list) else found.boxes
        single, rows = line_up(image=image, boxes=boxes if isinstance(image, list) else np.asarray(boxes))
        given = [np.asarray(some, np.float32).reshape(-1, forms.BOX) for _, some in rows]
        return single, [self._scene(value) for value, _ in rows], given

    def _people(self, scene: Scene, boxes: Float[np.ndarray, "n 4"], texts: list[str]) -> Keypoints:
        read = [text_to_keypoints(text) for text in texts]
        visible = np.array([x.visible for x in read], bool).reshape(-1, len(COCO_PARTS))
        points = np.array(
            [fill_missing(scene.inside.to_source(x.points), x.visible) for x in read], np.float32
        )
        return Keypoints(points.reshape(*visible.shape, 2), visible, boxes, COCO_PARTS)
