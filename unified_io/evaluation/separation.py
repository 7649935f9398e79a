"""Sounds taken apart and notes heard, against true ones, by mir_eval (extra `metrics`). Knows samples and times."""

import warnings
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from unified_io.errors import DataError
from unified_io.evaluation.library import library
from unified_io.evaluation.metric import Mean

Sources = Float[np.ndarray, "sources samples"]


def distortion_ratio(made: Sources, true: Sources) -> float:
    """Returns the mean signal-to-distortion ratio in dB of sources, each beside the true one it fits best.

    Raises:
      ConfigError: mir_eval is not installed.
      DataError: They differ in shape, or one is silent, for which there is no ratio.

    Source: Vincent et al., "Performance measurement in blind audio source separation" (2006).
    """
    a, b = np.atleast_2d(np.asarray(made, np.float64)), np.atleast_2d(np.asarray(true, np.float64))
    if a.shape != b.shape or a.ndim != 2 or not a.any(axis=1).all() or not b.any(axis=1).all():
        raise DataError(
            f"sources are {a.shape} and {b.shape}; want equal [sources, samples], none of them silent"
        )
    separation = library("mir_eval.separation", "separation scores")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # it may leave the library in a later version
        ratios = separation.bss_eval_sources(b, a, compute_permutation=True)[0]
    return float(np.mean(ratios))


def onset_f1(made: Sequence[float] | None, true: Sequence[float]) -> float:
    """Returns the F1 of times in seconds at which something sets in, right within 50 ms; nothing of nothing is 1.

    Raises:
      ConfigError: mir_eval is not installed.
    """
    a, b = (
        np.sort(np.asarray(made if made is not None else [], np.float64)),
        np.sort(np.asarray(true, np.float64)),
    )
    if not len(a) or not len(b):
        return float(len(a) == len(b))
    return float(library("mir_eval.onset", "onset scores").f_measure(b, a)[0])


def note_f1(made: Sequence[Sequence[float]] | None, true: Sequence[Sequence[float]]) -> float:
    """Returns the F1 of notes (start s, end s, pitch Hz): start within 50 ms, pitch within half a semitone.

    The end does not count. Nothing of nothing is 1.

    Raises:
      ConfigError: mir_eval is not installed.
      DataError: A note is not three numbers, ends before it starts, or has no pitch.
    """
    a, b = _notes(made), _notes(true)
    if not len(a) or not len(b):
        return float(len(a) == len(b))
    transcription = library("mir_eval.transcription", "note scores")
    found = transcription.precision_recall_f1_overlap(b[:, :2], b[:, 2], a[:, :2], a[:, 2], offset_ratio=None)
    return float(found[2])


def _notes(notes: Sequence[Sequence[float]] | None) -> Float[np.ndarray, "n 3"]:
    array = np.asarray([] if notes is None else notes, np.float64)
    if not array.size:
        return np.zeros((0, 3))
    if (
        array.ndim != 2
        or array.shape[1] != 3
        or (array[:, 1] <= array[:, 0]).any()
        or (array[:, 2] <= 0.0).any()
    ):
        raise DataError(
            f"notes are {array.tolist()}; want (start s, end s, pitch Hz), the end behind the start"
        )
    return array


SDR = Mean("sdr", best=100.0, worst=-100.0, each=distortion_ratio)
"""In dB. There is no best: equal sounds give what rounding leaves, above 100."""

ONSET_F1 = Mean("onset_f1", each=onset_f1)
NOTE_F1 = Mean("note_f1", each=note_f1)
