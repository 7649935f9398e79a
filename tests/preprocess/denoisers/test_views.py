import dataclasses

import numpy as np
import pytest

from unified_io.errors import DataError
from unified_io.preprocess.denoisers import views
from unified_io.preprocess.denoisers.views import Views


def test_one_view_is_restored_with_the_help_of_the_others(small, binomial):
    record = Views(tuple(small.picture() for _ in range(3)))
    chosen = []
    for seed in range(10_000):
        example = views.sample(record, small.objective, seed)
        assert example["text_inputs"] == "[Image] [R]"
        index = next(
            i for i, image in enumerate(record.images) if np.array_equal(image, example["image_targets"])
        )
        chosen.append(index)
        others = [image for i, image in enumerate(record.images) if i != index]
        np.testing.assert_array_equal(example["image_history_inputs"], others)
        assert example["image_targets"].size
        keep = example["image_input_masks"]
        assert keep.any() and not keep.all()
        np.testing.assert_array_equal(example["image_inputs"], record.images[index] * keep[:, :, None])
        np.testing.assert_array_equal(example["image_target_hidden_masks"], ~keep)
    assert all(binomial(chosen.count(index), 1 / 3, 10_000) for index in range(3))
    assert [*small.written(example)] == ["image"]


def test_views_are_restored_whatever_else_is_asked_of_pictures(small):
    objective = dataclasses.replace(small.objective, keep=0.0, targets={"text": 1.0})
    record = Views((small.picture(), small.picture()))
    first, second = (views.sample(record, objective, 5) for _ in range(2))
    assert len(first["image_history_inputs"]) == 1
    np.testing.assert_array_equal(first["image_inputs"], second["image_inputs"])


def test_bad_records_are_errors(small):
    picture = small.picture()
    for images in ((picture,), (picture, np.zeros((0, 0, 3)))):
        with pytest.raises(DataError, match="two or more"):
            Views(images)
    with pytest.raises(DataError, match="at most 5"):
        views.sample(Views((picture,) * 6), small.objective, 0)
    with pytest.raises(DataError, match="one patch"):
        views.sample(Views((small.picture(1, 1), small.picture(1, 1))), small.objective, 0)
