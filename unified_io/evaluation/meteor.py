"""METEOR: words of an answer paired with those of a reference, whole, by stem and by meaning. Knows strings only.

Stems need nltk (the extra `metrics`), meanings its data of WordNet too. A score says by its name what it was made of.
"""

import dataclasses
import functools
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence

from unified_io.errors import ConfigError
from unified_io.evaluation.cider import words
from unified_io.evaluation.library import library
from unified_io.evaluation.metric import Mean


@dataclasses.dataclass(frozen=True)
class Meteor:
    """Scores an answer in [0, 1] against the reference it fits best.

    Words are paired in passes: those that are the same, then of the rest those with one stem, then those of which one
    is a synonym of the other; of equal words the last ones pair first. With P and R the shares of paired words in
    answer and reference, the score is P R / (.9 P + .1 R), times 1 - .5 (chunks / pairs)³, a chunk being a run of pairs
    that is in order on both sides.

    Attributes:
      stem: Word -> its stem; None leaves the pass out.
      synonyms: Word -> other words for it; None leaves the pass out.

    Source: Lavie and Agarwal, "METEOR: an automatic metric for MT evaluation" (2007), with the parameters and the
    pairing of nltk: it does not seek the fewest chunks where words repeat. After a pass for stems nltk looks for
    synonyms of stems, we for those of words.
    """

    stem: Callable[[str], str] | None = None
    synonyms: Callable[[str], Collection[str]] | None = None

    @property
    def name(self) -> str:
        """The name of the score, with its parts."""
        return "_".join(
            ["meteor_exact", *(["stem"] if self.stem else []), *(["synonyms"] if self.synonyms else [])]
        )

    def __call__(self, answer: str, references: str | Sequence[str]) -> float:
        texts = [references] if isinstance(references, str) else references
        return max((self._one(words(answer), words(text)) for text in texts), default=0.0)

    def _one(self, made: list[str], true: list[str]) -> float:
        pairs = self._pairs(made, true)
        if not pairs:
            return 0.0
        precision, recall = len(pairs) / len(made), len(pairs) / len(true)
        order = sorted(pairs)
        chunks = 1 + sum(
            (b != a + 1) or (pairs[b] != pairs[a] + 1) for a, b in zip(order, order[1:], strict=False)
        )
        penalty = 0.5 * (chunks / len(pairs)) ** 3
        return (1.0 - penalty) * precision * recall / (0.9 * precision + 0.1 * recall)

    def _pairs(self, made: list[str], true: list[str]) -> dict[int, int]:
        """Place in the answer -> place in the reference."""
        pairs: dict[int, int] = {}
        left, right = dict(enumerate(made)), dict(enumerate(true))
        passes = [(_itself, _same)]
        if self.stem:
            stem = self.stem
            passes.append((lambda word: {stem(word)}, stem))
        if self.synonyms:
            synonyms = self.synonyms
            passes.append((lambda word: {word, *synonyms(word)}, _same))
        for near, form in passes:
            found = _match(left, right, near, form)
            pairs |= found
            left = {i: word for i, word in left.items() if i not in found}
            right = {j: word for j, word in right.items() if j not in found.values()}
        return pairs


def meteor(stem: bool = True, synonyms: bool = True) -> Mean:
    """Returns the metric made of these parts. Prediction: a text. Truth: a text, or several of which the best counts.

    Raises:
      ConfigError: A part can not run on this machine; says what it needs.
    """
    score = Meteor(_stemmer() if stem else None, _wordnet() if synonyms else None)
    return Mean(score.name, each=score)


def meteor_here() -> Mean:
    """Returns the metric of all parts that this machine has; its name says which."""
    parts = {}
    for name, load in (("stem", _stemmer), ("synonyms", _wordnet)):
        try:
            parts[name] = load()
        except ConfigError:
            parts[name] = None
    score = Meteor(**parts)
    return Mean(score.name, each=score)


def _itself(word: str) -> set[str]:
    return {word}


def _same(word: str) -> str:
    return word


def _match(
    left: Mapping[int, str],
    right: Mapping[int, str],
    near: Callable[[str], Collection[str]],
    form: Callable[[str], str],
) -> dict[int, int]:
    places = defaultdict(list)
    for j, word in right.items():
        places[form(word)].append(j)
    found = {}
    for i in reversed(left):
        if free := [places[other][-1] for other in near(left[i]) if places.get(other)]:
            found[i] = max(free)
            places[form(right[found[i]])].pop()
    return found


@functools.cache
def _stemmer() -> Callable[[str], str]:
    return functools.cache(library("nltk.stem.porter", "stems of words").PorterStemmer().stem)


@functools.cache
def _wordnet() -> Callable[[str], Collection[str]]:
    net = library("nltk.corpus", "synonyms").wordnet
    try:
        net.ensure_loaded()
    except LookupError as error:
        raise ConfigError(
            "synonyms of METEOR need the data of WordNet, which nltk does not find; run python -m nltk.downloader "
            "wordnet, or use meteor(synonyms=False)"
        ) from error

    def synonyms(word: str) -> set[str]:
        return {
            name.lower() for synset in net.synsets(word) for name in synset.lemma_names() if "_" not in name
        }

    return functools.cache(synonyms)
