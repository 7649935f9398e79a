"""What makes frames and sounds of a part of a video file: a clip, cut in equal parts. Knows no dataset."""

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Float

from data_tasks.sources.media import content
from data_tasks.sources.stored import Context, Record, find
from unified_io.errors import DataError
from unified_io.mel import log_mel
from unified_io.preprocess import image_ops, sound, video, video_file
from unified_io.preprocess.sources import is_source

_SHORT_SIDE = 512  # pixels; frames are stored no larger


@dataclasses.dataclass(frozen=True)
class Frames:
    """Reads the frames of a video: one of each of as many equal parts as `Reading.frames`, in order of time.

    The middle one in evaluation, a random one in training.

    Attributes:
      path: Where its bytes, its array or list of pictures, or the name of its file is in a record.
      start: Where the clip's first second is; a record without it begins with the video.
      end: Where its last second is.
      folder: Folder of the files, below the dataset's own.

    Source: facts of the paper: five parts; frames are stored with a short side of at most 512 pixels.
    """

    path: str = "path"
    start: str = "start"
    end: str = "end"
    folder: str = ""

    def __call__(self, record: Record, context: Context) -> list[Float[np.ndarray, "h w 3"]]:
        value, count = find(record, self.path), context.reading.frames
        rng = context.draw("frames") if context.training else None
        if isinstance(value, list | tuple) or getattr(value, "ndim", 0) == 4:
            one_each = [
                content(value[place], self.folder, False, context)
                for place in video_file.places(len(value), count, rng)
            ]
            frames = [image_ops.read(one) for one in one_each]
        else:
            file = content(value, self.folder, False, context)
            frames = video_file.read_frames(file, count, within(record, self.start, self.end), rng)
        if len({frame.shape for frame in frames}) == 1:
            frames = list(video.crop_borders(np.stack(frames)))
        return [_smaller(frame) for frame in frames]


@dataclasses.dataclass(frozen=True)
class Soundtrack:
    """Reads the sound of a clip as log-mel, one segment of each of `Reading.frames` equal parts; the last is current.

    A part that is longer than a segment gives its middle. None where the video has no sound.

    Attributes:
      path: Where its bytes or the name of its file is in a record.
      start: Where the clip's first second is.
      end: Where its last second is.
      folder: Folder of the files, below the dataset's own.
      history: Whether to give the segments before the current one.
    """

    path: str = "path"
    start: str = "start"
    end: str = "end"
    folder: str = ""
    history: bool = False

    def __call__(self, record: Record, context: Context) -> Any:
        mel, parts = context.reading.mel, context.reading.frames
        file = content(find(record, self.path), self.folder, False, context)
        if not is_source(file):
            raise DataError("the sound of a video is read from its file or its content")
        heard = video_file.read_sound(file, within(record, self.start, self.end))
        if heard is None:
            return None
        waveform = sound.read(heard, mel.sample_rate)
        seconds = max(len(waveform) / mel.sample_rate / parts, mel.samples / mel.sample_rate)
        cut = sound.segments(waveform, mel, seconds)
        chosen = cut[:-1][-(parts - 1) :] if self.history else cut[-1:]
        mels = [log_mel(segment, mel) for segment in chosen]
        return mels if self.history else mels[0]


def within(record: Record, start: str, end: str) -> tuple[float, float] | None:
    """Returns the first and the last second of a record's clip; None where it is the whole video.

    Raises:
      DataError: They are no numbers, or the last is not behind the first.
    """
    given = [record.get(key) for key in (start, end)]
    if all(value in (None, "") for value in given):
        return None
    try:
        first, last = (
            float(value) if value not in (None, "") else blank
            for value, blank in zip(given, (0.0, np.inf), strict=True)
        )
    except (TypeError, ValueError) as error:
        raise DataError(f"a clip from {given[0]!r} to {given[1]!r}; want seconds") from error
    if not 0.0 <= first < last:
        raise DataError(f"a clip from second {first:g} to {last:g}; want one that ends after it begins")
    return first, last


def _smaller(frame: Float[np.ndarray, "h w 3"]) -> Float[np.ndarray, "h w 3"]:
    short = min(frame.shape[:2])
    if short <= _SHORT_SIDE:
        return frame
    height, width = (max(round(side * _SHORT_SIDE / short), 1) for side in frame.shape[:2])
    return image_ops.resize(frame, (height, width))
