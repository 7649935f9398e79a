"""Capabilities that say where things are in a picture: boxes."""

from typing import Any

import numpy as np

from unified_io.api import forms
from unified_io.api.media import Media
from unified_io.api.prompts import wording
from unified_io.api.results import Detections
from unified_io.api.rows import line_up
from unified_io.api.scene import Scene
from unified_io.errors import ConfigError
from unified_io.evaluation.boxes import keep_first
from unified_io.structures import text_to_boxes

LENGTH = 256
OVERLAP = 0.8


class Vision(Media):
    """Boxes. Coordinates are pixels of the picture that was given, y before x; a list in, a list out."""

    def localize(
        self,
        image: Any,
        category: Any,
        *,
        threshold: float = 0.3,
        overlap: float = OVERLAP,
        prompt: str | None = None,
        **options: Any,
    ) -> Any:
        """Finds everything of a category.

        Args:
          image: A picture.
          category: What to look for.
          threshold: Go on with another box as long as the model is surer than this that one follows.
          overlap: Of two boxes that overlap by more than this (IoU) only the earlier is kept.
          prompt: Another template with the slot {category}.
          options: As in `Options`; 256 tokens, greedy.

        Returns:
          `Detections`, all labelled with the category.
        """
        form = forms.boxes(self._vocabulary("localize"), threshold)
        single, rows = line_up(image=image, category=category)
        scenes = [self._scene(value) for value, _ in rows]
        prompts = [wording("localize", prompt, category=name) for _, name in rows]
        found = self._boxes(scenes, prompts, form, overlap, options)
        named = [
            Detections(x.boxes, (str(name),) * len(x), x.skipped)
            for x, (_, name) in zip(found, rows, strict=True)
        ]
        return named[0] if single else named

    def detect(
        self,
        image: Any,
        *,
        threshold: float = 0.5,
        overlap: float = OVERLAP,
        prompt: str | None = None,
        **options: Any,
    ) -> Any:
        """Finds every object and names it.

        Args:
          image: A picture.
          threshold: Go on with another box as long as the model is surer than this that one follows.
          overlap: Of two boxes that overlap by more than this (IoU) only the earlier is kept.
          prompt: Another wording.
          options: As in `Options`; 256 tokens, greedy.

        Returns:
          `Detections`.
        """
        form = forms.labelled_boxes(self._vocabulary("detect"), threshold)
        single, rows = line_up(image=image)
        scenes = [self._scene(value) for (value,) in rows]
        found = self._boxes(scenes, [wording("detect", prompt)] * len(rows), form, overlap, options)
        return found[0] if single else found

    def refer(self, image: Any, expression: Any, *, prompt: str | None = None, **options: Any) -> Any:
        """Finds the one thing that words describe.

        Args:
          image: A picture.
          expression: The words, e.g. "the dog behind the fence".
          prompt: Another template with the slot {expression}.
          options: As in `Options`; greedy.

        Returns:
          `Detections` with one box as the model wrote it, labelled with the expression.
        """
        form = forms.one_box(self._vocabulary("refer"))
        single, rows = line_up(image=image, expression=expression)
        scenes = [self._scene(value) for value, _ in rows]
        prompts = [wording("refer", prompt, expression=words) for _, words in rows]
        texts = self._write(scenes, prompts, options, constraint=form, max_length=forms.BOX + 1)
        found = [
            Detections(scene.inside.to_source(text_to_boxes(text).boxes), (str(words),))
            for scene, text, (_, words) in zip(scenes, texts, rows, strict=True)
        ]
        return found[0] if single else found

    def boxes_in(self, text: str, image: Any) -> Detections:
        """Reads the boxes that a text about a picture names, each with the words behind it.

        Args:
          text: What the model wrote.
          image: The picture.
        """
        return _readable(self._scene(image), text, 1.0)

    def _boxes(
        self, scenes: list[Scene], prompts: list[str], form: Any, overlap: float, options: dict[str, Any]
    ) -> list[Detections]:
        texts = self._write(scenes, prompts, options, constraint=form, max_length=LENGTH)
        return [_readable(scene, text, overlap) for scene, text in zip(scenes, texts, strict=True)]

    def _write(
        self, scenes: list[Scene], prompts: list[str], options: dict[str, Any], **defaults: Any
    ) -> list[str]:
        fields = [
            self.read({"text": p, "image": s.pixels}, "text") for p, s in zip(prompts, scenes, strict=True)
        ]
        return self._make_one(fields, "text", options, temperature=0.0, **defaults)

    @property
    def places_things(self) -> bool:
        """Whether the model writes places in the pictures it is given."""
        return any(m.name == "image" and hasattr(m, "placement") for m in self.config.inputs)

    def _scene(self, image: Any) -> Scene:
        modality = self._input("image")
        if not self.places_things:
            raise ConfigError(
                "this model does not know where in a picture things are; ask it in words: generate, vqa"
            )
        return Scene.read(image, modality)

    def _vocabulary(self, capability: str) -> Any:
        self.require(capability, ["text", "image"], "text")
        return self.config.target("text").vocabulary


def _readable(scene: Scene, text: str, overlap: float) -> Detections:
    """The boxes of a text that have an area in the picture and do not repeat an earlier one."""
    boxes, labels, skipped = text_to_boxes(text)
    boxes = scene.inside.to_source(boxes)
    real = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
    skipped += [f"a box without area {labels[i]!r}" for i in np.flatnonzero(~real)]
    kept = np.flatnonzero(real)
    kept = kept[keep_first(boxes[kept], overlap)]
    return Detections(boxes[kept], tuple(labels[i] for i in kept), tuple(skipped))
