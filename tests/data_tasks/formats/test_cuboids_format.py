"""Cuboids in space: twelve tokens and a name each, scored by their overlap in space."""

import numpy as np
import pytest
from hypothesis import given, settings
from scipy.spatial.transform import Rotation

from data_tasks.formats.cuboids import FindCuboids, of_square
from tests.data_tasks.formats.garbage import ANSWERS
from tests.data_tasks.formats.wording import best, check_laws, made, oracle, picture, raw
from unified_io.errors import DataError
from unified_io.evaluation.cuboids import AP3D
from unified_io.preprocess.window import Window

FORM = FindCuboids("cuboids")
CAMERA = np.array([[50.0, 0, 30], [0, 50, 20], [0, 0, 1]])  # of a picture of 40 x 60


def thing(name="cube", center=(0.1, -0.05, 2.0), dims=(0.4, 0.3, 0.5), turn=(0.3, 0.8, -0.2)):
    rotation = Rotation.from_rotvec(turn).as_matrix().tolist()
    return {"center": list(center), "dims": list(dims), "rotation": rotation, "name": name}


THINGS = [thing(), thing("cone", (-0.4, 0.1, 3.0), (0.25, 0.25, 0.5)), thing("cube", (0.3, 0.2, 1.8))]


def example(*things, **fields):
    return raw(
        **{"image": picture(40, 60), "cuboids": list(things or THINGS), "intrinsics": CAMERA, **fields}
    )


def test_laws_and_oracle():
    check_laws(FORM, example())
    assert oracle(FORM, [example()] * 3) == pytest.approx(best(FORM))
    assert set(oracle(FORM, [example()] * 3, "no cubes").values()) == {0.0}


def test_the_window_carries_the_camera():
    """A point in space falls on the same pixel through the picture's camera and through the window's."""
    point = np.array([0.2, -0.1, 2.0])
    x, y, w = CAMERA @ point
    for seed in range(20):
        through = Window.draw((40, 60), np.random.default_rng(seed))
        u, v, z = of_square(CAMERA, through) @ point
        ((wanted_v, wanted_u),) = through.points(np.array([[y / w / 40, x / w / 60]]))
        np.testing.assert_allclose([u / z, v / z], [wanted_u, wanted_v], atol=1e-5)


def test_things_cropped_away_or_out_of_range_are_left_out():
    far, behind, aside = thing("far", (0, 0, 300)), thing("behind", (0, 0, -2)), thing("aside", (9, 0, 2))
    fields = made(FORM, example(far, behind, aside, thing("here")), training=False)
    assert [one["name"] for one in FORM.truth(fields)] == ["here"]
    with pytest.raises(DataError, match="none of 3 cuboids"):
        made(FORM, example(far, behind, aside), training=False)
    counts = {len(FORM.truth(made(FORM, example(), seed))) for seed in range(80)}
    assert {2, 3} <= counts


def test_names_and_order_of_an_answer():
    orders = {tuple(one["name"] for one in FORM.truth(made(FORM, example(), seed))) for seed in range(40)}
    assert len(orders) > 2
    fields = made(FORM, example(), training=False)
    found = FORM.parse(fields["text_targets"], fields)
    assert [one["name"] for one in found] == ["cube", "cone", "cube"]
    assert AP3D.total([found[::-1]], [FORM.truth(fields)]) == pytest.approx(1.0)


def test_broken_fields_are_errors():
    with pytest.raises(DataError, match="dims"):
        made(FORM, example({**thing(), "dims": [1, 2]}))
    with pytest.raises(DataError, match="rotation"):
        made(FORM, example({k: v for k, v in thing().items() if k != "rotation"}))
    with pytest.raises(DataError, match="intrinsics"):
        made(FORM, example(intrinsics=np.zeros((3, 3))))


@settings(deadline=None, max_examples=50)
@given(ANSWERS)
def test_whatever_a_model_writes_is_judged(answer):
    fields = made(FORM, example(), training=False)
    for metric in FORM.metrics:
        assert 0.0 <= metric.total([FORM.parse(answer, fields)], [FORM.truth(fields)]) <= 1.0
