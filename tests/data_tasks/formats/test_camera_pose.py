"""How the camera moved, and the four tokens it is written in."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_tasks.formats.camera import CameraPose
from tests.data_tasks.formats.garbage import ANSWERS
from tests.data_tasks.formats.wording import check_laws, made, oracle, picture, raw
from unified_io.errors import DataError
from unified_io.structures import camera_change, camera_to_text, text_to_camera, text_to_values
from unified_io.vocab import location_word

FORM = CameraPose("camera")
CAMERAS = [[1.2, 0.3, 1.8], [0.9, 5.9, 1.6], [1.0, 2.0, 2.1]]


def example(views=2, **fields):
    images = [picture(30, 30, seed) for seed in range(views)]
    return raw(**{"images": images, "cameras": CAMERAS[:views], **fields})


ASKED = made(FORM, example())


def test_laws_and_oracle():
    check_laws(FORM, example(3))
    errors = oracle(FORM, [example(), example(3)])
    assert (
        errors["camera_angle"] < np.pi / 999 + 1e-3
    )  # half a bin of 2 pi; facts have 6 mrad for a whole one
    assert errors["camera_radius"] < 0.7 / 999 + 1e-6
    wrong = oracle(FORM, [example()], "somewhere")
    assert wrong == {metric.name: pytest.approx(metric.worst) for metric in FORM.metrics}


def test_a_change_by_hand():
    """A quarter turn back, a tenth of a metre nearer."""
    change = camera_change([1.0, 0.5, 1.7], [1.0 + np.pi / 2, 0.5 - np.pi / 2, 1.6])
    np.testing.assert_allclose(change, [np.pi / 2, -np.pi / 2, -0.1])
    numbers = text_to_values(camera_to_text(change), 4).values[0]
    np.testing.assert_allclose(numbers, [0.75, 0.0, 0.5, (1 - 0.1 / 0.7) / 2], atol=1.1 / 999)


@settings(deadline=None)
@given(st.floats(-np.pi, np.pi), st.floats(-10, 10), st.floats(-0.7, 0.7))
def test_a_change_comes_back(polar, azimuth, distance):
    change = camera_change([0, 0, 1], [polar, azimuth, 1 + distance])
    back = text_to_camera(camera_to_text(change))
    np.testing.assert_allclose(back[[0, 2]], change[[0, 2]], atol=2 * np.pi / 999)
    turned = abs((back[1] - azimuth + np.pi) % (2 * np.pi) - np.pi)
    assert turned < 3 / 999


def test_a_full_turn_is_no_turn():
    np.testing.assert_allclose(camera_change([1, 0.1, 1], [1, 2 * np.pi - 0.1, 1]), [0, -0.2, 0], atol=1e-12)


def test_views_between_tell_how_they_differ_from_the_first():
    prompt = made(FORM, example(3), training=False)["text_inputs"]
    between = camera_to_text(camera_change(CAMERAS[0], CAMERAS[1]))
    assert f"<image_history_1> <image_history_2> {between}" in prompt
    fields = made(FORM, example(3), training=False)
    np.testing.assert_allclose(FORM.truth(fields), CAMERAS[2], atol=1e-6)
    assert "<image_history_2>" not in made(FORM, example(2))["text_inputs"]


def test_pictures_are_never_cropped():
    for seed in range(20):
        np.testing.assert_array_equal(made(FORM, example(), seed)["image_inputs"], picture(30, 30, 1))


def test_a_camera_too_far_or_missing_is_an_error():
    with pytest.raises(DataError, match="scale the scene"):
        made(FORM, example(cameras=[[1, 1, 1.0], [1, 1, 1.8]]))
    with pytest.raises(DataError, match="2 images"):
        made(FORM, example(cameras=CAMERAS))
    with pytest.raises(DataError, match="at least two"):
        made(FORM, example(1))


@settings(deadline=None, max_examples=50)
@given(ANSWERS)
def test_whatever_a_model_writes_is_judged(answer):
    for metric in FORM.metrics:
        given = FORM.parse(answer, ASKED)
        assert 0.0 <= metric.total([given], [FORM.truth(ASKED)]) <= metric.worst


def test_who_turns_the_wrong_way_is_off_by_both_turns():
    level, camera = [np.pi / 2, 1.0, 1.8], [np.pi / 2, 1.6, 1.8]
    asked = made(FORM, example(cameras=[level, camera]))
    wrong = FORM.parse(camera_to_text(camera_change(camera, level)), asked)
    assert FORM.metrics[0].total([wrong], [FORM.truth(asked)]) == pytest.approx(1.2, abs=0.01)


def test_sine_and_cosine_of_nothing_are_still_an_angle():
    assert np.isfinite(text_to_camera(" ".join([location_word(499)] * 4))).all()
