"""Answers in words against reference answers. Knows strings only."""

import re
import unicodedata
from collections.abc import Sequence

from unified_io.evaluation.metric import Mean

# A sign before a number and a point inside one carry meaning; any other punctuation does not.
_SIGN = r"(?<![\w.])-(?=\d)"
_POINT = r"(?<=\d)\.(?=\d)"
_PUNCTUATION = re.compile(rf"(?:(?!{_SIGN}|{_POINT})[^\w\s])|_")
_APOSTROPHE = re.compile(r"(?<=\w)['’](?=\w)")


def normalise(text: str) -> str:
    """Returns the text in lower case, one blank between words, without punctuation outside of numbers.

    "  The digit SEVEN. "  ->  "the digit seven"
    "It's -3.5!"           ->  "its -3.5"
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(_PUNCTUATION.sub(" ", _APOSTROPHE.sub("", folded)).split())


def exact_match(answer: str, references: str | Sequence[str]) -> float:
    """Returns 1.0 if the answer equals one of the references after `normalise`, else 0.0."""
    accepted = [references] if isinstance(references, str) else references
    return float(normalise(answer) in {normalise(reference) for reference in accepted})


EXACT = Mean("exact", each=exact_match)
"""Prediction: a text. Truth: a text, or several that are right."""
