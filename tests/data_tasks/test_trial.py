"""A trial between chance and ceiling, with models whose answers are known beforehand."""

import numpy as np
import pytest

import data_tasks.toy.tasks  # noqa: F401
from data_tasks.media_tokenizers import MediaTokenizers
from data_tasks.registry import REGISTRY
from data_tasks.sources.stored import Reading
from data_tasks.trial import Trial, _swapped
from tests.tiny import MEL, tiny_config
from unified_io.errors import ConfigError
from unified_io.train.tokenizer_job import TokenizerJob

READING = Reading(mel=MEL)
CONFIG = tiny_config()


class Seer:
    """Answers with the true target of the example whose picture it is shown."""

    config = CONFIG

    def __init__(self):
        self.known = {}

    def generate_fields(self, examples, output, **options):
        return [self.known[example["image_inputs"].tobytes()] for example in examples]

    def score_fields(self, examples, answers, **options):
        right = [self.known[example["image_inputs"].tobytes()] for example in examples]
        return np.array([[float(answer == one) for answer in answers] for one in right])

    def reconstruct(self, fields, target):
        return list(fields)


class Open(Trial):
    """A trial that lets the model know what is asked."""

    def _examples(self, task, split, count):
        examples = super()._examples(task, split, count)
        output = "image" if task == "toy_depth" else "text"
        for example in examples:
            self._model.known[example["image_inputs"].tobytes()] = example[f"{output}_targets"]
        return examples


@pytest.mark.parametrize("task", ["toy_tag", "toy_boxes", "toy_depth"])
def test_who_sees_all_reaches_the_ceiling_and_beats_the_blind(task):
    row = Open(Seer(), READING, examples=12).row(task)
    better = 1.0 if row.metric.best > row.metric.worst else -1.0
    assert row.model.score == pytest.approx(row.ceiling, abs=0.02)
    assert better * row.ceiling > better * row.blind >= better * row.chance - 0.3
    assert row.beats_blind


def test_a_format_says_how_it_is_answered():
    asked = []

    class Painter(Seer):
        def generate_fields(self, examples, output, **options):
            asked.append(options)
            return ["" if output == "text" else np.zeros((8, 8, 3), np.float32)] * len(examples)

    trial = Trial(Painter(), READING, seed=3)
    for task in ("toy_depth", "toy_draw", "toy_keypoints", "toy_parts"):
        trial._answers(REGISTRY[task].form, trial._examples(task, "test", 2))
    drawn, held = {"temperature": 1.0}, {"constraint": "body_parts"}
    assert asked == [{**way, "seed": 3} for way in ({}, drawn, held, {})]


def test_unknown_tasks_and_tasks_that_nothing_is_asked_of_are_refused():
    trial = Trial(Seer(), READING)
    with pytest.raises(ConfigError, match="toy_boxes"):
        trial.row("toy_boxs")
    with pytest.raises(ConfigError, match="give an objective"):
        trial.row("toy_denoise")


def test_where_there_are_no_media_the_blind_read_the_prompt_of_another():
    said = [{"text_inputs": word, "image_inputs": np.zeros((0, 0, 3))} for word in "abc"]
    assert [example["text_inputs"] for example in _swapped(said)] == ["c", "a", "b"]
    seen = [{**example, "image_inputs": np.full((2, 2, 3), i)} for i, example in enumerate(said)]
    assert [example["text_inputs"] for example in _swapped(seen)] == ["a", "b", "c"]
    assert [example["image_inputs"].max() for example in _swapped(seen)] == [2, 0, 1]


def test_tokenizers_learn_from_the_targets_of_a_mixture(tmp_path):
    jobs = {"image": TokenizerJob(total_steps=1)}
    drawn = MediaTokenizers(jobs, {"image": "toy_depth"}, 3)._drawn("image", CONFIG, READING)
    assert drawn.shape == (3, *CONFIG.target("image").shape) and not np.array_equal(drawn[0], drawn[1])
    with pytest.raises(ConfigError, match="learns from nothing"):
        MediaTokenizers(jobs, {}).train(tmp_path, CONFIG, READING)
    with pytest.raises(ConfigError, match="toy_boxes"):  # which asks for text alone
        MediaTokenizers(jobs, {"image": "toy_boxs"}, 3)._drawn("image", CONFIG, READING)
