"""Two processes infer and fine-tune as one: the same rows, and one set of files."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.t5x_compat.tiny_job import EXAMPLES, MEASURED, PLAIN


@pytest.fixture(scope="module")
def both(root, search_paths, trained, tmp_path_factory):
    """Returns `both(what)`: has two processes do it and returns their folder."""
    folder = tmp_path_factory.mktemp("both")

    def run(what):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        given = [folder, trained / "checkpoint_3", ",".join(search_paths), what]
        command = [sys.executable, str(Path(__file__).with_name("two_processes.py")), str(port)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(root / "tests")])}
        processes = [
            subprocess.Popen(
                [*command, str(index), *map(str, given)],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for index in (0, 1)
        ]
        said = [process.communicate(timeout=300)[0] for process in processes]
        assert [process.returncode for process in processes] == [0, 0], "\n".join(said)[-3000:]
        return folder

    return run


@pytest.mark.slow
def test_two_processes_write_what_one_does(both, t5x, trained, tmp_path):
    flags = f"--gin.CHECKPOINT_PATH={trained}/checkpoint_3", f"--gin.INFER_OUTPUT_DIR={tmp_path}"
    t5x("infer", "infer", *flags)
    name = f"{MEASURED}-predict.jsonl-00000-of-00001"
    assert (both("infer") / "said" / name).read_text() == (tmp_path / name).read_text()
    assert len((tmp_path / name).read_text().splitlines()) == EXAMPLES["test"]


@pytest.mark.slow
def test_two_processes_fine_tune_and_evaluate(both):
    model_dir = both("train") / "tuned"
    for task in (MEASURED, PLAIN):
        lines = (model_dir / "inference_eval" / f"{task}-metrics.jsonl").read_text().splitlines()
        assert [json.loads(line)["step"] for line in lines] == [4]
        assert len(list((model_dir / "training_eval" / task).iterdir())) == 1
    assert (model_dir / "checkpoint_4" / "state").is_dir()
