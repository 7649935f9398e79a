"""One job file and the same flags on both engines, and checkpoints that pass between them.

Where T5X is installed it is used; a stand-in that calls what T5X calls takes its place elsewhere.
"""

import importlib.util
import json
import math
import os
import subprocess
import sys

import pytest

from unified_io import cli
from unified_io.gin_edge.files import PACKAGED

STEPS = 3
SMALL = [f"--gin.{name}_LAYERS=1" for name in ("NUM_ENCODER", "NUM_DECODER", "AUDIO_VQ", "RESAMPLER")]
SMALL += [f"--gin.{name}_LAYERS=2" for name in ("VIT", "AST")]
UPSTREAM = "upstream"


def _installed() -> bool:
    try:
        return importlib.util.find_spec("t5x.train") is not None
    except ModuleNotFoundError:
        return False


needs_t5x = pytest.mark.skipif(not _installed(), reason="T5X is not installed: see docs/t5x.md")
both = pytest.mark.parametrize("t5x", ["stand-in", pytest.param("T5X", marks=[needs_t5x, pytest.mark.slow])])


def flags(run, **macros):
    return [
        "--gin_file=model/tiny.gin",
        f"--gin_file={run}.gin",
        f"--gin_file={PACKAGED}/t5x/jobs/digits.gin",
        *SMALL,
        *(f"--gin.{name}={value!r}" for name, value in macros.items()),
    ]


def ours(verb, run, **macros):
    assert cli.main([verb, f"--gin_search_paths={PACKAGED}/t5x/engine", *flags(run, **macros)]) == cli.OK


def theirs(t5x, root, mode, run, **macros):
    paths = [str(root), str(root / "tests")]
    if t5x == "stand-in":
        paths.append(str(root / "tests" / "t5x_compat" / UPSTREAM))
    done = subprocess.run(
        [sys.executable, "-m", "unified_io.t5x_compat", mode, *flags(run, **macros)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


@both
@pytest.mark.slow
def test_a_job_runs_on_both_engines_and_goes_from_one_to_the_other(t5x, root, tmp_path):
    macros = {"TRAIN_STEPS": STEPS, "BATCH_SIZE": 2, "RANDOM_SEED": 3}
    theirs(t5x, root, "train", "pretrain", MODEL_DIR=str(tmp_path / "theirs"), **macros)
    ours("train", "pretrain", MODEL_DIR=str(tmp_path / "ours"), **macros)
    lines = [json.loads(line) for line in (tmp_path / "ours" / "train.jsonl").read_text().splitlines()]
    assert lines[-1]["step"] == STEPS and math.isfinite(next(x["loss"] for x in lines if "loss" in x))
    both_leave = {"config.gin", "model-info.txt", "train", "training_eval", f"checkpoint_{STEPS}"}
    for engine in ("ours", "theirs"):
        assert both_leave <= {path.name for path in (tmp_path / engine).iterdir()}, engine
    macros = macros | {"TRAIN_STEPS": STEPS + 1, "EVALUATOR_NUM_EXAMPLES": 2}
    start = str(tmp_path / "theirs" / f"checkpoint_{STEPS}")
    with pytest.warns(UserWarning, match="can not be verified"):
        ours("train", "finetune", MODEL_DIR=str(tmp_path / "tuned"), INITIAL_CHECKPOINT_PATH=start, **macros)
    assert (tmp_path / "tuned" / f"checkpoint_{STEPS + 1}").is_dir()


@both
@pytest.mark.slow
def test_both_engines_write_the_same_predictions(t5x, root, tmp_path):
    trained = tmp_path / "trained"
    theirs(t5x, root, "train", "pretrain", MODEL_DIR=str(trained), TRAIN_STEPS=1, BATCH_SIZE=2)
    macros = {"CHECKPOINT_PATH": str(trained / "checkpoint_1"), "BATCH_SIZE": 4, "infer.num_shards": 60}
    theirs(t5x, root, "infer", "infer", INFER_OUTPUT_DIR=str(tmp_path / "theirs"), **macros)
    with pytest.warns(UserWarning, match="can not be verified"):
        ours("infer", "infer", INFER_OUTPUT_DIR=str(tmp_path / "ours"), **macros)
    found = {}
    for engine in ("ours", "theirs"):
        (written,) = (
            path
            for path in (tmp_path / engine).glob("digits_image_to_text*-predict.jsonl*")
            if path.suffix != ".COMPLETED"
        )
        rows = [json.loads(line) for line in written.read_text().splitlines()]
        found[engine] = [(row["inputs"], row["prediction"]) for row in rows]
    assert len(found["ours"]) > 2 and found["ours"] == found["theirs"]
