"""Video files decoded by PyAV, which the extra `video` installs: a few frames, and the sound. Knows no model."""

import collections
import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from jaxtyping import Float, Int

from unified_io.errors import ConfigError, DataError
from unified_io.preprocess import image_ops, sound
from unified_io.preprocess.sources import opened

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

MAX_SECONDS = 3600.0
MAX_FRAMES = 1_000_000  # of the whole file: more than an hour at 240 a second
MAX_PIXELS = 2**26  # of all chosen frames together


def read_frames(value: Any, count: int) -> list[Float[np.ndarray, "h w 3"]]:
    """Reads the middle frames of `count` equal parts of a video file, turned upright; all frames where it has no more.

    Args:
      value: A path, or the bytes of the file.
      count: Frames wanted.

    Raises:
      ConfigError: PyAV is not installed.
      DataError: The file is missing, too large, too long, broken or no video.
    """
    with opened(value, "a video") as (name, file):
        frames = _middle_frames(file, count, name)
        for frame in frames:
            _check_pixels(frame.height, frame.width, count, name)
        return [
            image_ops.as_float(np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90)))
            for frame in frames
        ]


def read_sound(value: Any) -> tuple[Float[np.ndarray, "n channels"], int] | None:
    """Reads the first audio track of a video file: samples in [-1, 1] and their rate in Hz; None where there is none.

    Raises:
      ConfigError: PyAV is not installed.
      DataError: The file is missing, too large, too long, broken or no video.
    """
    with opened(value, "a video") as (name, file), _container(file) as container:
        if not container.streams.audio:
            return None
        track = container.streams.audio[0]
        rate, channels = track.codec_context.sample_rate, track.codec_context.channels
        planes = _av().AudioResampler(format="fltp")  # another format only: channels and rate stay
        parts, total = [np.zeros((channels, 0), np.float32)], 0
        for frame in container.decode(track):
            total += frame.samples
            sound.check_length(total, channels, rate, name)
            parts += [part.to_ndarray() for part in planes.resample(frame)]
        return (np.concatenate(parts, axis=1).T, rate) if total else None


def middles(total: int, count: int) -> Int[np.ndarray, " n"]:
    """Returns the middle of each of `count` equal parts of `total` things, all of them where there are no more.

    middles(50, 5) = [5, 15, 25, 35, 45]
    """
    parts = min(total, count)
    return (2 * np.arange(parts) + 1) * total // (2 * max(parts, 1))


def _av() -> Any:
    try:
        import av
    except ImportError as error:
        raise ConfigError(
            'reading video files needs PyAV: pip install "unified-io[video]"; or give the frames as an array'
        ) from error
    return av


def _container(file: BinaryIO) -> "InputContainer":
    return _av().open(file, io_open=_refuse)


def _refuse(url: str, flags: int, options: dict) -> BinaryIO:
    """What a playlist gets that wants to read other files, or from the net."""
    raise DataError(f"a video that wants to open {url!r}; give one that is a single file")


def _middle_frames(file: BinaryIO, count: int, name: str) -> list["VideoFrame"]:
    with _container(file) as container:
        if not container.streams.video:
            raise DataError(f"{name} has no video track; read it with sound.read")
        stream = container.streams.video[0]
        _check_pixels(stream.codec_context.height, stream.codec_context.width, count, name)
        times = _times(container, stream, name)
        times = [times[index] for index in middles(len(times), count)]
        frames = [_frame_at(container, stream, time) for time in times]
    if None in frames:  # not every format can be sought in
        file.seek(0)
        with _container(file) as container:
            frames = list(_in_order(container, times))
    if len(frames) < len(times):
        raise DataError(f"{name} ends before its frame {len(frames) + 1} of {len(times)}; is it complete?")
    return frames


def _times(container: "InputContainer", stream: "VideoStream", name: str) -> list[int]:
    """When every frame is shown, in units of the stream; decodes nothing."""
    shown = (packet.pts for packet in container.demux(stream) if packet.pts is not None)
    times = sorted(itertools.islice(shown, MAX_FRAMES + 1))
    if len(times) > MAX_FRAMES:
        raise DataError(f"{name} has more than {MAX_FRAMES} frames: cut it")
    if not times or stream.time_base is None:
        raise DataError(f"{name} holds no frame with a time; convert it to MP4")
    seconds = (times[-1] - times[0]) * stream.time_base.numerator / stream.time_base.denominator
    if seconds > MAX_SECONDS:
        raise DataError(f"{name} lasts {seconds:.0f} s; the most is {MAX_SECONDS:.0f} s: cut it")
    return times


def _frame_at(container: "InputContainer", stream: "VideoStream", time: int) -> "VideoFrame | None":
    """The frame shown at `time`, or the next one; None where there is none to be found."""
    container.seek(time, stream=stream)
    frames = (frame for frame in container.decode(stream) if frame.pts is not None and frame.pts >= time)
    return next(frames, None)


def _in_order(container: "InputContainer", times: Sequence[int]) -> Iterator["VideoFrame"]:
    """The same for many times, by decoding all before them."""
    waiting = collections.deque(times)
    for frame in container.decode(video=0):
        while waiting and frame.pts is not None and frame.pts >= waiting[0]:
            waiting.popleft()
            yield frame
        if not waiting:
            return


def _check_pixels(height: int, width: int, count: int, name: str) -> None:
    if height * width * count > MAX_PIXELS:
        raise DataError(
            f"{count} frames of {name}, {width}x{height}, hold more than {MAX_PIXELS} pixels; make it smaller or "
            "ask for fewer frames"
        )
