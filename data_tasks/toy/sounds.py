"""The sounds of the toy world: every thing has a voice, every event is made with one, and a clip is a list of events.

Times are parts of the clip, so that a spectrogram of any length holds all of it; pitches are in hertz. A pure function
of the events: nothing is drawn here. Knows no scene and no words.
"""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from unified_io.errors import unknown
from unified_io.mel import MelConfig

TIMBRES = ("sine", "square", "saw", "triangle", "noise", "bell")
# Eight notes within one octave, so that the lowest of the small things lies above the highest of the large ones.
NOTES = ("C", "D", "E", "F", "G", "A", "B flat", "B")
_SEMITONES = dict(zip(NOTES, (0, 2, 4, 5, 7, 9, 10, 11), strict=True))
SIZES = ("large", "small")
KINDS = ("ping", "roll", "bounce")

_LOW_C = 261.626  # Hz: middle C, the lowest note of large things
_DECAYS = {"large": 0.09, "small": 0.045}  # part of the clip in which a ping falls to 1/e
LENGTHS = {"ping": 0.3, "roll": 0.3, "bounce": 0.3}  # part of the clip an event may last
_ROLLS = 24.0  # beats of a rolling thing in a clip
_FIRST_GAP, _RESTITUTION = (
    0.11,
    0.72,
)  # time from the first to the second touch, and how each is to the one before
_HARMONICS = 16
_LOUDEST = 0.9
_FLOOR = 3e-4  # noise under every clip, so that nothing in it is the 0 of absence


@dataclasses.dataclass(frozen=True)
class Voice:
    """What a thing sounds like.

    Attributes:
      timbre: One of TIMBRES.
      note: One of NOTES.
      size: "large" is an octave lower and rings longer than "small".
    """

    timbre: str
    note: str
    size: str

    def __post_init__(self):
        for kind, name, valid in (
            ("timbre", self.timbre, TIMBRES),
            ("note", self.note, NOTES),
            ("size", self.size, SIZES),
        ):
            if name not in valid:
                raise unknown(kind, name, valid)

    @property
    def pitch(self) -> float:
        """Hertz of its lowest part."""
        return _LOW_C * 2 ** (_SEMITONES[self.note] / 12 + SIZES.index(self.size))


VOICES = tuple(Voice(timbre, note, size) for timbre in TIMBRES for note in NOTES for size in SIZES)


@dataclasses.dataclass(frozen=True)
class Event:
    """Something that is heard.

    Attributes:
      kind: "ping" is struck once, "roll" swells and ebbs, "bounce" is struck in ever shorter time.
      voice: Whose it is.
      at: When it begins, in [0, 1) of the clip.
      length: How long it may last, part of the clip; None is that of its kind.
    """

    kind: str
    voice: Voice
    at: float
    length: float | None = None

    def __post_init__(self):
        if self.kind not in KINDS:
            raise unknown("kind of event", self.kind, KINDS)


def waveform(events: Sequence[Event], mel: MelConfig) -> Float[np.ndarray, " n"]:
    """Returns the sound of a clip at the rate and of the length of a spectrogram, in [-1, 1]."""
    clip = _FLOOR * _noise(mel.samples)
    for event in events:
        start = round(event.at * mel.samples)
        length = min(round((event.length or LENGTHS[event.kind]) * mel.samples), mel.samples - start)
        time = np.arange(length) / mel.sample_rate
        part = np.arange(length) / mel.samples
        clip[start : start + length] += (
            0.3 * _tone(event.voice, time, mel.sample_rate) * _envelope(event, part)
        )
    return (clip * min(1.0, _LOUDEST / np.abs(clip).max())).astype(np.float32)


def _tone(voice: Voice, time: np.ndarray, rate: int) -> np.ndarray:
    """A steady tone, about as loud in every timbre."""
    turn = 2 * np.pi * voice.pitch * time
    if voice.timbre == "bell":
        return 1.2 * np.sin(turn + 2.0 * np.sin(1.41 * turn))
    if voice.timbre == "noise":
        return _hiss(voice.pitch, time)
    parts = {
        "sine": ((1, 1.3),),
        "square": tuple((n, 1.2 / n) for n in range(1, _HARMONICS, 2)),
        "saw": tuple((n, 1.0 / n) for n in range(1, _HARMONICS)),
        "triangle": tuple((n, 1.3 * (-1) ** (n // 2) / n**2) for n in range(1, _HARMONICS, 2)),
    }[voice.timbre]
    heard = [(n, weight) for n, weight in parts if n * voice.pitch < 0.46 * rate]
    return sum((weight * np.sin(n * turn) for n, weight in heard), np.zeros_like(time))


def _hiss(pitch: float, time: np.ndarray) -> np.ndarray:
    """Noise in narrow bands around a pitch and its octave: many sines close together, none in step with another."""
    steps = np.linspace(-1, 1, 15)
    phases = 2 * np.pi * ((0.618034 * np.arange(2 * len(steps)) ** 2) % 1.0)
    sines = [
        np.sin(2 * np.pi * octave * pitch * (1 + 0.03 * step) * time + phase)
        for (octave, step), phase in zip(
            ((octave, step) for octave in (1, 2) for step in steps), phases, strict=True
        )
    ]
    return 0.3 * np.sum(sines, axis=0)


def _envelope(event: Event, part: np.ndarray) -> np.ndarray:
    """How loud an event is, `part` of the clip after it began."""
    decay = _DECAYS[event.voice.size]
    if event.kind == "ping":
        loud = np.exp(-part / decay)
    elif event.kind == "roll":
        loud = 0.8 * (0.5 - 0.5 * np.cos(2 * np.pi * _ROLLS * part)) ** 2
    else:
        loud, touch, gap = np.zeros_like(part), 0.0, _FIRST_GAP
        while gap > 0.012:
            since = part - touch
            struck = (since >= 0) * np.exp(-np.maximum(since, 0) / min(0.35 * decay, 0.3 * gap))
            loud = np.maximum(loud, struck * (gap / _FIRST_GAP) ** 0.5)
            touch, gap = touch + gap, gap * _RESTITUTION
    rise, fall = np.minimum(1.0, part / 0.002), np.minimum(1.0, (part[-1:] - part) / 0.01)
    return loud * rise * np.maximum(fall, 0.0)


@functools.lru_cache(maxsize=4)
def _noise(length: int) -> np.ndarray:
    """Always the same hiss, so that a clip is a function of its events."""
    noise = np.random.default_rng(0).standard_normal(length)
    noise.setflags(write=False)
    return noise
