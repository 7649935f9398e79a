"""Media scores by hand, and a memorisation check that tells a copy from new work."""

import numpy as np
import pytest

from unified_io.errors import DataError
from unified_io.evaluation import media


def test_psnr():
    image = np.full((4, 4, 3), 0.5)
    assert media.psnr(image + 0.1, image) == pytest.approx(20.0)
    assert media.psnr(image, image) == 100.0
    with pytest.raises(DataError):
        media.psnr(image, image[:2])


def test_mask_iou():
    a = np.array([[True, True, False, False]])
    b = np.array([[False, True, True, False]])
    assert media.mask_iou(a, b) == pytest.approx(1 / 3)
    assert media.mask_iou(a, a) == 1.0
    assert media.mask_iou(a & False, b & False) == 1.0
    assert media.mask_iou(a, a & False) == 0.0


def test_log_mel_l1():
    mel = np.random.default_rng(0).normal(size=(8, 4))
    assert media.log_mel_l1(mel + 0.25, mel) == pytest.approx(0.25)


def test_nearest_is_exactly_zero_for_a_copy_only(monkeypatch):
    generator = np.random.default_rng(0)
    training = generator.random((30, 5, 5)).astype(np.float32)
    items = np.concatenate([training[[4]], training[[9]] + 0.01])
    found = media.nearest(items, training)
    assert found[0] == 0.0
    assert found[1] == pytest.approx(0.01, rel=1e-3)
    monkeypatch.setattr(media, "_PAIRS_AT_ONCE", 1)
    np.testing.assert_array_equal(media.nearest(items, training), found)
    with pytest.raises(DataError):
        media.nearest(items, training[:, :4])


def test_memorisation_of_new_work_and_of_copies():
    generator = np.random.default_rng(1)
    real = generator.random(1000)
    fresh = media.memorisation(generator.random(4000), real)
    assert fresh.closer_share == pytest.approx(0.05, abs=0.02)
    assert fresh.copy_share == 0.0
    assert fresh.generated_median == pytest.approx(fresh.real_median, abs=0.05)
    copied = media.memorisation(np.array([0.0, 0.0, 0.5, 0.9]), real)
    assert (copied.copy_share, copied.closer_share) == (0.5, 0.5)
    with pytest.raises(DataError):
        media.memorisation(np.array([]), real)
    with pytest.raises(DataError):
        media.memorisation(np.array([np.nan]), real)
