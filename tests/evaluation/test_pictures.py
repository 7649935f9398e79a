"""Pictures against true ones."""

import sys

import numpy as np
import pytest
from scipy import ndimage

from unified_io.errors import ConfigError, DataError
from unified_io.evaluation.pictures import HOLE_PSNR, PSNR, SSIM, psnr_within, ssim


def _picture(seed, size=24):
    return np.random.default_rng(seed).random((size, size, 3))


def _restated(a, b):
    """SSIM once more, of one colour, by its formula; the border of five pixels has no whole window."""

    def smooth(x):
        return ndimage.gaussian_filter(x, 1.5, truncate=3.5)

    ma, mb = smooth(a), smooth(b)
    va, vb, cov = smooth(a * a) - ma * ma, smooth(b * b) - mb * mb, smooth(a * b) - ma * mb
    c1, c2 = 0.01**2, 0.03**2
    found = (2 * ma * mb + c1) * (2 * cov + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))
    return found[5:-5, 5:-5].mean()


def test_structural_similarity_by_its_formula():
    pytest.importorskip("skimage")
    a = _picture(0)
    b = np.clip(a + np.random.default_rng(1).normal(0, 0.1, a.shape), 0, 1)
    wanted = np.mean([_restated(a[..., c], b[..., c]) for c in range(3)])
    assert ssim(b, a) == pytest.approx(wanted)
    assert ssim(a, b) == pytest.approx(wanted)
    assert SSIM.total([a], [a]) == pytest.approx(SSIM.best)
    assert SSIM.total([None], [a]) == SSIM.worst
    assert ssim(1 - a, a) < 0.0


def test_psnr():
    a = np.full((4, 4, 3), 0.5)
    assert PSNR.total([a + 0.1, a], [a, a]) == pytest.approx((20.0 + 100.0) / 2)
    assert PSNR.total([None], [a]) == PSNR.worst


def test_only_the_hole_counts():
    true, hole = np.full((4, 4, 3), 0.5), np.zeros((4, 4), bool)
    hole[:2, :2] = True
    made = np.where(hole[..., None], true + 0.1, 0.0)
    assert psnr_within(made, true, hole) == pytest.approx(20.0)
    assert HOLE_PSNR.total([made], [{"image": true, "hole": hole}]) == pytest.approx(20.0)
    assert HOLE_PSNR.total([true], [{"image": true, "hole": hole}]) == HOLE_PSNR.best
    assert HOLE_PSNR.total([None], [{"image": true, "hole": hole}]) == HOLE_PSNR.worst
    with pytest.raises(DataError, match="at least one pixel"):
        psnr_within(made, true, hole & False)


def test_refuses_small_and_unequal_pictures():
    with pytest.raises(DataError, match="11 pixels"):
        ssim(_picture(0, 8), _picture(0, 8))
    with pytest.raises(DataError, match="want equal"):
        ssim(_picture(0), _picture(0, 30))


def test_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage", None)
    monkeypatch.setitem(sys.modules, "skimage.metrics", None)
    with pytest.raises(ConfigError, match="structural similarities need skimage"):
        ssim(_picture(0), _picture(0))
