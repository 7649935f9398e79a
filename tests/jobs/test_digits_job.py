"""The whole digits job with a handful of steps: interrupted twice, continued, reported; then the README's example."""

import json
import re

import numpy as np
import pytest

from data_tasks.digits import job
from unified_io import cli

STEPS = ("image_tokenizer_steps=2", "audio_tokenizer_steps=2", "model_steps=4", "test_examples=4")
FLAGS = [
    "--gin_file=gin_configs/run/digits.gin",
    "--gin.BUDGET=quick",
    *[f"--gin_bindings=quick/job.Effort.{steps}" for steps in STEPS],
    # a smaller model, for it is compiled and not trained
    *[f"--gin.{part}_LAYERS=1" for part in ("NUM_ENCODER", "NUM_DECODER", "AUDIO_VQ")],
    *[f"--gin.{part}_LAYERS=2" for part in ("VIT", "AST")],
    "--gin_bindings=TrainJob.eval_period=2",
    "--gin_bindings=TrainJob.eval_examples=16",
    "--gin_bindings=tokenizers.DigitsTokenizers.pictures=64",
]


@pytest.fixture(scope="module")
def finished(tmp_path_factory, root):
    """A folder in which runs/digits is the finished job, and what happened on the way."""
    folder = tmp_path_factory.mktemp("job")
    run = folder / "runs" / "digits"
    command = ["train", *FLAGS, f"--model_dir={run}"]
    command[1] = f"--gin_file={root / 'gin_configs/run/digits.gin'}"

    def interrupt(*_):
        raise KeyboardInterrupt

    codes = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job, "draw_samples", interrupt)
        codes.append(cli.main(command))
    stopped_at = sorted(path.name for path in run.glob("checkpoint_*"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job.report.Report, "write", interrupt)
        codes.append(cli.main(command))
    trained = (run / "model" / "config.json").stat().st_mtime_ns
    codes.append(cli.main(command))
    untouched = (run / "model" / "config.json").stat().st_mtime_ns == trained
    return folder, run, codes, stopped_at, untouched


def test_interrupted_at_any_stage_the_same_command_continues(finished):
    _, run, codes, stopped_at, untouched = finished
    assert codes == [cli.INTERRUPTED, cli.INTERRUPTED, cli.OK]
    assert stopped_at == ["checkpoint_2"], "the model was not saved where it was interrupted"
    assert untouched, "the finished model was trained again"
    steps = [json.loads(line)["step"] for line in (run / "train.jsonl").read_text().splitlines()]
    assert steps == sorted(steps) and steps[-1] == 4


def test_the_report_has_every_pair_and_control(finished):
    _, run, *_ = finished
    made = json.loads((run / "report.json").read_text())
    assert len(made["pairs"]) == 12
    for name, pair in made["pairs"].items():
        low, high = pair["interval"]
        assert low <= pair["score"] <= high, name
        assert pair["chance"] == 0.1 and pair["chance"] <= pair["floor"] and pair["ceiling"] > 0.8
    assert set(made["composites"]) == {"two_boxes", "box_to_label", "larger", "sum", "segment", "inpaint"}
    assert len(made["controls"]) == 13 and len(made["tokenizers"]) == 4
    assert made["wall_seconds"] > 0 and made["peak_rss_bytes"] > 2**20
    assert "espeak" in made["speech_source"] and "jax" in made["versions"]
    page = (run / "report.html").read_text()
    assert "<script" not in page and "http://" not in page.replace("http://www.w3.org", "")


def test_another_budget_needs_another_folder(finished, root, capsys):
    _, run, *_ = finished
    flags = [f"--gin_file={root / 'gin_configs/run/digits.gin'}", f"--model_dir={run}"]
    assert cli.main(["train", *flags]) == cli.WRONG_INPUT
    assert "choose another --model_dir" in capsys.readouterr().err


def test_the_example_of_the_readme_runs_as_written(finished, root, monkeypatch, capsys):
    folder, *_ = finished
    monkeypatch.chdir(folder)
    blocks = re.findall(r"```python\n(.*?)```", (root / "README.md").read_text(), re.DOTALL)
    (block,) = (block for block in blocks if "runs/digits" in block)
    assert len(block.strip().splitlines()) <= 12
    names: dict = {}
    exec(compile(block, "README.md", "exec"), names)
    assert names["picture"].shape == (16, 16, 3) and names["strokes"].shape[1] == 3
    assert isinstance(names["text"], str) and np.isfinite(names["sound"]).all()


@pytest.mark.slow
def test_the_quick_budget_learns_something(tmp_path, root):
    flags = [f"--gin_file={root / 'gin_configs/run/digits.gin'}", "--gin.BUDGET=quick"]
    assert cli.main(["train", *flags, f"--model_dir={tmp_path}"]) == cli.OK
    losses = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    losses = [row["loss"] for row in losses if "loss" in row]
    assert losses[-1] < 0.7 * losses[0]
