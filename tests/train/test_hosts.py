"""Several processes train as one, and one goes on where several stopped."""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from unified_io.checkpoint import Checkpoints, load_params
from unified_io.errors import ConfigError
from unified_io.train import hosts

TESTS = Path(__file__).resolve().parents[1]
STOP, END = 4, 6
LOSSES = ("loss", "grad_norm", "text/loss", "image/loss", "examples", "param_norm")


def run(devices: int, *settings: dict) -> None:
    """Starts a process for every setting, with so many virtual devices each, and waits for all."""
    environment = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    environment |= {
        "JAX_NUM_CPU_DEVICES": str(devices),
        "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)]),
        "JAX_COMPILATION_CACHE_DIR": jax.config.jax_compilation_cache_dir,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.2",
    }
    program = str(TESTS / "train" / "one_process.py")
    processes = [
        subprocess.Popen(
            [sys.executable, program, json.dumps(setting)], env=environment, stderr=subprocess.PIPE, text=True
        )
        for setting in settings
    ]
    try:
        said = [process.communicate(timeout=300)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    for process, text in zip(processes, said, strict=True):
        assert process.returncode == 0, text[-3000:]


def a_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> tuple[Path, Path]:
    """A run of one process, and one that two began and one ended."""
    alone, several = (tmp_path_factory.mktemp(name) for name in ("alone", "several"))
    port = a_port()
    run(8, {"folder": str(alone), "name": "whole", "total_steps": END})
    both = [
        {"folder": str(several), "name": f"process{i}", "total_steps": STOP, "hosts": [port, 2, i]}
        for i in (0, 1)
    ]
    try:
        run(4, *both)
    except AssertionError as error:
        # On a busy machine they may have compiled more than 30 s apart, which gloo does not wait. Now it is cached.
        if "Gloo context initialization failed" not in str(error):
            raise
        port = a_port()
        run(4, *({**setting, "hosts": [port, 2, i]} for i, setting in enumerate(both)))
    run(8, {"folder": str(several), "name": "rest", "total_steps": END})
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
        with Checkpoints(folder / "checkpoints", keep=9) as checkpoints:
            assert checkpoints.steps() == [STOP, END]
            data = checkpoints.notes(STOP)["data"]
        params, _ = load_params(folder / "checkpoints" / f"checkpoint_{STOP}")
        states.append((data, params))
    (data, params), (their_data, their_params) = states
    assert len(data["position"]["by_group"]) == 8 and their_data == data
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
