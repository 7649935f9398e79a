"""Pixels, masks and spectrograms against a reference, and the check that outputs are not learnt by heart.

Works on arrays; it does not know which model or tokenizer made them.
"""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float

from unified_io.errors import DataError

_EQUAL_DB = 100.0
_PAIRS_AT_ONCE = 8_000_000  # numbers held in memory while distances are taken: 64 MB


def psnr(made: Float[np.ndarray, "..."], reference: Float[np.ndarray, "..."]) -> float:
    """Returns the peak signal-to-noise ratio in dB of two pictures in [0, 1].

    Equal pictures give 100 dB, not infinity, so that a mean over examples exists.
    """
    _same_shape(made, reference)
    error = float(np.mean(np.square(np.asarray(made, np.float64) - reference)))
    return float(-10.0 * np.log10(max(error, 10.0 ** (-_EQUAL_DB / 10.0))))


def mask_iou(made: Bool[np.ndarray, "..."], reference: Bool[np.ndarray, "..."]) -> float:
    """Returns intersection over union of two masks; two empty masks agree: 1."""
    _same_shape(made, reference)
    a, b = np.asarray(made, bool), np.asarray(reference, bool)
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else 1.0


def log_mel_l1(made: Float[np.ndarray, "frames mels"], reference: Float[np.ndarray, "frames mels"]) -> float:
    """Returns the mean absolute difference of two mel spectrograms, in units of their natural logarithm."""
    _same_shape(made, reference)
    return float(np.mean(np.abs(np.asarray(made, np.float64) - reference)))


def nearest(items: Float[np.ndarray, "n *s"], training: Float[np.ndarray, "m *s"]) -> Float[np.ndarray, "n"]:
    """Returns for every item the root-mean-square distance to its nearest training example."""
    a = np.asarray(items, np.float64).reshape(len(items), -1)
    b = np.asarray(training, np.float64).reshape(len(training), -1)
    if not len(b) or a.shape[1:] != b.shape[1:]:
        raise DataError(
            f"items are {np.shape(items)}, training examples {np.shape(training)}; want equal shapes"
        )
    rows = max(1, _PAIRS_AT_ONCE // b.size)
    # Differences, not the expanded square: only they are exactly zero for a copy.
    blocks = [
        np.square(a[i : i + rows, None] - b[None]).mean(axis=-1).min(axis=1) for i in range(0, len(a), rows)
    ]
    return np.sqrt(np.concatenate(blocks)) if blocks else np.zeros(0)


@dataclasses.dataclass(frozen=True)
class Memorisation:
    """How near outputs lie to the training examples, against how near unseen real examples lie.

    Attributes:
      generated_median: Median distance of an output to its nearest training example.
      real_median: The same for held-out real examples.
      closer_share: Share of outputs nearer than the 5th percentile of real; about 0.05 if nothing was
        learnt by heart.
      copy_share: Share of outputs that are a training example.
    """

    generated_median: float
    real_median: float
    closer_share: float
    copy_share: float


def memorisation(
    generated: Float[np.ndarray, "n"], real: Float[np.ndarray, "m"], *, tolerance: float = 1e-6
) -> Memorisation:
    """Compares distances to the nearest training example: of outputs, and of held-out real examples.

    Args:
      generated: One distance an output, as from `nearest`.
      real: One distance a held-out real example, taken in the same way.
      tolerance: An output no farther than this from a training example is a copy of it.

    Raises:
      DataError: One side is empty, or holds a distance that is negative or not finite.
    """
    made, true = np.asarray(generated, np.float64), np.asarray(real, np.float64)
    for side, distances in (("generated", made), ("real", true)):
        if not distances.size or not (np.isfinite(distances) & (distances >= 0.0)).all():
            raise DataError(
                f"{side} distances are empty, negative or not finite; want one distance an example"
            )
    return Memorisation(
        generated_median=float(np.median(made)),
        real_median=float(np.median(true)),
        closer_share=float(np.mean(made < np.quantile(true, 0.05))),
        copy_share=float(np.mean(made <= tolerance)),
    )


def _same_shape(made: np.ndarray, reference: np.ndarray) -> None:
    if np.shape(made) != np.shape(reference) or not np.size(made):
        raise DataError(
            f"got shape {np.shape(made)}, the reference has {np.shape(reference)}; want equal, not empty"
        )
