"""Sets of made things against sets of true ones, by what a network sees in them. Which network comes from outside.

A Fréchet distance is only called FID where the features are Inception's, and FAD where they are VGGish's: here it
carries the name of its embedder. It is only comparable for equal embedder and equal numbers of examples.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from unified_io.errors import DataError
from unified_io.evaluation.metric import Whole

Features = Float[np.ndarray, "n d"]
Embedder = Callable[[Sequence[Any]], Features]


def gaussian(features: Features) -> tuple[Float[np.ndarray, "d"], Float[np.ndarray, "d d"]]:
    """Returns mean and covariance.

    Raises:
      DataError: Features are no [n, d] of at least two examples, or not finite.
    """
    array = np.asarray(features, np.float64)
    if array.ndim != 2 or len(array) < 2 or not np.isfinite(array).all():
        raise DataError(f"features have shape {array.shape}; want finite [n, d] of two examples or more")
    return array.mean(axis=0), np.cov(array, rowvar=False).reshape(array.shape[1], -1)


def distance(
    first: tuple[Float[np.ndarray, "d"], Float[np.ndarray, "d d"]],
    second: tuple[Float[np.ndarray, "d"], Float[np.ndarray, "d d"]],
) -> float:
    """Returns the squared Fréchet distance of two Gaussians (mean, covariance): |m - m'|² + tr(C + C' - 2 (C C')^½).

    Raises:
      DataError: They have different numbers of features.

    Source: Dowson and Landau, "The Fréchet distance between multivariate normal distributions" (1982).
    """
    (mean, spread), (other_mean, other_spread) = first, second
    if mean.shape != other_mean.shape:
        raise DataError(
            f"features have {len(mean)} and {len(other_mean)} numbers; embed both with one network"
        )
    root = _root(spread)
    # The trace of (C C')^½ is that of a symmetric matrix, whose eigenvalues stay real.
    common = np.linalg.eigvalsh(root @ other_spread @ root).clip(min=0.0)
    apart = np.square(mean - other_mean).sum()
    return max(0.0, float(apart + np.trace(spread) + np.trace(other_spread) - 2.0 * np.sqrt(common).sum()))


def divergence(made: Float[np.ndarray, "n c"], true: Float[np.ndarray, "n c"]) -> float:
    """Returns the mean KL divergence of a classifier's probabilities for what was made from those for the truth.

    sum p log(p / q), p of the true example and q of the made one, in nats.

    Raises:
      DataError: They are no equal [n, c], or no probabilities.
    """
    p, q = _probabilities(true), _probabilities(made)
    if p.shape != q.shape:
        raise DataError(f"probabilities are {q.shape} and {p.shape}; want one row each example")
    return float(np.mean(_divergences(p, q)))


def inception_score(probabilities: Float[np.ndarray, "n c"]) -> float:
    """Returns exp of the mean divergence of every row from the mean row: between 1 and the number of classes.

    High where each example is sure and all together are diverse. It is only called so for Inception's probabilities.

    Raises:
      DataError: They are no [n, c], or no probabilities.
    """
    p = _probabilities(probabilities)
    return float(np.exp(np.mean(_divergences(p, np.broadcast_to(p.mean(axis=0), p.shape)))))


def frechet(embedder: str, embed: Embedder) -> Whole:
    """Makes the metric of a network's features, `frechet_<embedder>`.

    Its interval comes from resampled examples; few of them bias the distance upwards, and the interval with it.

    Args:
      embedder: What the network is called.
      embed: All predictions, or all truths -> [n, d].
    """
    return Whole(
        f"frechet_{embedder}",
        best=0.0,
        worst=float("inf"),
        all=lambda made, true: distance(gaussian(np.asarray(made)), gaussian(np.asarray(true))),
        prepare=lambda predictions, truths: (embed(predictions), embed(truths)),
    )


def _root(matrix: Float[np.ndarray, "d d"]) -> Float[np.ndarray, "d d"]:
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(values.clip(min=0.0))) @ vectors.T


def _probabilities(rows: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "n c"]:
    array = np.asarray(rows, np.float64)
    if (
        array.ndim != 2
        or not array.size
        or (array < 0.0).any()
        or not np.allclose(array.sum(axis=1), 1.0, atol=1e-3)
    ):
        raise DataError(
            f"probabilities have shape {array.shape}; want rows [n, classes] that are 0 or more and sum to 1"
        )
    return array


def _divergences(p: Float[np.ndarray, "n c"], q: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "n"]:
    least = np.finfo(np.float64).tiny
    return np.sum(p * (np.log(p.clip(min=least)) - np.log(q.clip(min=1e-12))) * (p > 0.0), axis=1)
