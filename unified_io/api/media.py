"""What is looked at and listened to, as raw fields: of a video and of a long sound the last part and its history."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from unified_io.api.generating import Generating
from unified_io.api.prompts import wording
from unified_io.api.rows import line_up
from unified_io.api.scoring import Scoring
from unified_io.errors import ConfigError
from unified_io.preprocess import sound, video_file
from unified_io.preprocess import video as frames_of
from unified_io.preprocess.sources import is_source

OWN = "own"


class Media(Generating, Scoring):
    """Reads media for the capabilities."""

    def _asked(
        self,
        capability: str,
        prompt: str | None,
        *,
        image: Any = None,
        video: Any = None,
        audio: Any = None,
        **content: Any,
    ) -> tuple[bool, list[dict[str, Any]]]:
        """Lines up media with what goes into the prompt that asks for text about them.

        Returns:
          Whether a single thing is asked, and the raw fields of every row.
        """
        if image is None and video is None and audio is None:
            raise ConfigError(
                f"{capability} is about something seen or heard; give an image, a video or a sound"
            )
        single, rows = line_up(image=image, video=one_video(video), audio=audio, **content)
        fields = []
        for image, video, audio, *values in rows:
            text = wording(capability, prompt, **dict(zip(content, values, strict=True)))
            fields.append(self._look(capability, text, image, video, audio))
        return single, fields

    def read(self, inputs: Mapping[str, Any], output: str | None = None) -> dict[str, Any]:
        """As `Engine.read`; to a model without videos, it is its last frame as the image, earlier ones as history."""
        if any(m.name == "video" for m in self.config.inputs):
            return super().read(inputs, output)
        video = inputs.get("video")
        fields = super().read({name: value for name, value in inputs.items() if name != "video"}, output)
        return fields if video is None else fields | self._frames(video, inputs.get("image"))

    def _frames(self, video: Any, image: Any) -> dict[str, Any]:
        """The frames of a video as raw fields."""
        if image is not None:
            raise ConfigError("got an image and a video, whose last frame is its image; give one of them")
        if {"image", "image_history"} - {m.name for m in self.config.inputs}:
            raise ConfigError("this model reads no image_history, so it sees no video; give an image")
        history = self._input("image_history")
        earlier, last = frames_of.split(frames_of.read(one_video(video), history.max_items + 1))
        return {self._input("image").fields[0]: last, history.fields[0]: earlier}

    def _look(self, capability: str, text: str, image: Any, video: Any, audio: Any) -> dict[str, Any]:
        """Returns the raw fields of one row that asks for text."""
        needed = {
            "text": text,
            "image": image if video is None else video,
            "image_history": video,
            "audio": audio,
        }
        self.require(capability, [name for name, value in needed.items() if value is not None], "text")
        fields = self.read({"text": text, "image": image, "video": video}, "text")
        if isinstance(audio, str) and audio == OWN:
            audio = _own_sound(video)
        if audio is not None:
            frames = None if video is None else 1 + len(fields[self._input("image_history").fields[0]])
            fields |= self._segments(audio, frames)
        return fields

    def _segments(self, value: Any, parts: int | None) -> dict[str, Any]:
        """A sound as its last segment and those before it; with a video a segment is as long as a frame is shown."""
        audio = self._input("audio")
        waveform = sound.read(value, audio.mel.sample_rate)
        seconds = None if parts is None else len(waveform) / parts / audio.mel.sample_rate
        *earlier, last = audio.read_segments(waveform, seconds)
        fields = {audio.fields[0]: last}
        if earlier:
            self.require("a sound of several segments", ["audio_history"], "text")
            history = self._input("audio_history")
            fields[history.fields[0]] = earlier[-history.max_items :]
        return fields

    def _input(self, name: str) -> Any:
        """The input modality of a name, which the model is known to read."""
        return next(m for m in self.config.inputs if m.name == name)


def _own_sound(video: Any) -> Any:
    """The sound track of a video file; None where it has none."""
    if not is_source(video):
        raise ConfigError(
            f"audio={OWN!r} is the sound of a video file, and none was given; give the sound itself"
        )
    return video_file.read_sound(video)


def one_video(video: Any) -> Any:
    """Tells a list of frames from a list of videos: frames are Pillow images or arrays of at most three axes."""
    if isinstance(video, list) and video and all(_is_frame(item) for item in video):
        return tuple(video)
    return video


def _is_frame(item: Any) -> bool:
    return hasattr(item, "convert") or (isinstance(item, np.ndarray) and item.ndim <= 3)
