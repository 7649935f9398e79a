"""CIDEr: how much a caption shares with reference captions of what is rare in others. Knows strings only."""

import dataclasses
import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from unified_io.errors import DataError
from unified_io.evaluation.metric import Whole

_LONGEST = 4  # words of an n-gram
_SIGMA = 6.0  # words that lengths may differ by
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")

Grams = Mapping[tuple[str, ...], int]


def words(text: str) -> list[str]:
    """Returns the words of a caption in lower case, without punctuation.

    The published numbers split with the Java tokenizer of the Penn Treebank; ours differs where a word is no plain
    word ("dog's" stays one).
    """
    return _WORD.findall(text.lower())


def cider(predictions: Sequence[str], references: Sequence[str | Sequence[str]]) -> Float[np.ndarray, "n"]:
    """Returns CIDEr-D of every caption; the score of a set is their mean.

    For every n from 1 to 4, the cosine between n-gram counts weighted by how few examples' references hold the n-gram,
    where a caption gains nothing by repeating; times exp(-(difference of lengths)² / 72), as a mean over references
    and n, times 10. With one example all weights are 0, and so is the score.

    Raises:
      DataError: There is nothing to score, or an example without a reference.

    Source: Vedantam et al., "CIDEr: consensus-based image description evaluation" (2015), in the form CIDEr-D.
    """
    if not len(predictions) or len(predictions) != len(references):
        raise DataError(
            f"{len(predictions)} captions for {len(references)} examples; want one each, at least one"
        )
    sets = [[_grams(text) for text in ([r] if isinstance(r, str) else r)] for r in references]
    if empty := [i for i, texts in enumerate(sets) if not texts]:
        raise DataError(f"example {empty[0]} has no reference caption; leave it out, or give it one")
    seen = Counter(gram for texts in sets for gram in set().union(*texts))
    rarity = _Rarity(seen, float(np.log(len(sets))))
    scores = []
    for prediction, texts in zip(predictions, sets, strict=True):
        made = rarity.weigh(_grams(prediction))
        scores.append(np.mean([made.likeness(rarity.weigh(text)) for text in texts]))
    return 10.0 * np.array(scores)


@dataclasses.dataclass(frozen=True)
class _Weighed:
    """A caption as one vector for each n, their norms, and its number of words."""

    vectors: tuple[Mapping[tuple[str, ...], float], ...]
    norms: tuple[float, ...]
    length: int

    def likeness(self, reference: "_Weighed") -> float:
        total = 0.0
        for mine, yours, norm, other in zip(
            self.vectors, reference.vectors, self.norms, reference.norms, strict=True
        ):
            common = sum(min(mine[gram], yours[gram]) * yours[gram] for gram in mine.keys() & yours.keys())
            total += common / (norm * other) if norm and other else common
        return total / _LONGEST * float(np.exp(-((self.length - reference.length) ** 2) / (2.0 * _SIGMA**2)))


@dataclasses.dataclass(frozen=True)
class _Rarity:
    """In how many examples every n-gram occurs, and the logarithm of how many examples there are."""

    seen: Mapping[tuple[str, ...], int]
    examples: float

    def weigh(self, grams: Grams) -> _Weighed:
        vectors = tuple({} for _ in range(_LONGEST))
        for gram, count in grams.items():
            vectors[len(gram) - 1][gram] = count * (self.examples - np.log(max(1, self.seen.get(gram, 0))))
        norms = tuple(float(np.sqrt(sum(v * v for v in vector.values()))) for vector in vectors)
        return _Weighed(vectors, norms, sum(count for gram, count in grams.items() if len(gram) == 1))


def _grams(text: str) -> Grams:
    found = words(text)
    return Counter(tuple(found[i : i + n]) for n in range(1, _LONGEST + 1) for i in range(len(found) - n + 1))


CIDER = Whole(
    "cider",
    best=10.0,
    all=lambda scores, _: float(np.mean(scores)),
    prepare=lambda predictions, truths: (cider(predictions, truths), truths),
)
"""Prediction: a caption. Truth: one or several. On the scale of 0 to 10; papers quote it times 10.

The interval keeps the rarity of words in the whole set. A perfect caption scores 10 only against one single reference.
"""
