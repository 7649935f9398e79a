"""Several processes train as one, stop as one and fail as one, and one goes on where several stopped."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from train import troubled

from unified_io.checkpoint import Checkpoints, load_params
from unified_io.errors import ConfigError
from unified_io.train import hosts

TESTS = Path(__file__).resolve().parents[1]
STOP, END = 4, 6
LOSSES = ("loss", "grad_norm", "text/loss", "examples", "param_norm")


def run(program: str, devices: int, *settings: dict) -> list[tuple[int, str, str]]:
    """Starts a process for every setting, with so many virtual devices each.

    Settings that hold a list of `hosts` are told a free port, the number of processes and their own.

    Returns:
      The exit status, the output and the errors of each.
    """
    environment = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    environment |= {
        "JAX_NUM_CPU_DEVICES": str(devices),
        "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)]),
        "JAX_COMPILATION_CACHE_DIR": jax.config.jax_compilation_cache_dir,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.2",
    }
    port, several = a_port(), len(settings) > 1
    processes = []
    for number, setting in enumerate(settings):
        found = {**setting, "hosts": [port, len(settings), number]} if several else setting
        command = [sys.executable, str(TESTS / "train" / program), json.dumps(found)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        processes.append(subprocess.Popen(command, env=environment, **pipes))
    try:
        said = [process.communicate(timeout=300) for process in processes]
    finally:
        for process in processes:
            process.kill()
    ends = [(process.returncode, *texts) for process, texts in zip(processes, said, strict=True)]
    # On a busy machine they may have compiled more than 30 s apart, which gloo does not wait. Now it is cached.
    late = any("Gloo context initialization failed" in errors for *_, errors in ends)
    return run(program, devices, *settings) if late else ends


def train(devices: int, *settings: dict) -> None:
    """Runs `one_process.py`."""
    for status, _, errors in run("one_process.py", devices, *settings):
        assert status == 0, errors[-3000:]


def a_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> tuple[Path, Path]:
    """A run of one process, and one that two began and one ended."""
    alone, several = (tmp_path_factory.mktemp(name) for name in ("alone", "several"))
    train(2, *({"runs": [[str(several), f"process{i}", STOP]]} for i in (0, 1)))
    train(4, {"runs": [[str(alone), "whole", END], [str(several), "rest", END]]})
    return alone, several


def reports(folder: Path, name: str) -> list[dict]:
    return [json.loads(line) for line in (folder / name / "train.jsonl").read_text().splitlines()]


def numbers(lines: list[dict]) -> np.ndarray:
    return np.array([[line[name] for name in LOSSES] for line in lines])


def test_two_processes_report_what_one_does(folders):
    alone, several = folders
    wanted = reports(alone, "whole")
    assert [line["step"] for line in wanted] == [*range(1, END + 1)]
    first, second = (numbers(reports(several, f"process{i}")) for i in (0, 1))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first, numbers(wanted)[:STOP], rtol=1e-5)


def test_their_checkpoint_is_that_of_one_process(folders):
    states = []
    for folder in folders:
        with Checkpoints(folder, keep=9) as checkpoints:
            assert checkpoints.steps() == [STOP, END]
            data = checkpoints.notes(STOP)["data"]
        params, _ = load_params(folder / f"checkpoint_{STOP}")
        states.append((data, params))
    (data, params), (their_data, their_params) = states
    assert len(data["position"]["by_group"]) == 4 and their_data == data
    jax.tree.map(lambda a, b: np.testing.assert_allclose(b, a, atol=1e-5), params, their_params)


def test_one_process_goes_on_where_two_stopped(folders):
    alone, several = folders
    np.testing.assert_allclose(
        numbers(reports(several, "rest")), numbers(reports(alone, "whole"))[STOP:], rtol=1e-5
    )
    ends = [np.load(folder / f"{name}.npz") for folder, name in zip(folders, ("whole", "rest"), strict=True)]
    assert len(ends[0].files) > 20 and ends[0].files == ends[1].files
    for name in ends[0].files:
        np.testing.assert_allclose(ends[1][name], ends[0][name], atol=1e-5, err_msg=name)


def test_both_processes_have_all_parameters_in_the_end(folders):
    first, second = (np.load(folders[1] / f"process{i}.npz") for i in (0, 1))
    for name in first.files:
        np.testing.assert_array_equal(first[name], second[name])


def act(folder: Path, *acts: tuple[str, str, int]) -> list[tuple[int, list[dict], str]]:
    """Runs `troubled.py` as two processes; returns of each its status, what it told of each act, and its errors."""
    setting = {"folder": str(folder), "acts": acts}
    ends = run("troubled.py", 1, setting, setting)
    return [(status, [json.loads(line) for line in out.splitlines() if line[0] == "{"], errors)
            for status, out, errors in ends]  # fmt: skip


SIGNALS = [("a", "SIGTERM", 1), ("b", "SIGINT", 0)]


@pytest.fixture(scope="module")
def played(tmp_path_factory) -> list[dict]:
    """What two processes tell of acts after which they go on; both tell the same and end with 0."""
    stopped_and_resumed = [(name, *rest) for name, *how in SIGNALS for rest in (how, ("none", 0))]
    acts = ("whole", "none", 0), ("c", "time", 1), ("d", "time", 0), *stopped_and_resumed, ("d", "SIGTERM", 0)
    (status, told, errors), other = act(tmp_path_factory.mktemp("played"), *acts)
    assert status == other[0] == 0, errors + other[2]
    assert told == other[1] and len(told) == len(acts)
    return told


def test_a_signal_to_one_process_has_both_save_the_same_step_and_go_on_as_if_there_had_been_none(played):
    whole, _, _, *stopped_and_resumed, last = played
    for (_, name, _), stopped, ended in zip(
        SIGNALS, stopped_and_resumed[::2], stopped_and_resumed[1::2], strict=True
    ):
        assert troubled.TROUBLE_STEP < stopped["stopped"] < troubled.TOTAL_STEPS
        assert stopped["saved"] == [troubled.CHECKPOINT_PERIOD, stopped["stopped"]]
        assert stopped["terminated"] == (name == "SIGTERM")
        assert ended == whole
    assert whole["ended"] == troubled.TOTAL_STEPS
    assert last["terminated"], "after it both ended with 0"


def test_the_clock_of_the_first_process_is_that_of_all(played):
    whole, late_in_the_second, late_in_the_first, *_ = played
    assert late_in_the_second == whole
    assert late_in_the_first["ended"] < 5


@pytest.mark.parametrize("victim", [0, 1])
def test_data_that_end_in_one_process_end_the_other_with_the_reason(tmp_path, victim):
    ends = act(tmp_path, ("run", "end", victim))
    assert [status for status, *_ in ends] == [2, 2]
    assert ends[victim][2].splitlines()[-1].startswith("DataError: the batches ended after step 5 of 14")
    assert (
        f"HostFailed: process {victim} of this run gave up: DataError: the batches ended after step 5"
        in ends[1 - victim][2]
    )


def test_data_that_never_come_in_one_process_are_an_error_in_both(tmp_path):
    first, second = act(tmp_path, ("run", "sleep", 1))
    assert first[0] == second[0] == 2
    assert f"waited {troubled.WATCHDOG_S:g} s for data" in second[2]
    assert f"waited {troubled.WATCHDOG_S:g} s for the device" in first[2] or "gave up: Stalled" in first[2]


@pytest.mark.parametrize("victim", [0, 1])
def test_a_process_that_is_killed_ends_the_other_soon_and_both_can_go_on(tmp_path, victim, played):
    ends = act(tmp_path, ("run", "SIGKILL", victim))
    status, told, errors = ends[1 - victim]
    assert ends[victim][0] == -signal.SIGKILL
    assert status != 0 and not told
    assert "heartbeat" not in errors, "the other had to wait until it was missed"
    # With the first process the coordinator dies, and JAX itself may end the other before we can.
    assert re.search(r"lost another process of this run|another task died", errors), errors[-3000:]
    for status, told, errors in act(tmp_path, ("run", "none", 0)):
        assert (status, told) == (0, played[:1]), errors[-3000:]


def test_launch_files_are_sound_shell_and_name_gin_files_that_exist():
    root = TESTS.parent
    files = [*sorted((root / "launch").iterdir()), root / "docs" / "launch.md"]
    assert len(files) > 3
    for file in files:
        text = file.read_text()
        assert "ot yet run" in text or "been run" in text, f"{file} does not say whether it was run"
        named = re.findall(r"gin_configs/[\w/]+\.gin", text)
        assert named and all((root / name).is_file() for name in named), file
        if text.startswith("#!"):
            subprocess.run(["bash", "-n", file], check=True)


@pytest.mark.parametrize(
    "environment, count",
    [
        ({}, 1),
        ({"SLURM_NTASKS": "8", "SLURM_PROCID": "0"}, 1),  # a batch script that has not called srun
        ({"SLURM_STEP_NUM_TASKS": "1"}, 1),
        ({"SLURM_STEP_NUM_TASKS": "16"}, 16),
        ({"OMPI_COMM_WORLD_SIZE": "2"}, 2),
        ({"TPU_WORKER_HOSTNAMES": "localhost"}, 1),
        ({"TPU_WORKER_HOSTNAMES": "tpu-0.job,tpu-1.job,tpu-2.job"}, 3),
        ({"TPU_WORKER_HOSTNAMES": ""}, 1),
    ],
)
def test_launchers_say_how_many_there_are(environment, count):
    assert hosts.expected(environment) == count


def test_a_process_on_its_own_joins_nobody(monkeypatch):
    for name in hosts._COUNTS:
        monkeypatch.delenv(name, raising=False)
    hosts.start()
    assert not jax.distributed.is_initialized()


@pytest.mark.parametrize(
    "arguments, said",
    [
        (("somewhere", 2, 0), "'somewhere' is not host:port"),
        (("host:1234", 2, 2), "process 2 of 2"),
        (("host:1234", 2, -1), "process -1 of 2"),
        (("host:1234", 0, 0), "process 0 of 0"),
    ],
)
def test_numbers_that_make_no_sense_are_errors(arguments, said):
    with pytest.raises(ConfigError, match=said) as error:
        hosts.start(*arguments)
    assert "--process_count=N" in str(error.value)


def test_too_late_is_an_error():
    assert jax.devices()
    with pytest.raises(ConfigError, match="can not join the other processes of this run: .*before"):
        hosts.start("127.0.0.1:1", 2, 0)
