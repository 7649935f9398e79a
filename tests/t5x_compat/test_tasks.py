"""Copies of tasks under names of their own, and what T5X and seqio's evaluator read, write and measure of them."""

import functools
import json

import numpy as np
import pytest
import seqio
import tensorflow as tf

from tests.t5x_compat.small_tasks import CONFIG, LENGTHS, dataset_config, declared
from tests.t5x_compat.upstream.t5x import eval as t5x_eval
from tests.t5x_compat.upstream.t5x import infer as t5x_infer
from unified_io.modalities.text import TextInput
from unified_io.t5x_compat.lengths import limited
from unified_io.t5x_compat.model import T5XModel
from unified_io.t5x_compat.tasks import Spelling, exact_match, log_likelihood, registered

# T5X's gin files limit the configuration before the model is made of it.
LIMITED = limited(CONFIG, LENGTHS)
TARGET = LIMITED.target("text")


@pytest.fixture(scope="module", autouse=True)
def tasks():
    with declared():
        yield


def tokens(said):
    row = TARGET.preprocess({"text_targets": said}, seed=0, training=False)["tokens"]
    return np.pad(row, (0, TARGET.max_length - len(row))).tolist()


def says(dataset, said, **given):
    """A model that says the same to every numbered example, for T5X's functions of a model."""
    return [(index, said(features)) for index, features in dataset.as_numpy_iterator()]


def test_a_registered_task_is_bound_once_and_leaves_the_declared_one_alone():
    declared_one = seqio.TaskRegistry.get("t5x_asked")
    name = registered("t5x_mixed", CONFIG)
    assert name == registered("t5x_mixed", CONFIG) != registered("t5x_mixed", LIMITED)
    mixture = seqio.get_mixture_or_task(name)
    # T5X asks for the tasks of a mixture by name, one by one
    assert {seqio.TaskRegistry.get(task.name) for task in mixture.tasks} == {*mixture.tasks}
    rates = [mixture.get_rate(task) for task in sorted(mixture.tasks, key=lambda task: task.name)]
    assert rates == [2.0, 1.0]
    assert seqio.TaskRegistry.get("t5x_asked") is declared_one and not declared_one.metric_fns


def test_predicted_tokens_are_read_as_text():
    name = registered("t5x_asked", CONFIG)
    vocabulary = seqio.TaskRegistry.get(name).output_features["text_targets"].vocabulary
    rows = [tokens("a box"), tokens("two")]
    assert vocabulary.decode_tf(tf.constant(rows[0])).numpy() == b"a box"
    assert vocabulary.decode_tf(tf.constant(rows)).numpy().tolist() == [b"a box", b"two"]
    assert [vocabulary.decode(row) for row in rows] == ["a box", "two"]
    assert vocabulary == Spelling(CONFIG.target("text")) != seqio.PassThroughVocabulary(size=1)


@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["measured", "given"])
def test_seqio_evaluates_a_model(lengths, tmp_path):
    cfg = dataset_config("t5x_mixed", lengths, split="validation", batch_size=4)
    made = functools.partial(
        seqio.Evaluator,
        target_field_name="text_targets",
        logger_cls=[seqio.PyLoggingLogger, seqio.TensorBoardLogger, seqio.JSONLogger],
    )
    model = T5XModel(LIMITED)
    evaluator = t5x_eval.InferenceEvaluator(cfg, made, model, partitioner=None, log_dir=str(tmp_path))
    assert evaluator.model_feature_shapes["inputs/text/tokens"] == (20,)
    assert len(evaluator.eval_tasks) == 2
    predict = functools.partial(says, said=lambda features: tokens("It is 4."))
    score = functools.partial(
        says, said=lambda features: -float((features["targets/text/targets"] > 0).sum())
    )
    future, _ = evaluator._evaluator.evaluate(
        compute_metrics=True, step=3, predict_fn=predict, score_fn=score
    )
    found = {name.split(".")[0]: values for name, values in future.result().items()}
    assert found["t5x_asked"]["exact_match"] == pytest.approx(100 / 6)
    assert found["t5x_asked"]["log_likelihood"] < -1 and found["t5x_drawn"] == {"log_likelihood": 0.0}
    (path,) = (tmp_path / "inference_eval").glob("t5x_asked.*-000003.jsonl")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(lines) == 6 and lines[4]["target"] == ["it is 4", "4"]
    assert lines[4]["prediction"] == "It is 4." and "ndarray" in lines[4]["input"]["image_inputs"]


@pytest.mark.parametrize(("mode", "key"), [("predict", "prediction"), ("score", "score")])
def test_predictions_are_written_beside_what_was_asked(mode, key, tmp_path):
    task = seqio.TaskRegistry.get(registered("t5x_asked", CONFIG))
    converter = T5XModel(LIMITED).FEATURE_CONVERTER_CLS(pack=False)
    dataset = task.get_dataset(sequence_length=LENGTHS, split="validation", shuffle=False, num_epochs=1)
    said = {"predict": lambda features: tokens("a box"), "score": lambda features: -1.5}[mode]
    vocabulary = task.output_features["text_targets"].vocabulary
    write = functools.partial(t5x_infer.write_inferences_to_file, mode=mode, vocabulary=vocabulary)
    path = tmp_path / "predictions.jsonl"
    both = tf.data.Dataset.zip((dataset, converter(dataset, task_feature_lengths=LENGTHS)))
    t5x_infer._infer_task(task, both, 4, functools.partial(says, said=said), write, str(path), False)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [row[key] for row in rows] == [{"predict": "a box", "score": -1.5}[mode]] * 6
    assert [row["inputs"]["text_inputs_pretokenized"] for row in rows] == [
        f"[Text] [S] {n}" for n in range(6)
    ]
    # Nothing but text: an image would be written as lists.
    assert rows[2]["inputs"] == {
        "text_inputs_pretokenized": "[Text] [S] 2",
        "text_targets_pretokenized": "it is 2\n2",
        "meta/id_pretokenized": "2",
        "meta/task_pretokenized": "t5x_asked",
    }


def test_a_task_that_says_how_it_is_judged_is_judged_so():
    def judge(said, example, is_target=False):
        return int(example["text_targets"][-1]) if is_target else len(said)

    asked = seqio.TaskRegistry.get("t5x_asked")
    own = asked.replace(
        name="t5x_judged",
        postprocess_fn=judge,
        metric_fns=[lambda targets, predictions: {"off": sum(map(abs, np.subtract(targets, predictions)))}],
    )
    seqio.TaskRegistry.add_provider("t5x_judged", own)
    copy = seqio.TaskRegistry.get(registered("t5x_judged", CONFIG))
    examples = [*copy.get_dataset(None, "validation", shuffle=False).as_numpy_iterator()]
    truths = [copy.postprocess_fn("", example=example, is_target=True) for example in examples]
    assert truths == [0, 1, 2, 3, 4, 5]
    said = [copy.postprocess_fn("abc", example=example, is_target=False) for example in examples]
    assert copy.predict_metric_fns[0](truths, said) == {"off": 9}
    assert [function.__name__ for function in copy.score_metric_fns] == ["log_likelihood"]


def test_a_model_that_writes_no_text_has_no_answers_to_compare():
    assert exact_match([["a"], [], ["b", "c"]], ["A.", "x", "d"]) == {"exact_match": 50.0}
    assert exact_match([[], ["a"]], ["x", [3, 4]]) == {}
    assert log_likelihood([[], []], [-1.0, -2.0]) == {"log_likelihood": -1.5}
    silent = type(CONFIG)(CONFIG.backbone, CONFIG.inputs, (CONFIG.target("action"),))
    task = seqio.TaskRegistry.get(registered("t5x_drawn", silent))
    (example, *_) = task.get_dataset(None, "train", shuffle=False).as_numpy_iterator()
    assert task.postprocess_fn("said", example=example, is_target=True) == []
    assert any(isinstance(modality, TextInput) for modality in silent.inputs)
