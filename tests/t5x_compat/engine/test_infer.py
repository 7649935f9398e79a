"""What a model says of examples: the file, its rows, and how a run that was stopped goes on."""

import json

import pytest

from tests.t5x_compat.tiny_job import EXAMPLES, MEASURED, PLAIN
from unified_io import cli
from unified_io.t5x_compat.engine import infer as engine


@pytest.fixture(scope="module")
def ask(t5x, trained):
    """Returns `ask(folder, *flags)`: runs infer on the trained model."""

    def infer(folder, *flags, code=cli.OK):
        return t5x(
            "infer",
            "infer",
            f"--gin.CHECKPOINT_PATH={trained}/checkpoint_3",
            f"--gin.INFER_OUTPUT_DIR={folder}",
            "--gin.BATCH_SIZE=2",
            "--gin.infer.checkpoint_period=1",
            *flags,
            code=code,
        )

    return infer


@pytest.fixture(scope="module")
def predicted(ask, tmp_path_factory):
    """The folder of whole predictions."""
    folder = tmp_path_factory.mktemp("predicted")
    ask(folder)
    return folder


def rows(folder, task=MEASURED, mode="predict", shard="00000-of-00001"):
    return [json.loads(line) for line in (folder / f"{task}-{mode}.jsonl-{shard}").read_text().splitlines()]


@pytest.mark.parametrize("task", [MEASURED, PLAIN])
def test_a_file_of_every_task_and_a_marker(predicted, task):
    found = rows(predicted, task)
    assert [row["inputs"]["meta/id_pretokenized"] for row in found] == [
        f"row {i}" for i in range(EXAMPLES["test"])
    ]
    assert all(isinstance(row["prediction"], str) for row in found)
    assert (predicted / f"{task}-predict.jsonl-00000-of-00001.COMPLETED").is_file()
    assert not list(predicted.glob("tmp-*"))
    assert {"config.gin", "model-info.txt"} <= {path.name for path in predicted.iterdir()}


def test_inputs_are_text_and_media_are_not_written(predicted):
    inputs = rows(predicted)[1]["inputs"]
    assert inputs["text_inputs_pretokenized"] == "[Text] [S] digit 1"
    assert inputs["text_targets_pretokenized"] == "one"
    assert not [key for key in inputs if "image" in key]


def test_what_is_complete_is_left_alone(ask, predicted):
    before = {path.name: path.stat().st_mtime_ns for path in predicted.glob("*.jsonl-*")}
    assert f"{MEASURED}-predict.jsonl-00000-of-00001 is complete already" in ask(
        predicted, "--gin.BATCH_SIZE=3"
    )
    assert before == {path.name: path.stat().st_mtime_ns for path in predicted.glob("*.jsonl-*")}


def test_predictions_of_another_checkpoint_are_refused_in_the_same_folder(ask, predicted, trained):
    said = ask(predicted, f"--gin.CHECKPOINT_PATH={trained}/checkpoint_2", code=cli.WRONG_INPUT)
    assert "choose another INFER_OUTPUT_DIR" in said


class _Killed(Exception):
    pass


def test_a_run_that_was_killed_goes_on_behind_its_last_chunk(ask, predicted, tmp_path, monkeypatch):
    whole, write, asked = rows(predicted), engine.Results.write, []

    def killed(results, made):
        if results.chunks == 1:
            raise _Killed
        write(results, made)

    one = f"--gin.MIXTURE_OR_TASK_NAME={MEASURED}"
    with monkeypatch.context() as patch:
        patch.setattr(engine.Results, "write", killed)
        with pytest.raises(_Killed):
            ask(tmp_path, one)
    assert not (tmp_path / f"{MEASURED}-predict.jsonl-00000-of-00001").exists()

    def counted(results, made):
        made = list(made)
        asked.append(len(made))
        write(results, made)

    monkeypatch.setattr(engine.Results, "write", counted)
    ask(tmp_path, one)
    assert asked == [2, 1]
    assert rows(tmp_path) == whole


def test_shards_divide_the_examples(ask, predicted, tmp_path):
    for shard in (0, 1):
        flags = f"--shard_id={shard}", "--gin.infer.num_shards=2", f"--gin.MIXTURE_OR_TASK_NAME={PLAIN}"
        ask(tmp_path, *flags)
    parts = [row for shard in (0, 1) for row in rows(tmp_path, PLAIN, shard=f"{shard:05d}-of-00002")]
    by_id = {row["inputs"]["meta/id_pretokenized"]: row for row in parts}
    assert len(parts) == EXAMPLES["test"] and [by_id[key] for key in sorted(by_id)] == rows(predicted, PLAIN)


def test_predictions_may_come_with_their_scores(ask, predicted, tmp_path):
    ask(tmp_path, "--gin.infer.mode=predict_with_aux", f"--gin.MIXTURE_OR_TASK_NAME={PLAIN}")
    both = rows(tmp_path, PLAIN, "predict_with_aux")
    assert [row["prediction"] for row in both] == [row["prediction"] for row in rows(predicted, PLAIN)]
    assert all(row["aux"]["scores"] < 0 for row in both)
    assert not list(tmp_path.glob(f"{MEASURED}*"))


def test_parameters_may_be_rounded_when_they_are_read(ask, tmp_path):
    flags = "--gin.infer.mode=score", f"--gin.MIXTURE_OR_TASK_NAME={PLAIN}"
    scores = {}
    for dtype in ("float32", "bfloat16"):
        ask(tmp_path / dtype, *flags, f"--gin.utils.RestoreCheckpointConfig.dtype={dtype}")
        scores[dtype] = [row["score"] for row in rows(tmp_path / dtype, PLAIN, "score")]
    assert scores["bfloat16"] == pytest.approx(scores["float32"], rel=0.02)
    assert scores["bfloat16"] != scores["float32"]


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("--gin.infer.mode=preddict", "did you mean 'predict'"),
        ("--shard_id=1", "shard_id is 1 of num_shards=1"),
        ("--gin.CHECKPOINT_PATH=no/such", "no checkpoint in 'no/such'"),
        ("--gin.utils.DatasetConfig.pack=True", "predictions are of single examples"),
        ("--gin.utils.DatasetConfig.split=tset", "unknown split 'tset'"),
        ("--gin.T5XModel.output=image", "image"),
    ],
    ids=["mode", "shard", "checkpoint", "pack", "split", "output"],
)
def test_what_can_not_be_is_said_before_anything_is_compiled(ask, tmp_path, flag, words):
    assert words in ask(tmp_path, flag, code=cli.WRONG_INPUT)
