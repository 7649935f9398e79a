"""Melodies from a small grammar: a theme of three notes, and an answer that repeats, turns, lifts or mirrors it.

Pure functions of a generator. Knows notes and sounds, no scene and no file.
"""

import dataclasses

import numpy as np

from data_tasks.toy.sounds import NOTES, SIZES, TIMBRES, Event, Voice

INSTRUMENTS = tuple(timbre for timbre in TIMBRES if timbre != "noise")  # a noise has no clear pitch
ANSWERS = ("repeats it", "turns it round", "lifts it", "mirrors it")
_BEAT = 0.155  # part of the clip from note to note
_FIRST = 0.03


@dataclasses.dataclass(frozen=True)
class Melody:
    """Six notes on one instrument.

    Attributes:
      timbre: One of INSTRUMENTS.
      size: "large" plays low, "small" high.
      theme: Three places in NOTES.
      answer: How the second half is made of the first, one of ANSWERS.
    """

    timbre: str
    size: str
    theme: tuple[int, int, int]
    answer: str

    @property
    def steps(self) -> tuple[int, ...]:
        """All six places in NOTES; beyond the highest it goes on from the lowest."""
        a, b, c = self.theme
        second = {
            "repeats it": (a, b, c),
            "turns it round": (c, b, a),
            "lifts it": (a + 1, b + 1, c + 1),
            "mirrors it": (a, 2 * a - b, 2 * a - c),
        }[self.answer]
        return *self.theme, *(step % len(NOTES) for step in second)

    @property
    def events(self) -> list[Event]:
        """How it sounds."""
        return [
            Event("ping", Voice(self.timbre, NOTES[step], self.size), _FIRST + _BEAT * beat, _BEAT)
            for beat, step in enumerate(self.steps)
        ]

    @property
    def captions(self) -> list[str]:
        """What may be said of it: three wordings, each of which tells all."""
        pitch = {"large": "low", "small": "high"}[self.size]
        theme = " ".join(NOTES[step] for step in self.theme).lower()
        return [
            f"a {pitch} {self.timbre} plays {theme} and {self.answer}",
            f"{theme} on a {pitch} {self.timbre}, which then {self.answer}",
            f"melody of a {pitch} {self.timbre}: {theme}; the second half {self.answer}",
        ]


def draw(rng: np.random.Generator) -> Melody:
    """Draws a melody; its theme moves by at most three steps at a time."""
    start = int(rng.integers(len(NOTES)))
    moves = np.cumsum(rng.integers(-3, 4, 2))
    theme = (start, *(int((start + move) % len(NOTES)) for move in moves))
    timbre, size, answer = (str(rng.choice(names)) for names in (INSTRUMENTS, SIZES, ANSWERS))
    return Melody(timbre, size, theme, answer)
