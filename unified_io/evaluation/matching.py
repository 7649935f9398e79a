"""One-to-one matching of what was found with what is there, and the score that pays for both kinds of error.

Knows overlaps only, not of what: boxes, masks and persons are all scored so.
"""

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment

_A_PAIR = 1e-9  # what a pair more is worth, where total overlaps are equal


def match(overlap: Float[np.ndarray, "n m"]) -> tuple[Int[np.ndarray, "k"], Int[np.ndarray, "k"]]:
    """Returns rows and columns of the one-to-one matching with the largest total overlap.

    The Hungarian algorithm. Of equal matchings one with most pairs is taken; pairs that do not overlap are left out.
    """
    rows, columns = linear_sum_assignment(overlap + _A_PAIR * (overlap > 0.0), maximize=True)
    real = overlap[rows, columns] > 0.0
    return rows[real], columns[real]


def matched_share(overlap: Float[np.ndarray, "n m"]) -> float:
    """Returns the sum of matched overlaps / (found + missed): one too many and one too few both cost.

    Nothing found (n = 0) where nothing is (m = 0): 1.

    Source: the score of the GRIT benchmark for localisation, segmentation and keypoints.
    """
    found, there = overlap.shape
    pairs = match(overlap)
    counted = found + there - len(pairs[0])
    return float(overlap[pairs].sum()) / counted if counted else 1.0
