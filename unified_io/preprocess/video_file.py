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


def read_frames(
    value: Any,
    count: int,
    within: tuple[float, float] | None = None,
    rng: np.random.Generator | None = None,
) -> list[Float[np.ndarray, "h w 3"]]:
    """Reads the middle frames of `count` equal parts of a video file, turned upright; all frames where it has no more.

    Args:
      value: A path, or the bytes of the file.
      count: Frames wanted.
      within: Seconds of its beginning and end, where only a part of the video is meant.
      rng: Draws a frame of each part instead of the middle one.

    Raises:
      ConfigError: PyAV is not installed.
      DataError: The file is missing, too large, too long, broken or no video, or has no frame in that part.
    """
    with opened(value, "a video") as (name, file):
        frames = _chosen_frames(file, count, name, within, rng)
        for frame in frames:
            _check_pixels(frame.height, frame.width, count, name)
        return [
            image_ops.as_float(np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90)))
            for frame in frames
        ]


def read_sound(
    value: Any, within: tuple[float, float] | None = None
) -> tuple[Float[np.ndarray, "n channels"], int] | None:
    """Reads the first audio track of a video file: samples in [-1, 1] and their rate in Hz; None where there is none.

    Args:
      value: A path, or the bytes of the file.
      within: Seconds of its beginning and end, where only a part is meant.

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
        first, last = (round(min(seconds, MAX_SECONDS + 1.0) * rate) for seconds in within or (0.0, np.inf))
        for frame in container.decode(track):
            total += frame.samples
            sound.check_length(total, channels, rate, name)
            parts += [part.to_ndarray() for part in planes.resample(frame)]
            if total >= last:
                break
        waveform = np.concatenate(parts, axis=1).T[first:last]
        return (waveform, rate) if len(waveform) else None


def middles(total: int, count: int) -> Int[np.ndarray, " n"]:
    """Returns the middle of each of `count` equal parts of `total` things, all of them where there are no more.

    middles(50, 5) = [5, 15, 25, 35, 45]
    """
    parts = min(total, count)
    return (2 * np.arange(parts) + 1) * total // (2 * max(parts, 1))


def places(total: int, count: int, rng: np.random.Generator | None = None) -> Int[np.ndarray, " n"]:
    """Returns one place in each of `count` equal parts of `total` things: the middle one, or one that `rng` draws."""
    if rng is None:
        return middles(total, count)
    parts = min(total, count)
    edges = np.arange(parts + 1) * total // max(parts, 1)
    return rng.integers(edges[:-1], edges[1:])


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


def _chosen_frames(
    file: BinaryIO,
    count: int,
    name: str,
    within: tuple[float, float] | None,
    rng: np.random.Generator | None,
) -> list["VideoFrame"]:
    with _container(file) as container:
        if not container.streams.video:
            raise DataError(f"{name} has no video track; read it with sound.read")
        stream = container.streams.video[0]
        _check_pixels(stream.codec_context.height, stream.codec_context.width, count, name)
        times = _part(_times(container, stream, name), stream, name, within)
        times = [times[index] for index in places(len(times), count, rng)]
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


def _part(
    times: list[int], stream: "VideoStream", name: str, within: tuple[float, float] | None
) -> list[int]:
    """The times that lie in a part of a video; seconds count from its first frame."""
    if within is None:
        return times
    first, last = within
    inside = [time for time in times if first <= float((time - times[0]) * (stream.time_base or 0)) < last]
    if not inside:
        length = float((times[-1] - times[0]) * (stream.time_base or 0))
        raise DataError(f"{name} lasts {length:.1f} s and has no frame from {first:g} s to {last:g} s")
    return inside


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
