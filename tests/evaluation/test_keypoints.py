"""Persons against pycocotools' own similarity, and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unified_io.errors import DataError
from unified_io.evaluation.keypoints import OKS, SIGMAS, oks, similarity


def _person(seed, visible=1.0):
    rng = np.random.default_rng(seed)
    points = np.concatenate([rng.random((17, 2)) * 100, (rng.random((17, 1)) < visible) * 2.0], axis=1)
    points[0, 2] = points[1, 2] = 2.0
    return points


def test_by_hand():
    truth = np.zeros((17, 3))
    truth[0], truth[16] = (0.0, 0.0, 2.0), (10.0, 20.0, 1.0)  # area 200
    made = truth[:, :2].copy()
    assert oks([made], [truth]) == pytest.approx(1.0)
    made[0] = (3.0, 4.0)
    wanted = (np.exp(-25 / (2 * 200 * (2 * 0.026) ** 2)) + 1) / 2
    assert oks([made], [truth]) == pytest.approx(wanted)
    made[5] = (99.0, 99.0)  # the truth does not know the left shoulder
    assert oks([made], [truth]) == pytest.approx(wanted)


@pytest.mark.parametrize("seed", range(3))
def test_similarity_is_that_of_pycocotools(seed):
    cocoeval = pytest.importorskip("pycocotools.cocoeval")
    truth, made = _person(seed, visible=0.6), _person(seed)
    made[:, :2] += np.random.default_rng(seed + 100).normal(0, 4, (17, 2))
    known = truth[truth[:, 2] > 0]
    area = float(np.prod(np.ptp(known[:, :2], axis=0)))
    judge = cocoeval.COCOeval(iouType="keypoints")
    np.testing.assert_allclose(judge.params.kpt_oks_sigmas, SIGMAS)
    flat = lambda person: person[:, [1, 0, 2]].ravel().tolist()  # noqa: E731
    judge._gts = {(1, 1): [{"keypoints": flat(truth), "bbox": [0, 0, 1, 1], "area": area, "ignore": 0}]}
    judge._dts = {(1, 1): [{"keypoints": flat(made), "score": 1.0}]}
    assert similarity([made], [truth])[0, 0] == pytest.approx(judge.computeOks(1, 1)[0, 0])


def test_persons_are_matched_and_counted():
    one, two = _person(1), _person(2)
    assert oks([two, one], [one, two]) == pytest.approx(1.0)
    assert oks([one], [one, two]) == pytest.approx(0.5, abs=0.02)
    assert oks([one, one], [one]) == pytest.approx(0.5)
    assert oks([], []) == 1.0
    assert OKS.total([None], [[one]]) == OKS.worst
    assert OKS.total([[one.tolist()]], [[one.tolist()]]) == pytest.approx(OKS.best)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.1, 10.0), st.floats(-50.0, 50.0))
def test_scale_and_place_do_not_count(seed, scale, shift):
    truth, made = _person(seed), _person(seed + 1)
    found = oks([made], [truth])
    for person in (truth, made):
        person[:, :2] = person[:, :2] * scale + shift
    assert 0.0 <= found <= 1.0
    assert oks([made], [truth]) == pytest.approx(found, abs=1e-6)


def test_refuses_what_is_no_person():
    with pytest.raises(DataError, match="17 parts"):
        oks([np.zeros((16, 2))], [_person(0)])
    with pytest.raises(DataError, match="leave it out"):
        oks([_person(0)], [np.zeros((17, 3))])
    with pytest.raises(DataError, match="17 parts"):
        oks([_person(0)], [np.zeros((17, 2))])
