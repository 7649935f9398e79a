"""The steps since the last report: their metrics, what they cost, and whether too many were skipped in a row."""

import collections
import contextlib
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from unified_io.errors import UnifiedIOError
from unified_io.loss import is_maximum
from unified_io.train import guard
from unified_io.train.compilations import Compilations

# Steps that may be under way on the device while the host prepares the next batch.
_IN_FLIGHT = 2
# Metrics that are not averaged between two reports: the last value is what one wants to know.
_LAST = ("learning_rate", "skipped_steps")
_LAST_OF = "skipped/"


class Diverged(UnifiedIOError):
    """So many steps in a row had to be skipped that going on makes no sense."""


class _Step(NamedTuple):
    """A step that the device may not have made yet."""

    number: int
    batch: Any
    metrics: dict[str, Any]


class Window:
    """The metrics of the steps since the last report. They stay on the device until somebody asks.

    Attributes:
      cpu_seconds: What training has cost all cores of this process, over all sessions.
    """

    def __init__(
        self, notes: Mapping[str, Any], compilations: Compilations, patience: int, *names: Sequence[str]
    ):
        """Takes up what `notes` gave.

        Args:
          notes: Of the session before; empty for the first.
          compilations: Counts while steps are made.
          patience: Skipped steps in a row after which to give up.
          *names: Of the parameters that the guard looks at, and of all parameters.
        """
        self.cpu_seconds: float = notes.get("cpu_seconds", 0.0)
        self._began: float = notes.get("began", time.time())
        self._good_seconds: float = notes.get("good_seconds", 0.0)
        # JSON has no NaN: None stands for every value that was not finite.
        self._fetched: dict[str, list[float]] = {
            name: [math.nan if value is None else value for value in column]
            for name, column in notes.get("window", {}).items()
        }
        self._skipped: float = notes.get("skipped_steps", 0.0)
        self._compilations, self._patience, self._names = compilations, patience, names
        self._pending: list[dict[str, Any]] = []
        self._under_way: collections.deque[_Step] = collections.deque()
        self._seconds = self._waited = self._stepped = self._compiling = 0.0

    def add(self, number: int, batch: Any, metrics: dict[str, Any]) -> None:
        """Takes the metrics of step `number`, and waits for one some way back so that the host does not run ahead.

        Raises:
          Diverged: That one was one skipped step too many; says why it was skipped.
        """
        self._under_way.append(_Step(number, batch, metrics))
        self._pending.append({name: value for name, value in metrics.items() if name not in guard.OF_A_STEP})
        if len(self._under_way) > _IN_FLIGHT:
            self._judge(self._under_way.popleft())

    def settle(self) -> None:
        """Waits for all steps; raises Diverged as `add` does."""
        while self._under_way:
            self._judge(self._under_way.popleft())

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Counts the time spent in this context as training, and as waiting for data."""
        with self._timed("_waited"):
            yield

    @contextlib.contextmanager
    def stepping(self) -> Iterator[None]:
        """Counts the time spent in this context as training, and as making steps, where nothing is compiled."""
        before = self._compilations.seconds
        with self._timed("_stepped"):
            yield
        self._compiling += self._compilations.seconds - before

    def notes(self) -> dict[str, Any]:
        """Returns what a resumed run needs to go on with this window, as JSON values."""
        self._fetch()
        columns = {
            name: [value if math.isfinite(value) else None for value in column]
            for name, column in self._fetched.items()
        }
        return {
            "window": columns,
            "cpu_seconds": self.cpu_seconds,
            "began": self._began,
            "good_seconds": self._good_seconds,
            "skipped_steps": self._skipped,
        }

    def close(self) -> tuple[dict[str, float], float]:
        """Returns the means and the seconds since the last report, and begins anew."""
        with self.stepping():
            self.settle()
            self._fetch()
        columns = {name: np.array(column) for name, column in self._fetched.items()}
        means = {name: _mean(name, column, columns) for name, column in columns.items()}
        costs = {
            "cpu_seconds": self.cpu_seconds,
            "data_wait_share": self._waited / self._seconds if self._seconds else 0.0,
            "goodput": self._good_seconds / max(time.time() - self._began, 1e-9),
            "compilations": self._compilations.count,
        }
        seconds, self._seconds, self._waited, self._fetched = self._seconds, 0.0, 0.0, {}
        return means | costs, seconds

    def _judge(self, step: _Step) -> None:
        jax.block_until_ready(next(iter(step.metrics.values())))
        if float(step.metrics.get(guard.IN_A_ROW, 0)) >= self._patience:
            why = guard.explain(step.metrics, step.batch, *self._names)
            raise Diverged(
                f"{self._patience} steps in a row were skipped, the last of them step {step.number}: {why}; no "
                "parameter has moved meanwhile, and checkpoints stay as they are. Lower the learning rate, or look "
                "at the batches"
            )

    @contextlib.contextmanager
    def _timed(self, kind: str) -> Iterator[None]:
        start, cpu = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            elapsed = time.perf_counter() - start
            setattr(self, kind, getattr(self, kind) + elapsed)
            self._seconds += elapsed
            self.cpu_seconds += time.process_time() - cpu

    def _fetch(self) -> None:
        """Brings the metrics to the host, and counts the time of the steps that were not skipped as good."""
        if not self._pending:
            return
        for metrics in jax.device_get(self._pending):
            for name, value in metrics.items():
                self._fetched.setdefault(name, []).append(float(value))
        skipped = self._fetched.get("skipped_steps", [0.0])[-1]
        made = 1 - (skipped - self._skipped) / len(self._pending)
        self._good_seconds += made * max(self._stepped - self._compiling, 0.0)
        self._skipped, self._stepped, self._compiling = skipped, 0.0, 0.0
        self._pending.clear()


def _mean(name: str, column: np.ndarray, columns: Mapping[str, np.ndarray]) -> float:
    """Averages one metric over the steps in which it was finite; NaN if it never was."""
    if name in _LAST or name.startswith(_LAST_OF):
        return float(column[-1])
    finite = np.isfinite(column)
    if not finite.any():
        return math.nan
    if is_maximum(name):
        return float(column[finite].max())
    weights = columns.get(f"{name.rpartition('/')[0]}/tokens", np.ones_like(column))[finite]
    if name.endswith("/tokens") or not weights.sum() > 0:
        weights = np.ones_like(weights)
    return float(np.average(column[finite], weights=weights))
