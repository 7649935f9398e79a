"""A hole over one thing: nothing of it is shown, it alone is drawn and judged."""

import numpy as np
import pytest

from data_tasks.formats.fill import FillHole, hole_of
from tests.data_tasks.formats.painting import box_of, check_laws, gradient, oracle
from tests.data_tasks.formats.wording import SEEDS, made, raw
from unified_io.errors import DataError
from unified_io.structures import text_to_boxes

FORM = FillHole("fill")
LARGE, SMALL = box_of(4, 8, 15), box_of(1, 1, 4)


def example(boxes=(SMALL, LARGE), names=("cup", "bear")):
    return raw(image=gradient() * 0.9 + 0.1, boxes=list(boxes), names=list(names))


def test_laws():
    check_laws(FORM, example())


def test_oracle():
    assert oracle(FORM, [example()] * 3) == {"hole_psnr": 100.0}


def test_the_hole_is_blank_and_masked_and_alone_the_target():
    for training in (True, False):
        for seed in SEEDS:
            fields = made(FORM, example(), seed, training=training)
            hole, seen = fields["image_target_masks"], fields["image_input_masks"]
            assert hole.mean() > 0.1 and seen.any()
            assert not (hole & seen).any()
            assert not fields["image_inputs"][hole].any()
            np.testing.assert_array_equal(fields["image_inputs"][seen], fields["image_targets"][seen])
            assert (fields["image_targets"][hole] > 0).all()
            assert "bear" in fields["text_inputs"]


def test_the_prompt_says_where_the_hole_is():
    for seed in SEEDS:
        fields = made(FORM, example(), seed)
        hole = fields["image_target_masks"]
        box = text_to_boxes(fields["text_inputs"]).boxes[0] * len(hole)
        rows, columns = np.nonzero(hole)
        np.testing.assert_allclose(
            box, [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1], atol=0.1
        )


def test_only_the_hole_is_judged():
    fields = made(FORM, example(), training=False)
    (metric,) = FORM.metrics
    around = np.where(fields["image_target_masks"][:, :, None], fields["image_targets"], 0.0)
    assert metric.total([FORM.parse(around, fields)], [FORM.truth(fields)]) == metric.best
    within = np.where(fields["image_target_masks"][:, :, None], 0.0, fields["image_targets"])
    assert metric.total([FORM.parse(within, fields)], [FORM.truth(fields)]) < 20


def test_hole_of_a_box_has_its_pixels():
    hole = hole_of(np.array([0.25, 0.5, 0.75, 1.0], np.float32), 8)
    assert hole[2:6, 4:].all() and hole.sum() == 16


def test_small_things_and_those_that_hide_everything_are_left_out():
    with pytest.raises(DataError, match="10%"):
        made(FORM, example([SMALL], ["cup"]))
    with pytest.raises(DataError, match="10%"):
        made(FORM, example([[0, 0, 1, 1]], ["all"]), training=False)
    with pytest.raises(DataError, match="10%"):
        made(FORM, example([], []))
