"""Videos and pairs: up to five segments of frame, sound and words. One segment is a captioned picture, or a text."""

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Float

from unified_io.errors import DataError
from unified_io.preprocess.denoisers.objective import Objective
from unified_io.preprocess.denoisers.parts import Mark, Parts, Unit, picture, spectrogram

MEDIA = ("image", "audio")


@dataclasses.dataclass(frozen=True, eq=False)
class Segment:
    """A stretch of time. What is empty, None or exact silence is absent.

    Attributes:
      words: What is said or written of it.
      image: Its frame.
      audio: Its sound, as a log-mel.
    """

    words: str = ""
    image: Float[np.ndarray, "h w 3"] | None = None
    audio: Float[np.ndarray, "frames mels"] | None = None

    def __post_init__(self):
        object.__setattr__(self, "image", picture(self.image))
        object.__setattr__(self, "audio", spectrogram(self.audio))


@dataclasses.dataclass(frozen=True, eq=False)
class Clip:
    """Consecutive segments; the last one is the current one, the others are history.

    Attributes:
      segments: At least one.
      caption: Words about all of it, which belong to no segment; they are used whole and have no marker.
    """

    segments: tuple[Segment, ...]
    caption: str = ""

    def __post_init__(self):
        if not self.segments:
            raise DataError("a clip has no segments; give at least one")


def sample(clip: Clip, objective: Objective, seed: int | np.random.Generator) -> dict[str, Any]:
    """Draws what to ask of a clip: its words, its last frame or its last sound.

        segments  frame, "a dog runs" | frame, "it jumps"
        inputs    [Image] [R] <image_history_1> a dog runs <image_input> it jumps
                  (the first frame as history, part of the second one as input)
        targets   the second frame

    Args:
      clip: The record.
      objective: What is asked, and how often.
      seed: The same seed gives the same example.

    Raises:
      DataError: It has more segments than the model takes, or holds nothing that could be asked for.
    """
    rng = np.random.default_rng(seed)
    return objective.sample(_parts(clip, objective, rng), rng)


def _parts(clip: Clip, objective: Objective, rng: np.random.Generator) -> Parts:
    *earlier, current = clip.segments
    if len(earlier) > objective.history:
        raise DataError(
            f"a clip of {len(clip.segments)} segments; give at most {objective.history + 1}, those the model takes"
        )
    media = {name: getattr(current, name) for name in MEDIA if getattr(current, name) is not None}
    frames = {name: [getattr(segment, name) for segment in earlier] for name in MEDIA}
    history = {name: [x for x in found if x is not None] for name, found in frames.items()}
    alone = not media and not any(history.values())
    return Parts(_text(clip, objective, rng.random() if alone else 0.0), media=media, history=history)


def _text(clip: Clip, objective: Objective, at: float) -> tuple[Unit, ...]:
    """The caption, then the words of every segment behind the marks of its frame and its sound."""
    texts = [text for text in (clip.caption, *(segment.words for segment in clip.segments)) if text.strip()]
    marks = _marks(clip.segments) if len(clip.segments) > 1 else [[]]
    room = (objective.text.room - sum(map(len, marks))) // max(1, len(texts))
    units: list[Unit] = [*objective.text.cut(clip.caption, room, at=at)]
    for segment, named in zip(clip.segments, marks, strict=True):
        words = objective.text.cut(segment.words, room, at=at)
        units += [*named, *words] if words else []
    return tuple(units)


def _marks(segments: tuple[Segment, ...]) -> list[list[Mark]]:
    """The marks of every segment; history counts what there is, the last segment is the current one."""
    counts = dict.fromkeys(MEDIA, 0)
    marks: list[list[Mark]] = []
    for segment in segments:
        present = [name for name in MEDIA if getattr(segment, name) is not None]
        for name in present:
            counts[name] += 1
        marks.append([Mark(name, 0 if segment is segments[-1] else counts[name]) for name in present])
    return marks
