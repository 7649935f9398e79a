"""Other views: the last one is drawn, and the prompt says how its camera differs."""

import numpy as np
import pytest

from data_tasks.formats.frames import marks
from data_tasks.formats.views import NovelView
from tests.data_tasks.formats.painting import best, check_laws, gradient, oracle
from tests.data_tasks.formats.wording import SEEDS, made, raw
from unified_io.errors import DataError
from unified_io.structures import camera_change, text_to_camera

FORM = NovelView("novel_view")
CAMERAS = np.array([[1.0, 0.2, 1.8], [1.2, 6.0, 1.6], [0.9, 3.0, 2.0]], np.float32)


def example(count=3):
    return raw(images=[gradient() * (n + 1) / 3 for n in range(count)], cameras=CAMERAS[:count])


@pytest.mark.parametrize("count", [2, 3])
def test_laws_and_oracle(count):
    check_laws(FORM, example(count))
    assert oracle(FORM, [example(count)] * 2) == pytest.approx(best(FORM))


def test_views_are_whole_in_training_too():
    for seed in SEEDS:
        fields = made(FORM, example(), seed)
        np.testing.assert_array_equal(FORM.truth(fields), gradient())
        assert len(fields["image_history_inputs"]) == 1
        np.testing.assert_allclose(fields["image_inputs"], fields["image_targets"] * 2 / 3, atol=1e-6)


def test_the_prompt_holds_the_change_from_every_view():
    prompt = made(FORM, example())["text_inputs"]
    first, second = marks(2)
    earlier, current = prompt.split(first)[1].split(second)
    for text, camera in ((earlier, CAMERAS[0]), (current, CAMERAS[1])):
        np.testing.assert_allclose(text_to_camera(text), camera_change(camera, CAMERAS[2]), atol=0.02)
    two = made(FORM, example(2))["text_inputs"]
    assert "<image" not in two
    np.testing.assert_allclose(text_to_camera(two), camera_change(*CAMERAS[:2]), atol=0.02)


def test_marks():
    assert marks(1) == ["<image_input>"]
    assert marks(3) == ["<image_history_1>", "<image_history_2>", "<image_input>"]
    with pytest.raises(DataError, match="10 frames"):
        marks(10)


def test_more_views_than_are_kept_leave_the_latest():
    images = [gradient() * (n + 1) / 8 for n in range(8)]
    fields = made(FORM, raw(images=images, cameras=np.repeat(CAMERAS[:1], 8, axis=0)))
    assert len(fields["image_history_inputs"]) == 4
    np.testing.assert_allclose(FORM.truth(fields), images[-1])


def test_refuses_what_does_not_fit():
    with pytest.raises(DataError, match="1 cameras for 1 images"):
        made(FORM, example(1))
    with pytest.raises(DataError, match="3 cameras for 2 images"):
        made(FORM, {**example(2), "cameras": CAMERAS})
    with pytest.raises(DataError, match=r"images\[-1\] is 4x4"):
        made(FORM, raw(images=[gradient(), gradient(4, 4)], cameras=CAMERAS[:2]))
