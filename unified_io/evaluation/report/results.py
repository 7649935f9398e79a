"""A measured score beside what it is held against, and what that comparison says in plain words."""

import dataclasses
import math
from typing import Literal

from unified_io.errors import DataError
from unified_io.evaluation.stats import Score

_LARGEST_SHARE = 2.0  # a normalised share may leave [0, 1] a little; 95 for 95 % may not

Level = Literal["reached", "narrow", "close", "short", "chance", "open"]

LEVELS: dict[Level, tuple[str, str, str]] = {  # sign, one word, meaning
    "reached": ("✓", "reached", "goal reached, the whole interval too"),
    "narrow": ("✓", "narrowly", "goal reached, but the interval dips past it"),
    "close": ("✗", "just missed", "goal not reached, but inside the interval"),
    "short": ("✗", "missed", "goal not reached"),
    "chance": ("✗", "guessing", "not told from chance"),
    "open": ("", "–", "no goal set"),
}


@dataclasses.dataclass(frozen=True)
class Result:
    """One score and its marks.

    Attributes:
      name: Key in the JSON file and name on the page; "->" is shown as an arrow.
      score: Mean, interval and number of examples.
      metric: What was averaged, e.g. "accuracy by the judge".
      unit: "%" for shares in [0, 1], which are shown times 100; otherwise the unit as shown, or "".
      chance: What guessing gives.
      floor: What a trivial or blind method gives.
      ceiling: What can be reached at all, e.g. the judge on real data.
      goal: What was promised.
      better: Which way is better; a control that should fail has "lower".
      note: A remark for the reader.
    """

    name: str
    score: Score
    metric: str = "accuracy"
    unit: str = "%"
    chance: float | None = None
    floor: float | None = None
    ceiling: float | None = None
    goal: float | None = None
    better: Literal["higher", "lower"] = "higher"
    note: str = ""

    def __post_init__(self):
        """Refuses what can not be drawn or written.

        Raises:
          DataError: A number is not finite, or is a percentage where a share is wanted.
        """
        for what, value in (
            ("score", self.score.score),
            *zip(("low", "high"), self.score.interval, strict=True),
            *self.marks(),
        ):
            if not math.isfinite(value):
                raise DataError(f"{what} of result {self.name!r} is {value}; leave it out or mend the metric")
            if self.unit == "%" and abs(value) > _LARGEST_SHARE:
                raise DataError(
                    f"{what} of result {self.name!r} is {value}; with unit % give a share in [0, 1]"
                )

    @property
    def title(self) -> str:
        """The name with a real arrow."""
        return self.name.replace("->", " → ")

    def marks(self) -> tuple[tuple[str, float], ...]:
        """Returns (name, value) of chance, floor, ceiling and goal, where they are known."""
        named = ("chance", self.chance), ("floor", self.floor), ("ceiling", self.ceiling), ("goal", self.goal)
        return tuple((name, value) for name, value in named if value is not None)

    def show(self, value: float, *, with_unit: bool = True) -> str:
        """Returns a value as a reader sees it: "95.1 %", "27.4 dB", "0.123"."""
        if self.unit == "%":
            text = f"{100.0 * value:.1f}"
        else:
            digits = 1 if abs(value) >= 10.0 else 2 if abs(value) >= 1.0 else 3
            text = f"{value:,.{digits}f}"
        return f"{text} {self.unit}".rstrip() if with_unit else text

    def show_interval(self) -> str:
        """Returns the interval as a reader sees it: "93.0 to 96.9"."""
        return " to ".join(self.show(bound, with_unit=False) for bound in self.score.interval)


@dataclasses.dataclass(frozen=True)
class ScoreTable:
    """Results that are drawn together.

    Attributes:
      key: Top-level key of the JSON file, e.g. "pairs". Tables with one key are merged there.
      title: Heading.
      results: The rows.
      note: A remark under the heading.

    Raises:
      DataError: There is no result.
    """

    key: str
    title: str
    results: tuple[Result, ...]
    note: str = ""

    def __post_init__(self):
        if not self.results:
            raise DataError(f"score table {self.title or self.key!r} has no result; leave it out")


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What a result means.

    Attributes:
      level: One of `LEVELS`.
      reached: Whether the goal is reached; None without a goal.
      sentence: The same in plain words, with the numbers.
    """

    level: Level
    reached: bool | None
    sentence: str


def verdict(result: Result) -> Verdict:
    """Compares a result with its goal and with chance.

    A result is "reached" only if the worse end of its interval reaches the goal too, and "chance" if that end
    does not pass chance, unless the goal is reached all the same.
    """
    sign = 1.0 if result.better == "higher" else -1.0
    worst, best = result.score.interval if sign > 0 else result.score.interval[::-1]
    measured = f"{result.show(result.score.score)} ({result.show_interval()}, n = {result.score.n:,})"
    guessing = ""
    if result.better == "higher" and result.chance is not None and worst <= result.chance:
        guessing = f" This can not be told from guessing, which gives {result.show(result.chance)}."
    if result.goal is None:
        return Verdict("open", None, f"{measured}; no goal was set.{guessing}")
    words = f"{measured}; the goal was at {'least' if sign > 0 else 'most'} {result.show(result.goal)}."
    if sign * (result.score.score - result.goal) >= 0.0:
        if sign * (worst - result.goal) >= 0.0:
            return Verdict("reached", True, words)
        return Verdict("narrow", True, f"{words} The interval dips past it, so luck may have helped.")
    if guessing:
        return Verdict("chance", False, words + guessing)
    gap = abs(result.goal - result.score.score)
    missing = f"{100.0 * gap:.1f} points" if result.unit == "%" else result.show(gap)
    if sign * (best - result.goal) >= 0.0:
        return Verdict("close", False, f"{words} It misses by {missing}, but the interval holds the goal.")
    return Verdict("short", False, f"{words} It misses by {missing}.")
