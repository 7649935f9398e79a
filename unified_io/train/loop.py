"""The one training loop: batches in, reports and checkpoints out. Knows neither model nor data."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax

from unified_io import pytree
from unified_io.checkpoint import Checkpoints
from unified_io.errors import ConfigError, DataError
from unified_io.train import guard, hosts
from unified_io.train.agreement import Agreement, Wish
from unified_io.train.compilations import Compilations
from unified_io.train.interruption import Interrupted, StopSignal
from unified_io.train.state import TrainState
from unified_io.train.telemetry import Telemetry
from unified_io.train.watchdog import Watchdog
from unified_io.train.window import Window

_EVAL = "eval/"


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
    patience: int = 10,
    watchdog_s: float | None = None,
    save_first: bool = False,
) -> TrainState:
    """Trains until `total_steps`, from the newest checkpoint if there is one.

    A run that is stopped at any moment and started again gives the same parameters and the same reports, to the
    bit, as one that was never stopped. Of several processes one that is asked to stop has all of them save the same
    step and stop; when one gives up or dies, the others end with an error.

    Args:
      state: Where to start without a checkpoint; used up.
      step_fn: From `make_train_step`.
      batches: Given the number of steps made so far, the batches from there on.
      total_steps: Where to stop, counted from the very first step.
      checkpoints: Where to save; always at the end, and when stopped.
      checkpoint_period: Steps between saves.
      telemetry: Where to report.
      report_period: Steps between reports; a report holds means over the steps since the last one. A metric
        `<name>/x` is weighted by `<name>/tokens` where there is one; of a `…_max` it holds the largest. `cpu_seconds`
        is what training has cost all cores of this process so far, evaluations left out, over all sessions of the run.
        `data_wait_share` is the part of the time in which there was no batch. `goodput` is the time spent in steps
        that count (not skipped, not lost with a killed session), without compilation, over all the time since the run
        began, pauses included. `compilations` counts the programs compiled in steps of this session.
      eval_period: Steps between evaluations, and one at the end.
      eval_fn: Gives the numbers of an evaluation, reported as `eval/<name>`.
      time_limit_s: Stop, save and return after this time; `state.step` tells how far it came. Of several processes the
        clock of the first one counts.
      patience: Steps skipped in a row after which to give up; see `guard`.
      watchdog_s: How long a batch may take to come, and a step to be made (compilation included); None for ever.
      save_first: Save the state before the first step, too.

    Raises:
      Interrupted: After Ctrl-C or SIGTERM, when the state is saved.
      HostFailed: When another process of the run gave up or died; says why. Nothing is saved.
      Diverged: When too many steps in a row were skipped; names what was wrong with the last. Nothing is saved.
      Stalled: When the watchdog has waited too long; says for what. Nothing is saved.
      DataError: When the batches end too early. The state is saved, unless this is one of several processes.
    """
    if min(checkpoint_period, report_period, eval_period or 1, patience) < 1:
        raise ConfigError("checkpoint_period, report_period, eval_period and patience must be at least 1")
    started, begun = time.monotonic(), int(state.step)
    notes: dict[str, Any] = {}
    if checkpoints is not None and checkpoints.latest() is not None:
        state = checkpoints.restore(pytree.abstract(state))
        notes = checkpoints.notes(int(state.step))
    else:
        # Committed to its devices, as a restored state is: the two would be compiled apart.
        state = jax.device_put(state, jax.tree.map(lambda leaf: leaf.sharding, state), donate=True)
    step = first = int(state.step)
    several = jax.process_count() > 1
    compilations = Compilations()
    names = guard.names(state.opt_state), tuple(pytree.named_leaves(state.params))
    window = Window(notes, compilations, patience, *names)
    evaluated = notes.get("evaluated", False)
    if telemetry is not None:
        telemetry.resume(step, unfinished=() if evaluated else (_EVAL,))

    def eval_is_due() -> bool:
        wanted = eval_period is not None and eval_fn is not None and step > begun
        return wanted and not evaluated and (step % eval_period == 0 or step == total_steps)

    def save(wait: bool) -> None:
        # A second Ctrl-C may have come inside a step, when the old state was used up and no new one was there.
        whole = not any(leaf.is_deleted() for leaf in jax.tree.leaves(state))
        if checkpoints is not None and whole:
            with watchdog.waiting("the device"):
                window.settle()
            checkpoints.save(step, state, {**window.notes(), "evaluated": evaluated}, wait=wait)

    def wish() -> Wish:
        late = time_limit_s and time.monotonic() - started > time_limit_s and jax.process_index() == 0
        return max(stop.wish, Wish.TIME_IS_UP if late else Wish.GO_ON)

    with contextlib.ExitStack() as stack:
        stop = stack.enter_context(StopSignal(several))
        folder = telemetry and telemetry.folder
        news = hosts.news if several else None
        watchdog = stack.enter_context(Watchdog(watchdog_s, folder, stop.throw, news=news))
        stack.enter_context(hosts.sharing_errors())
        stream = batches(step)
        stack.callback(getattr(stream, "close", lambda: None))
        agreement, agreed = Agreement(), Wish.GO_ON
        try:
            if save_first and checkpoints is not None and checkpoints.latest() is None:
                save(wait=False)
            while True:
                if step < total_steps:
                    with watchdog.waiting("the device"):
                        agreed = agreement(step, wish())
                    if agreed >= Wish.INTERRUPT:
                        raise KeyboardInterrupt
                if eval_is_due():
                    with stop.at_once():
                        numbers = eval_fn(state)
                    if telemetry is not None:
                        telemetry.write(step, {f"{_EVAL}{name}": value for name, value in numbers.items()})
                    evaluated = True
                if step > first and step % checkpoint_period == 0:
                    save(wait=False)
                if step >= total_steps or agreed == Wish.TIME_IS_UP:
                    break
                with stop.at_once(), watchdog.waiting("data"), window.waiting():
                    batch = next(stream, None)
                if batch is None:
                    raise DataError(f"the batches ended after step {step} of {total_steps}; repeat the data")
                with watchdog.waiting("the device"), window.stepping():
                    with compilations:
                        state, metrics = step_fn(state, batch)
                    step, evaluated = step + 1, False
                    window.add(step, batch, metrics)
                if step % report_period == 0 or step == total_steps:
                    with watchdog.waiting("the device"):
                        means, seconds = window.close()
                    if telemetry is not None:
                        telemetry.report(step, means, seconds)
        except (KeyboardInterrupt, DataError) as error:
            if several and agreed < Wish.INTERRUPT:
                raise  # The others are in a step, and would not save with this one.
            with stop.ignored():
                save(wait=True)
            if isinstance(error, DataError):
                raise
            raise Interrupted(step, max(agreed, stop.wish) == Wish.TERMINATE) from None
        with stop.ignored():
            save(wait=True)
    return state
