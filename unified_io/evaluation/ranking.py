"""Average precision: how well what is right ranks before what is wrong. Knows overlaps and scores, not of what."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float

from unified_io.errors import DataError

_RECALLS = np.linspace(0.0, 1.0, 101)


@dataclasses.dataclass(frozen=True)
class Ranked:
    """What was found of one class in one example, D things, judged at T thresholds of overlap.

    Attributes:
      scores: How sure the model was of each.
      hits: Whether it is a true one that nothing surer has taken.
      ignored: Whether it counts neither as right nor as wrong: it lies on a crowd.
      there: How many true ones there are, crowds left out.
    """

    scores: Float[np.ndarray, "D"]
    hits: Bool[np.ndarray, "T D"]
    ignored: Bool[np.ndarray, "T D"]
    there: int


def judge(
    overlap: Float[np.ndarray, "D G"],
    scores: Float[np.ndarray, "D"],
    crowd: Bool[np.ndarray, "G"],
    thresholds: Sequence[float],
    limit: int = 100,
) -> Ranked:
    """Assigns found things, the surest first, to the free true one they overlap most.

    Args:
      overlap: Of found with true things. That with a crowd is taken over the found thing alone.
      scores: How sure the model was of each.
      crowd: True things that stand for many: any number of found ones may lie there, and none counts.
      thresholds: The least overlap of a hit.
      limit: Only so many of the surest count.

    Raises:
      DataError: Scores or crowds are not as many as the overlaps say, or a score is not finite.

    Source: the evaluation of COCO, whose order of preference this keeps.
    """
    if overlap.shape != (len(scores), len(crowd)) or not np.isfinite(scores).all():
        raise DataError(
            f"{overlap.shape} overlaps with {len(scores)} scores and {len(crowd)} true things; "
            "want one finite score for everything that was found"
        )
    order = np.argsort(-np.asarray(scores), kind="stable")[:limit]
    hits, ignored = np.zeros((2, len(thresholds), len(order)), bool)
    for t, threshold in enumerate(thresholds):
        free = ~np.asarray(crowd, bool)
        for rank, found in enumerate(order):
            reached = overlap[found] >= min(threshold, 1.0 - 1e-10)
            if (single := reached & free).any():
                # Of equals the last one, as there.
                candidates = np.flatnonzero(single)[::-1]
                free[candidates[np.argmax(overlap[found][candidates])]] = False
                hits[t, rank] = True
            else:
                ignored[t, rank] = (reached & crowd).any()
    return Ranked(np.asarray(scores)[order], hits, ignored, int(np.count_nonzero(~np.asarray(crowd, bool))))


def average_precision(
    examples: Sequence[Ranked], *, interpolated: bool = True
) -> Float[np.ndarray, "T"] | None:
    """Returns the average precision of one class at every threshold; None if it is nowhere to be found.

    Args:
      examples: One an example.
      interpolated: Mean over 101 levels of recall, as COCO does; otherwise the whole area under the curve.
    """
    there = sum(example.there for example in examples)
    if not there:
        return None
    order = np.argsort(-np.concatenate([example.scores for example in examples]), kind="stable")
    hits = np.concatenate([example.hits for example in examples], axis=1)[:, order]
    ignored = np.concatenate([example.ignored for example in examples], axis=1)[:, order]
    return np.array([_area(h[~i], there, interpolated) for h, i in zip(hits, ignored, strict=True)])


def mean_average_precision(
    examples: Sequence[Mapping[str, Ranked]], *, interpolated: bool = True
) -> Float[np.ndarray, "T"]:
    """Returns the mean over classes at every threshold; classes that are nowhere to be found are left out.

    Where no class is anywhere: 1 if nothing was found either, else 0.
    """
    names = sorted({name for example in examples for name in example})
    classes = [[example[name] for example in examples if name in example] for name in names]
    found = [average_precision(c, interpolated=interpolated) for c in classes]
    if known := [ap for ap in found if ap is not None]:
        return np.mean(known, axis=0)
    return np.array([float(not any(len(r.scores) for c in classes for r in c))])


def _area(hits: Bool[np.ndarray, "D"], there: int, interpolated: bool) -> float:
    if not len(hits):
        return 0.0
    right = np.cumsum(hits)
    recall, precision = right / there, right / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    if not interpolated:
        return float(np.sum(np.diff(recall, prepend=0.0) * envelope))
    places = np.searchsorted(recall, _RECALLS, side="left")
    return float(np.append(envelope, 0.0)[places].mean())
