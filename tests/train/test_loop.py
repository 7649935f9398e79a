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
from unified_io.train.compilations import Compilations
from unified_io.train.guard import CAUSES, SpikeConfig
from unified_io.train.interruption import Interrupted
from unified_io.train.loop import fit
from unified_io.train.optimizer import OptimizerConfig, ScheduleConfig, build
from unified_io.train.state import TrainState
from unified_io.train.step import make_eval_step, make_train_step
from unified_io.train.telemetry import Telemetry
from unified_io.train.watchdog import FILE, Stalled
from unified_io.train.window import Diverged

# What differs between two runs of the same: how long it took, and what a session found already compiled.
_TIMING = (
    "time",
    "steps_per_s",
    "examples_per_s",
    "cpu_seconds",
    "data_wait_share",
    "goodput",
    "compilations",
)


def _loss(params, batch, rng):
    hidden = jax.nn.relu(batch["x"] @ params["in"])
    keep = jax.random.bernoulli(rng, 0.9, hidden.shape)
    error = jnp.where(keep, hidden / 0.9, 0.0) @ params["out"] - batch["y"]
    return jnp.mean(error**2), {
        "text/loss": jnp.mean(error**2),
        "text/tokens": batch["tokens"],
        "examples": 16.0,
    }


def _batch(step, poison=1.0):
    rng = np.random.default_rng(step)
    x = rng.normal(size=(16, 8)).astype(np.float32)
    y = np.sin(x[:, :2]) * poison
    return {"x": x, "y": y.astype(np.float32), "tokens": np.float32(1 + step % 3)}


def _batches(start):
    return map(_batch, itertools.count(start))


def _start(spikes=None):
    keys = jax.random.split(jax.random.key(0))
    params = {
        "in": 0.3 * jax.random.normal(keys[0], (8, 32)),
        "out": 0.3 * jax.random.normal(keys[1], (32, 2)),
    }
    config = OptimizerConfig("adamw", ScheduleConfig("constant", base=0.01), spikes=spikes)
    optimizer = build(config, params)
    return TrainState.create(params, optimizer), optimizer


@pytest.fixture(scope="module")
def step_fn():
    return make_train_step(_loss, _start()[1], seed=3)


def _bits(state):
    return {name: np.asarray(leaf).tobytes() for name, leaf in pytree.named_leaves(state).items()}


class _Run:
    """One run in a folder, to be started as often as need be."""

    def __init__(self, folder, step_fn, total_steps=6, spikes=None, **settings):
        self.folder, self.step_fn, self.spikes = folder, step_fn, spikes
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
                _start(self.spikes)[0], self.step_fn, batches, checkpoints=checkpoints, telemetry=telemetry,
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


class _Killed(BaseException):
    """No error that anything handles."""


def _dying_after(steps):
    """Batches during whose making, after this many steps, the process dies."""

    def batches(start):
        for step in itertools.count(start):
            if step == steps:
                raise _Killed
            yield _batch(step)

    return batches


def test_reports_and_evaluations_come_at_their_steps(straight):
    _, lines = straight
    assert [(line["step"], "eval/sum" in line) for line in lines] == [
        (2, False), (3, True), (4, False), (6, False), (6, True),
    ]  # fmt: skip
    told = {"loss", "text/loss", "grad_norm", "grad_norm/in", "grad_norm/out", "param_norm", "learning_rate",
            "skipped_steps", *(f"skipped/{cause}" for cause in CAUSES)}  # fmt: skip
    assert told <= lines[0].keys()
    assert not any("bad" in name or "row" in name for name in lines[0]), "there is no mean of these"


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
    run = _Run(tmp_path, step_fn)
    with pytest.raises(_Killed):
        run(_dying_after(5))
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


def test_one_compilation_a_shape_with_evaluations_and_a_resume_and_a_loss_that_falls(tmp_path):
    step = make_train_step(_loss, _start()[1], seed=0)
    eval_step, in_evaluations = make_eval_step(_loss), Compilations()

    def of_two_shapes(start):
        for number in itertools.count(start):
            batch = _batch(number)
            yield batch if number < 150 else {**batch, "x": batch["x"][:8], "y": batch["y"][:8]}

    def evaluate(state):
        with in_evaluations:
            return jax.device_get(eval_step(state.params, _batch(0)))

    for total in (100, 200):
        with (
            Checkpoints(tmp_path / "c") as checkpoints,
            Telemetry(tmp_path, "train", total, io.StringIO()) as telemetry,
        ):
            fit(_start()[0], step, of_two_shapes, total_steps=total, checkpoints=checkpoints, telemetry=telemetry,
                report_period=20, eval_period=40, eval_fn=evaluate)  # fmt: skip
    lines = [json.loads(line) for line in telemetry.path.read_text().splitlines()]
    reports = [line for line in lines if "loss" in line]
    assert len(reports) == 10 and reports[-1]["loss"] < 0.4 * reports[0]["loss"]
    # The second session found the first shape compiled, and compiles the second one at step 151.
    assert [line["compilations"] for line in reports] == [1] * 5 + [0] * 2 + [1] * 3
    assert sum("eval/loss" in line for line in lines) == 6 and in_evaluations.count == 1


@pytest.mark.parametrize("save_first", [True, False])
def test_the_state_before_the_first_step_is_saved_if_wished(tmp_path, step_fn, straight, save_first):
    run = _Run(tmp_path, step_fn, save_first=save_first, checkpoint_period=100)
    with pytest.raises(_Killed):
        run(_dying_after(3))
    with Checkpoints(tmp_path) as checkpoints:
        assert checkpoints.steps() == [0] * save_first
        if save_first:
            assert _bits(checkpoints.restore(pytree.abstract(_start()[0]))) == _bits(_start()[0])
    assert (_bits(run()), run.lines()) == straight
    with Checkpoints(tmp_path) as checkpoints:
        assert checkpoints.steps() == [0, 6][not save_first :]


def test_reports_say_where_the_time_went(tmp_path, step_fn):
    def slow(start):
        for batch in _batches(start):
            time.sleep(0.02)
            yield batch

    run = _Run(tmp_path, step_fn)
    with pytest.raises(Interrupted):
        run(_signal_after(4))
    run(slow)
    rows = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    reports = [row for row in rows if "loss" in row]
    assert all(0 < row["goodput"] < 1 for row in reports)
    assert 0 < reports[-1]["data_wait_share"] < 1
    with Checkpoints(tmp_path) as checkpoints:
        first, last = checkpoints.notes(4), checkpoints.notes(6)
    assert first["began"] == last["began"] and 0 < first["good_seconds"] < last["good_seconds"]
    assert last["good_seconds"] < last["cpu_seconds"] + time.time() - last["began"]


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


def _poisoned(value, steps):
    """Batches of which some are multiplied by a value."""
    return lambda start: (_batch(i, poison=value if i in steps else 1.0) for i in itertools.count(start))


def test_too_many_skipped_steps_end_the_run_by_name_and_the_last_good_checkpoint_stays(tmp_path, step_fn):
    run = _Run(tmp_path, step_fn, total_steps=50, patience=3)
    with pytest.raises(
        Diverged,
        match="3 steps in a row were skipped, the last of them step 8: not finite is y in its batch, "
        "its text/loss, the gradient of in;",
    ):
        run(_poisoned(np.nan, range(5, 50)))
    with Checkpoints(tmp_path) as checkpoints:
        assert checkpoints.steps() == [4]
        good = checkpoints.restore(pytree.abstract(_start()[0]))
    assert int(good.opt_state.in_a_row) == 0


def test_a_run_that_was_given_up_is_given_up_at_the_same_step_when_it_is_given_again(tmp_path, step_fn):
    run = _Run(tmp_path, step_fn, total_steps=50, patience=6)
    for _ in range(2):
        with pytest.raises(Diverged, match="the last of them step 8: "):
            run(_poisoned(np.inf, range(2, 50)))
    with Checkpoints(tmp_path) as checkpoints:
        assert checkpoints.steps() == [4], "saved between skipped steps, with how many they were"


def test_a_bad_parameter_is_named(step_fn):
    state = _start()[0]
    state = state.replace(params={**state.params, "out": state.params["out"].at[3, 1].set(jnp.inf)})
    with pytest.raises(Diverged, match="not finite is the parameter out, its text/loss"):
        fit(state, step_fn, _batches, total_steps=20)


def test_bad_batches_now_and_then_are_skipped_and_counted(tmp_path, step_fn):
    run = _Run(tmp_path, step_fn, total_steps=8, patience=2)
    state = run(_poisoned(np.nan, (2, 4, 6)))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state.params))
    reports = [line for line in run.lines() if "loss" in line]
    assert [line["skipped_steps"] for line in reports] == [0, 1, 2, 3]
    assert [line["skipped/loss_not_finite"] for line in reports] == [0, 1, 2, 3]
    assert np.isfinite([line["loss"] for line in reports]).all()


@pytest.fixture(scope="module")
def wary():
    spikes = SpikeConfig(sigmas=4.0, window=4)
    return spikes, make_train_step(_loss, _start(spikes)[1], seed=3)


def test_a_spike_is_skipped_and_a_resumed_run_skips_it_too(tmp_path, wary):
    spikes, step = wary
    batches = _poisoned(30.0, (7,))
    whole = _Run(tmp_path / "whole", step, 10, spikes)
    state = whole(batches)
    assert whole.lines()[-2]["skipped/loss_spike"] == whole.lines()[-2]["skipped_steps"] == 1
    broken = _Run(tmp_path / "broken", step, 10, spikes)
    with pytest.raises(DataError):
        broken(lambda start: itertools.islice(batches(start), 6))
    assert (_bits(broken(batches)), broken.lines()) == (_bits(state), whole.lines())


def _stuck(start):
    yield _batch(start)
    time.sleep(60)


def test_a_batch_that_never_comes_is_an_error_and_no_hang(tmp_path, step_fn):
    run = _Run(tmp_path, step_fn, watchdog_s=0.3)
    with pytest.raises(Stalled, match=rf"waited 0.3 s for data, and nothing came; .*{FILE} says where"):
        run(_stuck)
    assert "_stuck" in (tmp_path / FILE).read_text()


def test_a_step_that_never_ends_is_an_error_and_no_hang(step_fn):
    with pytest.raises(Stalled, match=r"waited 0.3 s for the device"):
        fit(_start()[0], lambda *_: time.sleep(60), _batches, total_steps=3, watchdog_s=0.3)


def test_slow_evaluations_and_many_fast_steps_wake_no_watchdog(tmp_path, step_fn, straight):
    def slow(state):
        time.sleep(0.6)
        return {"sum": float(state.params["in"].sum())}

    run = _Run(tmp_path, step_fn, watchdog_s=0.5)
    assert (_bits(run(eval_fn=slow)), run.lines()) == straight
    assert "watchdog" not in {thread.name for thread in threading.enumerate()}


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
