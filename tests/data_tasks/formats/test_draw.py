"""Pictures from captions: all of the picture is the target, and now and then the prompt says nothing."""

import numpy as np
import pytest

from data_tasks.formats.draw import Draw
from tests.data_tasks.formats.painting import best, check_laws, gradient, oracle
from tests.data_tasks.formats.wording import SEEDS, made, raw
from unified_io.api.prompts import UNINFORMATIVE
from unified_io.errors import DataError

FORM = Draw("draw", blank=0.0)
CAPTIONS = ["A red\n ball", "a ball that is red", " "]


def example(height=24, width=32):
    return raw(captions=CAPTIONS, image_target=gradient(height, width))


def test_laws():
    check_laws(FORM, example())


def test_oracle():
    assert oracle(FORM, [example()] * 3) == pytest.approx(best(FORM))


@pytest.mark.parametrize("size", [(24, 32), (32, 24), (32, 32)])
def test_the_whole_picture_is_the_target_and_the_padding_is_not_judged(size):
    for training in (True, False):
        fields = made(FORM, example(*size), training=training)
        np.testing.assert_array_equal(FORM.truth(fields), gradient(*size))
        assert fields["image_target_masks"].sum() == size[0] * size[1]


def test_the_prompt_holds_one_of_the_captions():
    drawn = {made(FORM, example(), seed)["meta/truth"] for seed in SEEDS}
    assert drawn == {'"a red ball"', '"a ball that is red"'}
    assert "a red ball" in made(FORM, raw(captions=CAPTIONS[:1], image_target=gradient()))["text_inputs"]


def test_a_tenth_of_the_prompts_of_training_say_nothing():
    form, blank = Draw("draw"), f"[Image] [S] {UNINFORMATIVE}"
    prompts = [made(form, example(), seed)["text_inputs"] for seed in range(1000)]
    assert 60 < prompts.count(blank) < 140
    assert blank not in [made(form, example(), seed, training=False)["text_inputs"] for seed in range(100)]


def test_without_a_caption_there_is_nothing_to_draw():
    with pytest.raises(DataError, match="captions"):
        made(FORM, raw(captions=[" "], image_target=gradient()))
