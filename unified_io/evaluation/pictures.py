"""Made pictures against true ones: PSNR and SSIM. Knows pixels [h, w, 3] in [0, 1], not what is to be seen.

SSIM needs scikit-image (extra `metrics` or `demo`).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from unified_io.errors import DataError
from unified_io.evaluation.library import library
from unified_io.evaluation.media import psnr
from unified_io.evaluation.metric import Mean

Pixels = Float[np.ndarray, "h w 3"]

_WINDOW = 11  # pixels of the window that SSIM looks through: a Gaussian of 1.5


def ssim(made: Pixels, reference: Pixels) -> float:
    """Returns the structural similarity of two pictures, the mean over colours; equal pictures give 1.

    Raises:
      ConfigError: scikit-image is not installed.
      DataError: The shapes differ, or a side has fewer than 11 pixels.

    Source: Wang et al., "Image quality assessment" (2004), with its Gaussian window.
    """
    a, b = np.asarray(made, np.float64), np.asarray(reference, np.float64)
    if a.shape != b.shape or a.ndim != 3 or min(a.shape[:2]) < _WINDOW:
        raise DataError(
            f"pictures are {a.shape} and {b.shape}; want equal [h, w, 3] of {_WINDOW} pixels or more a side"
        )
    metrics = library("skimage.metrics", "structural similarities")
    return float(
        metrics.structural_similarity(
            a,
            b,
            data_range=1.0,
            channel_axis=-1,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
    )


def psnr_within(made: Pixels, reference: Pixels, hole: Bool[np.ndarray, "h w"]) -> float:
    """Returns `media.psnr` over the pixels of a hole that was filled.

    Raises:
      DataError: The shapes differ, or the hole has no pixel.
    """
    where = np.asarray(hole, bool)
    if np.shape(made) != np.shape(reference) or np.shape(made)[:2] != where.shape or not where.any():
        raise DataError(
            f"pictures are {np.shape(made)} and {np.shape(reference)}, the hole {where.shape} with "
            f"{np.count_nonzero(where)} pixels; want equal sizes and at least one pixel"
        )
    return psnr(np.asarray(made)[where], np.asarray(reference)[where])


def _within(made: Pixels | None, truth: Mapping[str, Any]) -> float:
    return 0.0 if made is None else psnr_within(made, truth["image"], truth["hole"])


PSNR = Mean("psnr", 100.0, 0.0, lambda made, true: 0.0 if made is None else psnr(made, true))
SSIM = Mean("ssim", 1.0, 0.0, lambda made, true: 0.0 if made is None else ssim(made, true))
HOLE_PSNR = Mean("hole_psnr", 100.0, 0.0, _within)
"""Prediction: the whole picture. Truth: `{"image": …, "hole": mask}`."""
