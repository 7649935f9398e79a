"""Choosing one of several answers by likelihood, and the scores of benchmarks that let a model choose.

Knows texts and numbers; the likelihoods come from outside.
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from unified_io.errors import DataError
from unified_io.evaluation.metric import Mean, Whole
from unified_io.evaluation.text import exact_match


def choose(losses: Sequence[float], lengths: Sequence[int] | None = None) -> int:
    """Returns the option that the model holds most likely; of equals the first one.

    Args:
      losses: Negative log-likelihood of every option, summed over its tokens.
      lengths: Tokens of every option: then the mean counts, which does not favour short options. Unified-IO 2 is
        quoted without.

    Raises:
      DataError: There is no option, a loss is not a number, or the lengths do not fit.
    """
    found = np.asarray(losses, np.float64)
    if found.ndim != 1 or not found.size or np.isnan(found).any():
        raise DataError(f"losses are {losses!r}; want one number an option, and at least one option")
    if lengths is not None:
        tokens = np.asarray(lengths)
        if tokens.shape != found.shape or (tokens < 1).any():
            raise DataError(
                f"{len(found)} losses with lengths {lengths!r}; want one length of 1 or more an option"
            )
        found = found / tokens
    return int(np.argmin(found))


def says_yes(answer: str) -> bool:
    """Returns whether an answer means yes: its first sentence holds neither "no" nor "not".

    Source: the reading of answers of the POPE benchmark.
    """
    return not {"no", "not"} & {*re.findall(r"[a-z]+", answer.split(".")[0].lower())}


def pope(predictions: Sequence[str], truths: Sequence[str]) -> dict[str, float]:
    """Returns accuracy, precision, recall and F1 of "yes", and the share of "yes" among the answers.

    A model that sees things that are not there says yes too often. What has no denominator is 0.

    Raises:
      DataError: There are no answers, or not as many as truths.
    """
    if not len(predictions) or len(predictions) != len(truths):
        raise DataError(
            f"{len(predictions)} answers for {len(truths)} questions; want one each, and at least one"
        )
    said = np.array([says_yes(answer) for answer in predictions])
    true = np.array([says_yes(answer) for answer in truths])
    hits = np.count_nonzero(said & true)
    precision, recall = _share(hits, np.count_nonzero(said)), _share(hits, np.count_nonzero(true))
    return {
        "accuracy": float(np.mean(said == true)),
        "precision": precision,
        "recall": recall,
        "f1": _share(2.0 * precision * recall, precision + recall),
        "yes": float(np.mean(said)),
    }


def rotations(options: Sequence[str]) -> list[list[str]]:
    """Returns the options in every circular order, the given one first; each is asked once."""
    return [[*options[start:], *options[:start]] for start in range(len(options))]


def circular(answers: Sequence[str], truths: str | Sequence[str]) -> float:
    """Returns 1.0 if a question is answered rightly in all `rotations` of its options, else 0.0.

    Args:
      answers: One an order of the options.
      truths: The right answer, or one an order (where letters are answered).

    Raises:
      DataError: There are not as many right answers, or none.

    Source: MMBench, whose circular evaluation takes away what a preference for a place gains.
    """
    wanted = [truths] * len(answers) if isinstance(truths, str) else truths
    if not wanted or len(answers) != len(wanted):
        raise DataError(f"{len(answers)} answers for {len(wanted)} orders of the options; want one each")
    return float(all(exact_match(answer, truth) for answer, truth in zip(answers, wanted, strict=True)))


def expected_share(answers: Sequence[str], expected: Sequence[str]) -> float:
    """Returns the share of questions about a made picture that a judge answers as expected.

    Source: TIFA, which asks its own model. With our own as the judge it is called self-TIFA.

    Raises:
      DataError: There is no question, or not one answer each.
    """
    if not len(expected) or len(answers) != len(expected):
        raise DataError(
            f"{len(answers)} answers to {len(expected)} questions; want one each, and at least one"
        )
    return float(
        np.mean([exact_match(answer, truth) for answer, truth in zip(answers, expected, strict=True)])
    )


def by_kind(values: Sequence[float], kinds: Sequence[str]) -> Mapping[str, float]:
    """Returns the mean of every kind of question, as SEED-Bench quotes its dimensions.

    Raises:
      DataError: There is not one kind a value.
    """
    if len(values) != len(kinds):
        raise DataError(f"{len(values)} values with {len(kinds)} kinds; want one each")
    return {
        kind: float(np.mean([v for v, k in zip(values, kinds, strict=True) if k == kind]))
        for kind in sorted(set(kinds))
    }


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0


CHOICE = Mean("choice")
"""Prediction: the option that was chosen. Truth: the right one, as it is written: "a+b" is not "a-b"."""

CIRCULAR = Mean("circular", each=circular)
SELF_TIFA = Mean("self_tifa", each=expected_share)
POPE_ACCURACY = Mean("pope_accuracy", each=lambda answer, truth: float(says_yes(answer) == says_yes(truth)))
POPE_F1 = Whole("pope_f1", all=lambda predictions, truths: pope(predictions, truths)["f1"])
