"""A view completed with the help of another: what is hidden is not shown, what is asked for is the whole."""

import numpy as np
import pytest

from data_tasks.formats.cross_view import CompleteView
from tests.data_tasks.formats.painting import best, check_laws, gradient, oracle
from tests.data_tasks.formats.wording import SEEDS, made, raw
from unified_io.errors import DataError

FORM = CompleteView("cross_view")
EXAMPLE = raw(images=[gradient() / 2, gradient()])


def test_laws_and_oracle():
    check_laws(FORM, EXAMPLE)
    assert oracle(FORM, [EXAMPLE] * 2) == pytest.approx(best(FORM))


def test_what_is_hidden_is_blank_and_masked_and_the_target_is_whole():
    for seed in SEEDS:
        fields = made(FORM, EXAMPLE, seed)
        shown = fields["image_input_masks"]
        assert not fields["image_inputs"][~shown].any()
        np.testing.assert_array_equal(fields["image_inputs"][shown], fields["image_targets"][shown])
        np.testing.assert_array_equal(FORM.truth(fields), gradient())


def test_the_other_view_is_history():
    (other,) = made(FORM, EXAMPLE)["image_history_inputs"]
    np.testing.assert_allclose(other, made(FORM, EXAMPLE)["image_targets"] / 2, atol=1e-6)


def test_as_much_is_hidden_as_is_asked_for():
    square = raw(images=[np.full((64, 64, 3), 0.5, np.float32)] * 2)
    hard = CompleteView("cross_view", hidden=0.7, most=0.95)
    for seed in SEEDS:
        hidden = 1 - made(hard, square, seed)["image_input_masks"].mean()
        assert 0.7 - 1 / 64 <= hidden <= 0.95 + 1 / 64


def test_one_view_is_not_enough():
    with pytest.raises(DataError, match="two of one scene"):
        made(FORM, EXAMPLE, images=[gradient()])
