"""Losses between a uniform guess and a model, with a model whose log-probabilities are known beforehand."""

import math

import numpy as np
import pytest

from data_tasks.foreseen import LOSS, foresee
from tests.tiny import tiny_config
from unified_io.errors import DataError


class Reader:
    """Is sure of a target whose letters stand in its prompt, and else holds all of four letters for as likely."""

    config = tiny_config()

    def likelihood_fields(self, examples, target, **options):
        found = []
        for example in examples:
            said = example[f"{target}_targets"]
            sure = said in example["text_inputs"]
            found.append(
                (np.array([ord(c) - 97 for c in said]), np.full(len(said), 0.0 if sure else -math.log(4)))
            )
        return found


def _example(prefix, said):
    return {"text_inputs": f"{prefix} {said}", "text_targets": said, "image_inputs": np.zeros((0, 0, 3))}


def test_a_model_that_looks_is_told_from_one_that_does_not():
    training = [_example("[Text] [S]", said) for said in ("aaab", "abcd")]
    test = [_example("[Text] [S]", said) for said in ("ab", "cd", "dddd")]
    found = foresee(Reader(), test, training)
    assert found.model.score == 0 and found.model.n == 3
    assert found.swapped == pytest.approx(math.log(4))
    assert found.chance == pytest.approx(math.log(4))
    often = {"a": 5, "b": 3, "c": 2, "d": 2}  # one more than in training, 12 in all
    expected = -sum(math.log(often[c] / 12) for c in "abcddddd") / 8
    assert found.frequencies == pytest.approx(expected)


def test_inputs_are_swapped_only_between_examples_asked_for_the_same():
    test = [
        _example(f"[Text] [{paradigm}]", said) for paradigm, said in (("S", "ab"), ("R", "ab"), ("S", "cd"))
    ]
    found = foresee(Reader(), test, test)
    # The one [R] gets its own inputs and is sure; both [S] get each other's.
    assert found.swapped == pytest.approx(math.log(4) * 4 / 6)


def test_the_loss_is_a_mean_over_tokens_not_over_examples():
    assert LOSS.total([4.0, 0.0], [1, 3]) == 1.0 and LOSS.best < LOSS.worst


def test_a_target_that_training_never_had_is_told():
    with pytest.raises(DataError, match="no training example has a target of text"):
        foresee(Reader(), [_example("[Text] [S]", "ab")], [])
