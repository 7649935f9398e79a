"""An ear for the toy world: reads events and notes back from a log-mel spectrogram, to judge sounds that were made.

It compares with spectrograms of true voices and learns nothing. Knows spectrograms only; how often it is right on true
sounds is measured in `tests/data_tasks/toy/test_sounds.py` and stands there.
"""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from data_tasks.toy import sounds
from data_tasks.toy.sounds import KINDS, TIMBRES, VOICES, Event, Voice
from unified_io.mel import POWER_RANGE, MelConfig, log_mel

Mel = Float[np.ndarray, "frames mels"]

_QUIET, _LOUD = np.log(POWER_RANGE)  # what a spectrogram calls silence, and the most it holds
_RISE = 0.9  # nat: a band that grows by this within a frame or two has been struck
_STRUCK = 0.12  # part of the bands, weighted by how loud they are, that must rise at once
_ATTACK = 0.06  # part of the clip that a voice is known by
_SPAN = 0.32  # part of the clip that the kind of an event is known by
_PAUSE, _STILL = 0.06, 0.01  # part of the clip, and of the greatest power: quieter for so long is silence
_APART = 0.02  # onsets are at least so far from one another, part of the clip


def onsets(mel: Mel) -> Int[np.ndarray, " n"]:
    """Returns the frames in which something begins to sound, in order."""
    levels = _levels(mel)
    before = np.concatenate([np.full((2, levels.shape[1]), _QUIET), levels])
    rise = levels - np.maximum(before[:-2], before[1:-1])
    loud = np.maximum(levels - levels.max(initial=_QUIET) + 7.0, 0.0)
    share = (loud * (rise > _RISE)).sum(axis=1) / np.maximum(loud.sum(axis=1), 1e-6)
    strength = np.where((share > _STRUCK) & (loud.sum(axis=1) > 1.0), share * loud.sum(axis=1), 0.0)
    gap, found = max(1, round(_APART * len(levels))), []
    for frame in np.flatnonzero(strength):
        if not found or frame - found[-1] > gap:
            found.append(int(frame))
    return np.array(found, np.int64)


def voice(mel: Mel, config: MelConfig, frame: int) -> Voice:
    """Returns the voice that best explains what sounds from a frame on."""
    return VOICES[int(np.argmax(_voices(config) @ _spectrum(mel, frame)))]


def kind(mel: Mel, config: MelConfig, frame: int, size: str) -> str:
    """Returns the kind of event whose loudness over time is nearest to what sounds from a frame on."""
    known = _envelopes(config)
    return min(KINDS, key=lambda one: float(np.square(known[one, size] - _envelope(mel, frame)).sum()))


def notes(mel: Mel, config: MelConfig) -> list[Event]:
    """Hears every onset as a ping of its own, as in a melody."""
    return [Event("ping", voice(mel, config, frame), frame / len(mel)) for frame in onsets(mel)]


def events(mel: Mel, config: MelConfig) -> list[Event]:
    """Hears events that follow one another: what begins while one still sounds belongs to it."""
    heard: list[Event] = []
    loud = np.exp(_levels(mel)).sum(axis=1)
    pause = max(2, round(_PAUSE * len(mel)))
    for frame in onsets(mel):
        at = frame / len(mel)
        still = loud[max(0, frame - pause) : frame].mean() > loud.max() * _STILL if heard else False
        if heard and (at - heard[-1].at < _SPAN or still):
            continue
        who = voice(mel, config, frame)
        heard.append(Event(kind(mel, config, frame, who.size), who, at))
    return heard


def agreement(heard: Sequence[Event], true: Sequence[Event]) -> float:
    """Returns the part of what is true of events that was heard, in [0, 1].

    Events are compared in order; each counts for its kind, timbre, note, size and time (a twentieth of the clip off at
    the most). Events too many or too few count as wrong. No event where there is none is 1.
    """
    total = 5 * max(len(heard), len(true))
    right = sum(
        (a.kind == b.kind)
        + sum(x == y for x, y in zip(*map(dataclasses.astuple, (a.voice, b.voice)), strict=True))
        + (abs(a.at - b.at) <= 0.05)
        for a, b in zip(heard, true, strict=False)
    )
    return right / total if total else 1.0


def _levels(mel: Mel) -> Mel:
    return np.where(mel == 0, _QUIET, np.clip(mel, _QUIET, _LOUD))


def _spectrum(mel: Mel, frame: int) -> Float[np.ndarray, " mels"]:
    """What sounds in the attack, over what sounded before it: of length 1 and mean 0."""
    power = np.exp(_levels(mel))
    span = max(2, round(_ATTACK * len(mel)))
    now = power[frame + 1 : frame + 1 + span].mean(axis=0) if frame + 1 < len(mel) else power[frame]
    past = power[max(0, frame - 2) : max(0, frame - 1)]
    left = np.log(np.maximum(now - 0.5 * past.mean(axis=0) if len(past) else now, 1e-4))
    left = np.maximum(left, left.max() - 9.0)
    left = left - left.mean()
    return left / max(float(np.linalg.norm(left)), 1e-6)


def _envelope(mel: Mel, frame: int) -> Float[np.ndarray, " span"]:
    """Loudness over time from a frame on, in nat below its loudest."""
    span = round(_SPAN * len(mel))
    loud = np.log(np.exp(_levels(mel)).sum(axis=1))
    part = np.full(span, loud.min())
    found = loud[frame : frame + span]
    part[: len(found)] = found
    return np.maximum(part - part.max(), -6.0)


@functools.lru_cache(maxsize=8)
def _voices(config: MelConfig) -> Float[np.ndarray, "voices mels"]:
    return np.stack([_spectrum(*_example("ping", voice, config)) for voice in VOICES])


@functools.lru_cache(maxsize=8)
def _envelopes(config: MelConfig) -> dict[tuple[str, str], np.ndarray]:
    """How loud each kind of event of each size is over time, in the mean over voices."""
    return {
        (kind, size): np.mean(
            [_envelope(*_example(kind, Voice(timbre, "E", size), config)) for timbre in TIMBRES], axis=0
        )
        for kind in KINDS
        for size in sounds.SIZES
    }


def _example(kind: str, voice: Voice, config: MelConfig) -> tuple[Mel, int]:
    """A spectrogram of one event, and the frame in which it begins. Only its first half is taken: that is quicker."""
    half = dataclasses.replace(config, frames=config.frames // 2)
    mel = log_mel(sounds.waveform([Event(kind, voice, 0.1)], config), half)
    found = onsets(mel)
    whole = np.concatenate([mel, np.zeros((config.frames - half.frames, config.mels), mel.dtype)])
    return whole, int(found[0]) if len(found) else round(0.1 * config.frames)
