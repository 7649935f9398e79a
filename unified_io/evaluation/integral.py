"""The scores that S3 was judged by: how likely the right answer was, and how like it the given one, by kind of dialog.

Knows numbers, and the kinds of dialogs of the contest.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from unified_io.errors import DataError, unknown

WEIGHTS = {"text": 0.1, "text_image": 0.2, "text_audio": 0.3, "text_image_audio": 0.4}
"""What a dialog with these in it counts."""


def hidden(log_probs: Sequence[float]) -> float:
    """Returns exp(mean log p) over the tokens of a reference answer, in [0, 1]: one by its perplexity.

    Args:
      log_probs: Of every token, given those before it, in nats.

    Raises:
      DataError: There is none, or one is above 0 or no number.

    Source: S3, whose released `get_ppl` raises 2, not e, to nats.
    """
    found = np.asarray(log_probs, np.float64)
    if found.ndim != 1 or not found.size or not (found <= 1e-6).all():
        raise DataError(
            f"log-probabilities are {str(log_probs)[:60]}; want one a token, 0 or less, and at least one token"
        )
    return float(np.exp(found.mean()))


def kind_of(media: Collection[str]) -> str:
    """Returns the kind of a dialog with media of these modalities.

    Raises:
      ConfigError: The contest has none such.
    """
    known = [kind for kind in ("image", "audio") if kind in media]
    name = "_".join(["text", *known, *sorted({*media} - {*known})])
    if name not in WEIGHTS:
        raise unknown("kind of dialog", name, WEIGHTS)
    return name


def integral(scores: Mapping[str, Sequence[tuple[float, float]]]) -> float:
    """Returns the weighted sum over kinds of dialogs of the mean of (METEOR + hidden) / 2, in [0, 1].

    Args:
      scores: Kind of dialog -> (METEOR, hidden) of every answer.

    Raises:
      ConfigError: A kind is unknown.
      DataError: A kind has no answers, or a score is not in [0, 1].
    """
    for kind in scores:
        if kind not in WEIGHTS:
            raise unknown("kind of dialog", kind, WEIGHTS)
    if missing := [kind for kind in WEIGHTS if not len(scores.get(kind, ()))]:
        raise DataError(
            f"no answers in dialogs of {', '.join(missing)}; the score needs all {len(WEIGHTS)} kinds"
        )
    total = 0.0
    for kind, weight in WEIGHTS.items():
        pairs = np.asarray(scores[kind], np.float64)
        if pairs.shape != (len(scores[kind]), 2) or not ((pairs >= 0.0) & (pairs <= 1.0)).all():
            raise DataError(
                f"scores of {kind} have shape {list(pairs.shape)}; want (METEOR, hidden) in [0, 1] an answer"
            )
        total += weight * float(pairs.mean())
    return total
