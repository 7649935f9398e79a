"""The one training loop: batches in, reports and checkpoints out. Knows neither model nor data."""

import collections
import contextlib
import math
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import numpy as np

from unified_io import pytree
from unified_io.checkpoint import Checkpoints
from unified_io.errors import ConfigError, DataError, UnifiedIOError
from unified_io.train.state import TrainState
from unified_io.train.telemetry import Telemetry

# Steps that may be under way on the device while the host prepares the next batch.
_IN_FLIGHT = 2
# Metrics that are not averaged between two reports: the last value is what one wants to know.
_LAST = ("learning_rate", "skipped_steps")
_EVAL = "eval/"


class Interrupted(Exception):
    """The run was asked to stop, by Ctrl-C or SIGTERM; its state after `step` is saved if it keeps checkpoints.

    Attributes:
      step: The last whole step.
    """

    def __init__(self, step: int):
        super().__init__(f"interrupted at step {step}; give the same command to continue")
        self.step = step


class Diverged(UnifiedIOError):
    """Training gave no finite metric for several reports in a row."""


def fit(
    state: TrainState,
    step_fn: Callable[[TrainState, Any], tuple[TrainState, dict[str, jax.Array]]],
    batches: Callable[[int], Iterator[Any]],
    *,
    total_steps: int,
    checkpoints: Checkpoints | None = None,
    checkpoint_period: int = 1000,
    telemetry: Telemetry | None = None,
    report_period: int = 50,
    eval_period: int | None = None,
    eval_fn: Callable[[TrainState], Mapping[str, float]] | None = None,
    time_limit_s: float | None = None,
    patience: int = 3,
) -> TrainState:
    """Trains until `total_steps`, from the newest checkpoint if there is one.

    A run that is stopped at any moment and started again gives the same parameters and the same reports, to the
    bit, as one that was never stopped.

    Args:
      state: Where to start without a checkpoint; used up.
      step_fn: From `make_train_step`.
      batches: Given the number of steps made so far, the batches from there on.
      total_steps: Where to stop, counted from the very first step.
      checkpoints: Where to save; always at the end, and when stopped.
      checkpoint_period: Steps between saves.
      telemetry: Where to report.
      report_period: Steps between reports; a report holds means over the steps since the last one. A metric
        `<name>/x` is weighted by `<name>/tokens` where there is one. `cpu_seconds` is what training has cost all cores
        of this process so far, evaluations left out, over all sessions of the run.
      eval_period: Steps between evaluations, and one at the end.
      eval_fn: Gives the numbers of an evaluation, reported as `eval/<name>`.
      time_limit_s: Stop, save and return after this time; `state.step` tells how far it came.
      patience: Reports in a row without a finite value of some metric after which to give up.

    Raises:
      Interrupted: After Ctrl-C or SIGTERM, when the state is saved.
      Diverged: When losses stay not finite; names the metric. The last good checkpoint stays.
      DataError: When the batches end too early.
    """
    if min(checkpoint_period, report_period, eval_period or 1, patience) < 1:
        raise ConfigError("checkpoint_period, report_period, eval_period and patience must be at least 1")
    started = time.monotonic()
    notes: dict[str, Any] = {}
    if checkpoints is not None and checkpoints.latest() is not None:
        state = checkpoints.restore(pytree.abstract(state))
        notes = checkpoints.notes(int(state.step))
    else:
        # Committed to its devices, as a restored state is: the two would be compiled apart.
        state = jax.device_put(state, jax.tree.map(lambda leaf: leaf.sharding, state), donate=True)
    step = first = int(state.step)
    window = _Window(notes.get("window", {}), notes.get("bad_reports", 0), notes.get("cpu_seconds", 0.0))
    evaluated = notes.get("evaluated", False)
    if telemetry is not None:
        telemetry.resume(step, unfinished=() if evaluated else (_EVAL,))

    def eval_is_due() -> bool:
        wanted = eval_period is not None and eval_fn is not None and step > 0
        return wanted and not evaluated and (step % eval_period == 0 or step == total_steps)

    def save(wait: bool) -> None:
        # A second Ctrl-C may have come inside a step, when the old state was used up and no new one was there.
        whole = not any(leaf.is_deleted() for leaf in jax.tree.leaves(state))
        if checkpoints is not None and whole:
            checkpoints.save(step, state, {**window.notes(), "evaluated": evaluated}, wait=wait)

    with contextlib.ExitStack() as stack:
        stop = stack.enter_context(_StopSignal())
        stream = batches(step)
        stack.callback(getattr(stream, "close", lambda: None))
        try:
            while True:
                if eval_is_due():
                    with stop.at_once():
                        numbers = eval_fn(state)
                    if telemetry is not None:
                        telemetry.write(step, {f"{_EVAL}{name}": value for name, value in numbers.items()})
                    evaluated = True
                if step > first and step % checkpoint_period == 0:
                    save(wait=False)
                if step >= total_steps or (time_limit_s and time.monotonic() - started > time_limit_s):
                    break
                with stop.at_once(), window.timed():
                    batch = next(stream, None)
                if batch is None:
                    raise DataError(f"the batches ended after step {step} of {total_steps}; repeat the data")
                with window.timed():
                    state, metrics = step_fn(state, batch)
                    step, evaluated = step + 1, False
                    window.add(metrics)
                if step % report_period == 0 or step == total_steps:
                    _report(step, window, telemetry, patience)
        except (KeyboardInterrupt, DataError) as error:
            with stop.ignored():
                save(wait=True)
            if isinstance(error, DataError):
                raise
            raise Interrupted(step) from None
        with stop.ignored():
            save(wait=True)
    return state


def _report(step: int, window: "_Window", telemetry: Telemetry | None, patience: int) -> None:
    means, seconds = window.close()
    if telemetry is not None:
        telemetry.report(step, {**means, "cpu_seconds": window.cpu_seconds}, seconds)
    bad = [name for name, value in means.items() if not math.isfinite(value)]
    bad.sort(key=lambda name: not name.endswith("/loss"))
    window.bad_reports = window.bad_reports + 1 if bad else 0
    if window.bad_reports >= patience:
        raise Diverged(
            f"{bad[0]} was not finite in {patience} reports in a row, the last at step {step} "
            f"(not finite: {', '.join(bad)}); lower the learning rate, or look at the batches"
        )


class _Window:
    """The metrics of the steps since the last report. They stay on the device until somebody asks."""

    def __init__(self, values: Mapping[str, list[float | None]], bad_reports: int, cpu_seconds: float):
        """Takes up what `notes` gave."""
        self.bad_reports = bad_reports
        self.cpu_seconds = cpu_seconds
        # JSON has no NaN: None stands for every value that was not finite.
        self._fetched = {
            name: [math.nan if value is None else value for value in column]
            for name, column in values.items()
        }
        self._pending: list[dict[str, jax.Array]] = []
        self._under_way: collections.deque[Any] = collections.deque()
        self._seconds = 0.0

    def add(self, metrics: dict[str, jax.Array]) -> None:
        """Takes the metrics of one step, and waits for a step some way back so that the host does not run ahead."""
        self._pending.append(metrics)
        self._under_way.append(next(iter(metrics.values())))
        if len(self._under_way) > _IN_FLIGHT:
            jax.block_until_ready(self._under_way.popleft())

    @contextlib.contextmanager
    def timed(self) -> Iterator[None]:
        """Counts the time spent in this context as training."""
        start, cpu = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            self._seconds += time.perf_counter() - start
            self.cpu_seconds += time.process_time() - cpu

    def notes(self) -> dict[str, Any]:
        """Returns what a resumed run needs to go on with this window, as JSON values."""
        self._fetch()
        columns = {
            name: [value if math.isfinite(value) else None for value in column]
            for name, column in self._fetched.items()
        }
        return {"window": columns, "bad_reports": self.bad_reports, "cpu_seconds": self.cpu_seconds}

    def close(self) -> tuple[dict[str, float], float]:
        """Returns the means and the seconds since the last report, and begins anew."""
        with self.timed():
            self._fetch()
        columns = {name: np.array(column) for name, column in self._fetched.items()}
        means = {name: _mean(name, column, columns) for name, column in columns.items()}
        seconds, self._seconds, self._fetched = self._seconds, 0.0, {}
        return means, seconds

    def _fetch(self) -> None:
        for metrics in jax.device_get(self._pending):
            for name, value in metrics.items():
                self._fetched.setdefault(name, []).append(float(value))
        self._pending.clear()


def _mean(name: str, column: np.ndarray, columns: Mapping[str, np.ndarray]) -> float:
    """Averages one metric over the steps in which it was finite; NaN if it never was."""
    if name in _LAST:
        return float(column[-1])
    finite = np.isfinite(column)
    if not finite.any():
        return math.nan
    weights = columns.get(f"{name.rpartition('/')[0]}/tokens", np.ones_like(column))[finite]
    if name.endswith("/tokens") or not weights.sum() > 0:
        weights = np.ones_like(weights)
    return float(np.average(column[finite], weights=weights))


class _StopSignal:
    """Turns Ctrl-C and SIGTERM into one KeyboardInterrupt at a moment when the state is whole.

    A second Ctrl-C does not wait for that moment.
    """

    def __init__(self):
        self._asked = False
        self._at_once = False
        self._ignored = False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> "_StopSignal":
        for number in (signal.SIGINT, signal.SIGTERM):
            # Only the main thread may set handlers; elsewhere the run can not be stopped by a signal.
            with contextlib.suppress(ValueError):
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    @contextlib.contextmanager
    def at_once(self) -> Iterator[None]:
        """In this context a signal raises right away: nothing is half done that could not be done again."""
        if self._asked and not self._ignored:
            raise KeyboardInterrupt
        self._at_once = True
        try:
            yield
        finally:
            self._at_once = False

    @contextlib.contextmanager
    def ignored(self) -> Iterator[None]:
        """In this context a signal does nothing: the state is being saved."""
        self._ignored = True
        yield
        self._ignored = False

    def _handle(self, number: int, frame: object) -> None:
        impatient = self._asked and number == signal.SIGINT
        self._asked = True
        if (self._at_once or impatient) and not self._ignored:
            raise KeyboardInterrupt
