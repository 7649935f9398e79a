"""From the raw field of a medium to the arrays that its encoder reads, one a segment. Knows no encoder.

Every front has the shape of a segment, the most segments a medium may have, and `read` and `segments`.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from unified_io.encoders.clip import CLIP_MEAN, CLIP_STD
from unified_io.errors import ConfigError, DataError, unknown
from unified_io.mel import MelConfig, log_mel
from unified_io.preprocess import image_ops, imu_ops, kaldi, log_mels, point_ops, sound, video
from unified_io.preprocess.sources import is_source
from unified_io.preprocess.video_file import middles

FITS = ("crop", "pad", "stretch")

Segments = Float[np.ndarray, "segments *shape"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageFront:
    """A picture as a square of normalised pixels.

    Attributes:
      side: Of the square, pixels.
      fit: "crop" keeps the middle square, "pad" all of the picture, "stretch" all of it without its proportions.
      mean: Of each channel, taken off.
      std: By which each channel is divided.
    """

    side: int = 224
    fit: str = "crop"
    mean: tuple[float, float, float] = CLIP_MEAN
    std: tuple[float, float, float] = CLIP_STD

    def __post_init__(self):
        for name in ("mean", "std"):
            object.__setattr__(self, name, tuple(getattr(self, name)))  # gin hands lists over
        if self.fit not in FITS:
            raise unknown("fit of a picture", self.fit, FITS)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a segment."""
        return self.side, self.side, 3

    @property
    def most(self) -> int:
        """Segments of a picture."""
        return 1

    def read(self, value: Any) -> Any:
        """Returns pixels [h, w, 3] in [0, 1] of a path, bytes or an array."""
        return image_ops.read(value)

    def segments(self, raw: Any) -> Segments:
        """Returns the one segment of a picture."""
        return self._square(image_ops.as_float(raw))[None]

    def _square(self, image: Float[np.ndarray, "h w 3"]) -> Float[np.ndarray, "side side 3"]:
        size = (self.side, self.side)
        if self.fit == "pad":
            image, _, _ = image_ops.resize_and_pad(image, size)
        else:
            height, width = image.shape[:2]
            if self.fit == "crop" and height != width:
                least = min(height, width)
                top, left = (height - least) // 2, (width - least) // 2
                image = image[top : top + least, left : left + least]
            if image.shape[:2] != size:
                image = np.clip(image_ops.resize(image, size), 0.0, 1.0)
        return ((image - np.float32(self.mean)) / np.float32(self.std)).astype(np.float32)


@dataclasses.dataclass(frozen=True, kw_only=True)
class FramesFront(ImageFront):
    """A video as frames of equal parts of it: a segment each, or all of them one segment for a video transformer.

    Attributes:
      frames: How many.
      together: Whether they are one segment.
    """

    frames: int = 5
    together: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.frames, *super().shape) if self.together else super().shape

    @property
    def most(self) -> int:
        return 1 if self.together else self.frames

    def read(self, value: Any) -> Any:
        """Returns frames [n, h, w, 3] in [0, 1] of a path, bytes, an array or a list of pictures."""
        return video.read(value, self.frames)

    def segments(self, raw: Any) -> Segments:
        """Returns a segment a frame; a video of fewer frames has fewer, or its last again where they are together."""
        chosen = [self._square(image_ops.as_float(raw[i])) for i in middles(len(raw), self.frames)]
        if not self.together:
            return np.stack(chosen)
        return np.stack([*chosen, *[chosen[-1]] * (self.frames - len(chosen))])[None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class MelFront:
    """A sound as natural-log mel spectrograms, one behind the other.

    Attributes:
      mel: How sound becomes a spectrogram; its frames are those of a segment.
      clips: Segments of a sound at most.
      mean: Of the log-mel, taken off.
      std: By which the rest is divided.
    """

    mel: MelConfig = MelConfig()
    clips: int = 1
    mean: float = -4.26
    std: float = 9.14

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a segment."""
        return self.mel.frames, self.mel.mels

    @property
    def most(self) -> int:
        """Segments of a sound."""
        return self.clips

    def read(self, value: Any) -> Any:
        """Returns the log-mel [frames, mels] of the beginning of a path, bytes, a waveform, or one and its rate."""
        waveform = sound.read(value, self.mel.sample_rate)
        parts = sound.segments(waveform, self.mel, None)[: self.clips]
        return np.concatenate([log_mel(part, self.mel) for part in parts])

    def segments(self, raw: Any) -> Segments:
        """Returns spectrograms [n, frames, mels]; behind the last one lies its mean."""
        return _cut((np.asarray(raw, np.float32) - self.mean) / self.std, self.shape, self.clips)


BANKS: Mapping[str, tuple[int, Callable[..., Any]]] = {
    "beats": (16_000, lambda wave, front: kaldi.beats(wave, segments=front.clips, frames=front.frames)[0]),
    "imagebind": (16_000, lambda wave, front: kaldi.imagebind(wave, clips=front.clips, frames=front.frames)),
    "whisper": (log_mels.WHISPER_RATE, lambda wave, front: log_mels.whisper(wave, mels=front.bands)[None]),
    "clap": (log_mels.CLAP_RATE, lambda wave, front: log_mels.clap(wave)[None]),
}
"""Of each published filter bank the rate of its sound, Hz, and how it is taken."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class BankFront:
    """A sound as one of the published audio encoders reads it.

    Attributes:
      bank: A name in BANKS.
      clips: Segments of a sound.
      frames: Of a segment.
      bands: Mel bands.
    """

    bank: str
    clips: int = 1
    frames: int = 512
    bands: int = 128

    def __post_init__(self):
        if self.bank not in BANKS:
            raise unknown("filter bank", self.bank, BANKS)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a segment."""
        return self.frames, self.bands

    @property
    def most(self) -> int:
        """Segments of a sound."""
        return self.clips

    def read(self, value: Any) -> Any:
        """Returns filter banks [clips * frames, bands] of a path, bytes, a waveform, or a waveform and its rate."""
        rate, bank = BANKS[self.bank]
        found = bank(sound.read(value, rate), self)
        if found.shape[1:] != self.shape:
            raise ConfigError(
                f"bank {self.bank!r} gives {found.shape[1]} frames of {found.shape[2]} bands; set frames and bands so"
            )
        return found.reshape(-1, self.bands)

    def segments(self, raw: Any) -> Segments:
        """Returns the segments [n, frames, bands]."""
        return _cut(np.asarray(raw, np.float32), self.shape, self.clips)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PointsFront:
    """A cloud of points, or a surface, as so many points within the unit sphere.

    Attributes:
      points: How many.
    """

    points: int = point_ops.POINTS

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a segment."""
        return self.points, 3

    @property
    def most(self) -> int:
        """Segments of a cloud."""
        return 1

    def read(self, value: Any) -> Any:
        """Returns points [n, 3] of a .ply, .obj or .npy file, its bytes, or an array."""
        return point_ops.prepare(value, self.points)

    def segments(self, raw: Any) -> Segments:
        """Returns the one segment of a cloud."""
        return point_ops.prepare(np.asarray(raw, np.float32), self.points)[None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class MotionFront:
    """Motion of a head or a hand as windows of six channels.

    Attributes:
      rate: Steps a second of what is read.
      seconds: Of a window.
      windows: Segments at most; the first ones are kept.
    """

    rate: float = float(imu_ops.RATE)
    seconds: float = 5.0
    windows: int = 1

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a segment."""
        return round(self.seconds * imu_ops.RATE), imu_ops.CHANNELS

    @property
    def most(self) -> int:
        """Segments of a recording."""
        return self.windows

    def read(self, value: Any) -> Any:
        """Returns motion [n, 6] at `imu_ops.RATE` of a .npy or .csv file or an array."""
        if is_source(value):
            return imu_ops.read(value, self.rate)
        return imu_ops.resample(imu_ops.checked(np.asarray(value), "the motion"), self.rate)

    def segments(self, raw: Any) -> Segments:
        """Returns windows [n, steps, 6]."""
        return imu_ops.windows(np.asarray(raw, np.float32), seconds=self.seconds)[: self.windows]


def _cut(values: Float[np.ndarray, "n bands"], shape: tuple[int, ...], most: int) -> Segments:
    """Cuts a spectrogram into segments with zeros behind the last."""
    frames, bands = shape
    if values.ndim != 2 or values.shape[1] != bands:
        raise DataError(f"a spectrogram of shape {values.shape}; this model hears [frames, {bands}]")
    count = min(max(-(-len(values) // frames), 1), most)
    values = values[: count * frames]
    return np.pad(values, ((0, count * frames - len(values)), (0, 0))).reshape(count, frames, bands)
