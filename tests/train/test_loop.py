"""A run that was stopped anywhere ends where one that was never stopped ends, to the bit."""

import io
import itertools
import json
import os
import signal
import threading
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified_io import pytree
from unified_io.checkpoint import Checkpoints
from unified_io.errors import ConfigError, DataError
from unified_io.train.loop import Diverged, Interrupted, fit
from unified_io.train.optimizer import OptimizerConfig, ScheduleConfig, build
from unified_io.train.state import TrainState
from unified_io.train.step import make_train_step
from unified_io.train.telemetry import Telemetry

_TIMING = ("time", "steps_per_s", "examples_per_s", "cpu_seconds")


def _loss(params, batch, rng):
    hidden = jax.nn.relu(batch["x"] @ params["in"])
    keep = jax.random.bernoulli(rng, 0.9, hidden.shape)
    error = jnp.where(keep, hidden / 0.9, 0.0) @ params["out"] - batch["y"]
    return jnp.mean(error**2), {
        "text/loss": jnp.mean(error**2),
        "text/tokens": batch["tokens"],
        "examples": 16.0,
    }


def _batch(step, poison=False):
    rng = np.random.default_rng(step)
    x = rng.normal(size=(16, 8)).astype(np.float32)
    y = np.sin(x[:, :2]) * (np.nan if poison else 1.0)
    return {"x": x, "y": y.astype(np.float32), "tokens": np.float32(1 + step % 3)}


def _batches(start):
    return map(_batch, itertools.count(start))


def _start():
    keys = jax.random.split(jax.random.key(0))
    params = {
        "in": 0.3 * jax.random.normal(keys[0], (8, 32)),
        "out": 0.3 * jax.random.normal(keys[1], (32, 2)),
    }
    optimizer = build(OptimizerConfig("adamw", ScheduleConfig("constant", base=0.01)), params)
    return TrainState.create(params, optimizer), optimizer


@pytest.fixture(scope="module")
def step_fn():
    return make_train_step(_loss, _start()[1], seed=3)


def _bits(state):
    return {name: np.asarray(leaf).tobytes() for name, leaf in pytree.named_leaves(state).items()}


class _Run:
    """One run in a folder, to be started as often as need be."""

    def __init__(self, folder, step_fn, total_steps=6, **settings):
        self.folder, self.step_fn = folder, step_fn
        self.settings = {"total_steps": total_steps, "checkpoint_period": 4, "report_period": 2, **settings}
        self.evaluated = []

    def __call__(self, batches=_batches, eval_fn=None):
        def evaluate(state):
            self.evaluated.append(int(state.step))
            return {"sum": float(state.params["in"].sum())}

        total = self.settings["total_steps"]
        with (
            Checkpoints(self.folder) as checkpoints,
            Telemetry(self.folder, "train", total, stream=io.StringIO()) as telemetry,
        ):
            return fit(
                _start()[0], self.step_fn, batches, checkpoints=checkpoints, telemetry=telemetry,
                eval_period=3, eval_fn=eval_fn or evaluate, **self.settings,
            )  # fmt: skip

    def lines(self):
        rows = [json.loads(line) for line in (self.folder / "train.jsonl").read_text().splitlines()]
        return [{key: value for key, value in row.items() if key not in _TIMING} for row in rows]


@pytest.fixture(scope="module")
def straight(tmp_path_factory, step_fn):
    run = _Run(tmp_path_factory.mktemp("straight"), step_fn)
    return _bits(run()), run.lines()


def _signal_after(steps, number=signal.SIGINT):
    """Batches during whose making, after this many steps, the process gets a signal."""

    def batches(start):
        for step in itertools.count(start):
            if step == steps:
                os.kill(os.getpid(), number)
                time.sleep(5)
            yield _batch(step)

    return batches


def test_reports_and_evaluations_come_at_their_steps(straight):
    _, lines = straight
    assert [(line["step"], "eval/sum" in line) for line in lines] == [
        (2, False), (3, True), (4, False), (6, False), (6, True),
    ]  # fmt: skip
    assert {"loss", "text/loss", "grad_norm", "param_norm", "learning_rate", "skipped_steps"} <= lines[
        0
    ].keys()


@pytest.mark.parametrize("steps", [1, 3, 4, 5])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_and_resumed_is_the_same_run(tmp_path, step_fn, straight, steps, number):
    run = _Run(tmp_path, step_fn)
    with pytest.raises(Interrupted, match=f"interrupted at step {steps}; give the same command") as error:
        run(_signal_after(steps, number))
    assert error.value.step == steps
    assert (_bits(run()), run.lines()) == straight
    assert run.evaluated == [3, 6]


def test_a_signal_inside_a_step_lets_the_step_finish(tmp_path, step_fn, straight):
    calls = []

    def step(state, batch):
        calls.append(1)
        if len(calls) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.01)
        return step_fn(state, batch)

    run = _Run(tmp_path, step)
    with pytest.raises(Interrupted, match="step 2"):
        run()
    assert (_bits(run()), run.lines()) == straight


def test_a_signal_inside_an_evaluation_has_it_made_again(tmp_path, step_fn, straight):
    def stopped(state):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)

    run = _Run(tmp_path, step_fn)
    with pytest.raises(Interrupted, match="step 3"):
        run(eval_fn=stopped)
    assert (_bits(run()), run.lines()) == straight


def test_killed_without_warning_goes_back_to_the_last_checkpoint(tmp_path, step_fn, straight):
    class Killed(BaseException):
        pass

    def dying(start):
        for step in itertools.count(start):
            if step == 5:
                raise Killed
            yield _batch(step)

    run = _Run(tmp_path, step_fn)
    with pytest.raises(Killed):
        run(dying)
    with Checkpoints(tmp_path) as checkpoints:
        assert checkpoints.steps() == [4]
    assert (_bits(run()), run.lines()) == straight


def test_a_finished_run_given_again_does_nothing(tmp_path, step_fn, straight):
    run = _Run(tmp_path, step_fn)
    run()
    assert (_bits(run()), run.lines()) == straight
    assert run.evaluated == [3, 6]


def test_a_time_limit_saves_and_returns(tmp_path, step_fn, straight):
    run = _Run(tmp_path, step_fn, time_limit_s=1e-9)
    assert int(run().step) == 0
    run.settings["time_limit_s"] = 60.0
    assert (_bits(run()), run.lines()) == straight


def test_cpu_seconds_add_up_over_sessions_and_leave_evaluations_out(tmp_path, step_fn):
    def busy(state):
        start = time.process_time()
        while time.process_time() - start < 0.5:
            pass
        return {"sum": 0.0}

    run = _Run(tmp_path, step_fn)
    with pytest.raises(Interrupted):
        run(_signal_after(4), eval_fn=busy)
    run(eval_fn=busy)
    rows = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    seconds = [row["cpu_seconds"] for row in rows if "cpu_seconds" in row]
    assert len(seconds) == 3 and 0 < seconds[0] < seconds[1] < seconds[2]
    assert seconds[1] - seconds[0] < 0.5


def _counted(step_fn):
    """Returns a step, and the list to which each call of it adds how many programs were compiled during it."""
    compiled = []

    def count(event, duration, **_):
        compiled[-1] += "backend_compile" in event

    def step(state, batch):
        compiled.append(0)
        jax.monitoring.register_event_duration_secs_listener(count)
        try:
            return step_fn(state, batch)
        finally:
            jax.monitoring.unregister_event_duration_listener(count)

    return compiled, step


def test_one_compilation_and_a_loss_that_falls(tmp_path):
    state, optimizer = _start()
    compiled, step = _counted(make_train_step(_loss, optimizer, seed=0))
    with (
        Checkpoints(tmp_path / "c") as checkpoints,
        Telemetry(tmp_path, "train", 200, io.StringIO()) as telemetry,
    ):
        fit(
            state,
            step,
            _batches,
            total_steps=100,
            checkpoints=checkpoints,
            telemetry=telemetry,
            report_period=20,
        )
        fit(
            _start()[0],
            step,
            _batches,
            total_steps=200,
            checkpoints=checkpoints,
            telemetry=telemetry,
            report_period=20,
        )
    losses = [json.loads(line)["loss"] for line in telemetry.path.read_text().splitlines()]
    assert len(losses) == 10 and losses[-1] < 0.4 * losses[0]
    assert compiled == [1] + [0] * 199


def test_means_are_weighted_by_tokens(tmp_path):
    values = iter([1.0, 3.0])

    def step(state, batch):
        value = next(values)
        metrics = {"text/loss": value, "text/tokens": value, "loss": value, "learning_rate": value}
        return state.replace(step=state.step + 1), {k: jnp.asarray(v) for k, v in metrics.items()}

    with Telemetry(tmp_path, "train", 2, io.StringIO()) as telemetry:
        fit(_start()[0], step, _batches, total_steps=2, telemetry=telemetry, report_period=2)
    [line] = map(json.loads, telemetry.path.read_text().splitlines())
    assert (line["text/loss"], line["text/tokens"], line["loss"], line["learning_rate"]) == (
        2.5,
        2.0,
        2.0,
        3.0,
    )


def test_a_loss_that_stays_nan_stops_the_run_and_is_named(tmp_path, step_fn):
    def poisoned(start):
        return (_batch(step, poison=step >= 4) for step in itertools.count(start))

    run = _Run(tmp_path, step_fn, total_steps=50)
    with pytest.raises(
        Diverged, match="text/loss was not finite in 3 reports in a row, the last at step 10 "
    ):
        run(poisoned)
    assert run.lines()[-1]["loss"] is None and run.lines()[-1]["skipped_steps"] == 6


def test_one_bad_batch_is_skipped_and_counted(tmp_path, step_fn):
    def poisoned(start):
        return (_batch(step, poison=step == 2) for step in itertools.count(start))

    run = _Run(tmp_path, step_fn)
    state = run(poisoned)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state.params))
    assert [line["skipped_steps"] for line in run.lines() if "loss" in line] == [0, 1, 1]


def test_batches_that_end_are_an_error_after_a_save(tmp_path, step_fn, straight):
    run = _Run(tmp_path, step_fn)
    with pytest.raises(DataError, match="ended after step 3 of 6"):
        run(lambda start: map(_batch, range(start, 3)))
    assert (_bits(run()), run.lines()) == straight
    with pytest.raises(ConfigError, match="at least 1"):
        fit(_start()[0], step_fn, _batches, total_steps=1, report_period=0)


def test_outside_the_main_thread_it_trains_without_signals(step_fn):
    states = []
    thread = threading.Thread(
        target=lambda: states.append(fit(_start()[0], step_fn, _batches, total_steps=3))
    )
    thread.start()
    thread.join()
    assert int(states[0].step) == 3


def test_the_loop_adds_little_to_a_step():
    def step(state, batch):
        return state, metrics

    state, metrics = _start()[0], {f"m{i}": jnp.zeros(()) for i in range(20)}
    batch = _batch(0)
    start = time.process_time()
    fit(state, step, lambda _: itertools.repeat(batch), total_steps=500, report_period=100)
    assert (time.process_time() - start) / 500 < 1e-3
