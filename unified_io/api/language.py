"""Capabilities that answer in words."""

from typing import Any, Literal

import numpy as np

from unified_io.api.media import Media, one_video
from unified_io.api.prompts import wording
from unified_io.api.results import Ranked
from unified_io.api.rows import line_up
from unified_io.api.scene import Scene

GREEDY = {"temperature": 0.0}


class Language(Media):
    """Text about anything that the model reads.

    Everywhere a list in gives a list out: a list holds one thing a row, what is no list is the same for all rows. One
    video is a path, an array [n, h, w, 3], or a list or tuple of frames (arrays or Pillow images). Of a long
    video as many frames are seen as the model remembers, of a long sound as many segments, the last ones.
    """

    def generate_text(
        self,
        text: str | list[str],
        *,
        image: Any = None,
        video: Any = None,
        audio: Any = None,
        prompt: str | None = None,
        **options: Any,
    ) -> Any:
        """Writes text as a prompt asks for it.

        Args:
          text: What to ask.
          image: A picture to look at.
          video: Or a video.
          audio: A sound to hear; a long one is heard in segments.
          prompt: Another template with the slot {text}.
          options: As in `Options`.
        """
        single, rows = line_up(text=text, image=image, video=one_video(video), audio=audio)
        fields = [
            self._look("generate_text", wording("generate_text", prompt, text=one), *media)
            for one, *media in rows
        ]
        return _out(single, self._make(fields, "text", options))

    def vqa(
        self,
        question: str | list[str],
        *,
        image: Any = None,
        video: Any = None,
        audio: Any = None,
        prompt: str | None = None,
        **options: Any,
    ) -> Any:
        """Answers a question about a picture, a video or a sound in a few words.

        Args:
          question: The question.
          image: A picture.
          video: Or a video.
          audio: Or, or with it, a sound.
          prompt: Another template with the slot {question}.
          options: As in `Options`; 32 tokens, greedy.
        """
        media = {"image": image, "video": video, "audio": audio}
        single, fields = self._asked("vqa", prompt, **media, question=question)
        return _out(single, self._make(fields, "text", options, max_length=32, **GREEDY))

    def caption_image(self, image: Any, *, prompt: str | None = None, **options: Any) -> Any:
        """Describes a picture; 64 tokens, greedy."""
        single, fields = self._asked("caption_image", prompt, image=image)
        return _out(single, self._make(fields, "text", options, max_length=64, **GREEDY))

    def caption_video(
        self, video: Any, *, audio: Any = None, prompt: str | None = None, **options: Any
    ) -> Any:
        """Describes a video; 64 tokens, greedy.

        Args:
          video: The video.
          audio: Its sound; "own" is that of the file that `video` is.
          prompt: Another wording.
          options: As in `Options`.
        """
        single, fields = self._asked("caption_video", prompt, video=video, audio=audio)
        return _out(single, self._make(fields, "text", options, max_length=64, **GREEDY))

    def caption_audio(self, audio: Any, *, prompt: str | None = None, **options: Any) -> Any:
        """Describes a sound; 64 tokens, greedy."""
        single, fields = self._asked("caption_audio", prompt, audio=audio)
        return _out(single, self._make(fields, "text", options, max_length=64, **GREEDY))

    def tag_video(self, video: Any, *, prompt: str | None = None, **options: Any) -> Any:
        """Names the action in a video; 16 tokens, greedy. For a closed set of actions there is `categorize`."""
        single, fields = self._asked("tag_video", prompt, video=video)
        return _out(single, self._make(fields, "text", options, max_length=16, **GREEDY))

    def categorize(
        self,
        choices: list[str] | tuple[str, ...],
        *,
        image: Any = None,
        video: Any = None,
        audio: Any = None,
        prompt: str | None = None,
        by: Literal["mean", "sum"] = "mean",
        **options: Any,
    ) -> Any:
        """Ranks the categories of a closed set by how likely the model is to write them.

        Args:
          choices: The categories, the same for all rows; one that is given twice counts once.
          image: A picture.
          video: Or a video.
          audio: Or, or with it, a sound.
          prompt: Another wording of the question.
          by: "mean" is the mean log-probability of a token, "sum" that of the whole answer, which prefers short ones.
          options: `batch_size`, `progress` and `allow_random`, as in `Options`.

        Returns:
          `Ranked`, the best category first.

        Source: the released PyTorch port takes the mean, the JAX code the sum.
        """
        single, fields = self._asked("categorize", prompt, image=image, video=video, audio=audio)
        return _out(single, self._ranked(fields, choices, by=by, **options))

    def classify_region(
        self,
        image: Any,
        box: Any,
        choices: list[str] | tuple[str, ...],
        *,
        prompt: str | None = None,
        by: Literal["mean", "sum"] = "mean",
        **options: Any,
    ) -> Any:
        """Ranks the categories of a closed set for what is in a box.

        Args:
          image: A picture.
          box: (y1, x1, y2, x2) in pixels of the picture, or several of them [n, 4], one a row.
          choices: The categories.
          prompt: Another template with the slot {box}.
          by: As in `categorize`.
          options: `batch_size`, `progress` and `allow_random`, as in `Options`.
        """
        self.require("classify_region", ["text", "image"], "text")
        boxes = np.asarray(box, np.float32)
        single, rows = line_up(image=image, box=boxes if boxes.ndim == 1 else list(boxes))
        fields = []
        for value, one in rows:
            scene = Scene.read(value, self._input("image"))
            text = wording("classify_region", prompt, box=scene.box_text(one))
            fields.append(self.read({"text": text, "image": scene.pixels}, "text"))
        return _out(single, self._ranked(fields, choices, by=by, **options))

    def _ranked(self, fields: list[dict[str, Any]], choices: Any, **scoring: Any) -> list[Ranked]:
        unique = list(dict.fromkeys(choices)) if not isinstance(choices, str) else choices
        ranked = []
        for scores in self.score_fields(fields, unique, **scoring):
            order = np.argsort(-scores, kind="stable")
            ranked.append(Ranked(tuple(unique[i] for i in order), scores[order]))
        return ranked


def _out(single: bool, results: list[Any]) -> Any:
    return results[0] if single else results
