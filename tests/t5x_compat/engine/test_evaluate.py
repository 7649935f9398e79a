"""Metrics of checkpoints by seqio's evaluator, and the list of those that were evaluated."""

import json

import pytest

from tests.t5x_compat.tiny_job import MEASURED, MIXTURE, PLAIN
from unified_io import cli


@pytest.fixture(scope="module")
def evaluated(t5x, trained, tmp_path_factory):
    """The folder in which all checkpoints of the run were evaluated on its validation split, and what was said."""
    folder = tmp_path_factory.mktemp("evaluated") / "out"
    flags = (
        f"--gin.CHECKPOINT_PATH={trained}",
        f"--gin.EVAL_OUTPUT_DIR={folder}",
        "--gin.utils.RestoreCheckpointConfig.mode=all",
        "--gin.MIXTURE_OR_TASK_SPLIT=validation",
        "--gin.BATCH_SIZE=4",
        "--gin.EVALUATOR_NUM_EXAMPLES=5",
    )
    return folder, flags, t5x("eval", "eval", *flags)


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_checkpoint_has_its_metrics(evaluated):
    folder, _, said = evaluated
    found = lines(folder / "inference_eval" / f"{MEASURED}-metrics.jsonl")
    assert [line["step"] for line in found] == [0, 2, 3]
    assert all(line["likelihood"] < 0 <= line["accuracy"] for line in found)
    assert "checkpoint_3" in said and f"{MEASURED}/accuracy" in said
    assert list((folder / "inference_eval" / MEASURED).glob("events.out.tfevents.*"))


def test_predictions_are_written_beside(evaluated):
    folder, *_ = evaluated
    found = lines(folder / "inference_eval" / f"{MEASURED}-000003.jsonl")
    assert len(found) == 5 and found[1]["target"] == ["one"] and isinstance(found[1]["prediction"], str)


def test_every_task_has_the_metrics_that_all_have(evaluated):
    folder, *_ = evaluated
    for task in (MEASURED, PLAIN):
        found = lines(folder / "inference_eval" / f"{task}-metrics.jsonl")
        assert all({"exact_match", "log_likelihood"} <= line.keys() for line in found)


def test_the_folder_says_what_was_done_and_it_is_not_done_again(evaluated, t5x, trained):
    folder, flags, _ = evaluated
    assert {"config.gin", "model-info.txt", "inference_eval"} <= {path.name for path in folder.iterdir()}
    listed = [f"{trained}/checkpoint_{step}" for step in (0, 2, 3)]
    assert (folder / f"eval.{MIXTURE}.ckpt").read_text().splitlines() == listed
    before = (folder / "inference_eval" / f"{MEASURED}-metrics.jsonl").read_text()
    assert t5x("eval", "eval", *flags).count("was evaluated before") == 3
    assert (folder / "inference_eval" / f"{MEASURED}-metrics.jsonl").read_text() == before


def test_an_evaluation_that_is_made_again_is_written_once(t5x, trained, evaluated, tmp_path):
    """As after a kill; here with other options, which change no number."""
    folder, *_ = evaluated
    file = f"inference_eval/{MEASURED}-metrics.jsonl"
    (tmp_path / file).parent.mkdir()
    (tmp_path / file).write_text("".join(f'{{"step": {step}}}\n' for step in (2, 3, 9)))
    t5x(
        "eval",
        "eval",
        f"--gin.CHECKPOINT_PATH={trained}/checkpoint_3",
        f"--gin.EVAL_OUTPUT_DIR={tmp_path}",
        "--gin.MIXTURE_OR_TASK_SPLIT=validation",
        "--gin.BATCH_SIZE=2",
        "--gin.EVALUATOR_USE_MEMORY_CACHE=False",
        "--gin.EVALUATOR_NUM_EXAMPLES=5",
        "--gin.JSON_WRITE_N_RESULTS=0",
    )
    assert not list(tmp_path.glob("inference_eval/*-0*.jsonl"))
    before, again = lines(tmp_path / file)
    assert before == {"step": 2} and again == pytest.approx(lines(folder / file)[-1], rel=1e-4)


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("--gin.MIXTURE_OR_TASK_SPLIT=tset", "unknown split 'tset'"),
        ("--gin.CHECKPOINT_PATH=no/such", "no checkpoint in 'no/such'"),
        ("--gin.utils.RestoreCheckpointConfig.mode=newest", "'newest'; did you mean"),
    ],
    ids=["no split", "no checkpoint", "mode"],
)
def test_what_can_not_be_is_said_before_anything_is_compiled(t5x, trained, tmp_path, flag, words):
    given = f"--gin.CHECKPOINT_PATH={trained}/checkpoint_3", f"--gin.EVAL_OUTPUT_DIR={tmp_path}"
    assert words in t5x("eval", "eval", *given, flag, code=cli.WRONG_INPUT)
