"""Texts against reference texts by their words and letters: error rates, BLEU, chrF. Needs the extra `metrics`."""

from collections.abc import Callable, Sequence

from unified_io.evaluation.library import library
from unified_io.evaluation.metric import Whole
from unified_io.evaluation.text import normalise

References = str | Sequence[str]


def word_errors(answer: str, reference: str) -> tuple[int, int]:
    """Returns how many words must be changed, put in or left out, and how many the reference has.

    Both are taken after `text.normalise`: letter case and punctuation do not count.
    """
    return _errors("process_words", normalise(answer), normalise(reference), lambda text: len(text.split()))


def letter_errors(answer: str, reference: str) -> tuple[int, int]:
    """Returns how many characters must be changed, put in or left out, and how many the reference has."""
    return _errors("process_characters", normalise(answer), normalise(reference), len)


def bleu(predictions: Sequence[str], truths: Sequence[References]) -> float:
    """Returns BLEU of a set, in 0 to 100, as sacrebleu computes and tokenizes it."""
    return library("sacrebleu", "BLEU scores").corpus_bleu(list(predictions), _streams(truths)).score


def chrf(predictions: Sequence[str], truths: Sequence[References]) -> float:
    """Returns chrF2 of a set, in 0 to 100, as sacrebleu computes it."""
    return library("sacrebleu", "chrF scores").corpus_chrf(list(predictions), _streams(truths)).score


def _errors(function: str, made: str, true: str, count: Callable[[str], int]) -> tuple[int, int]:
    jiwer = library("jiwer", "word and character error rates")
    if not true:  # jiwer refuses an empty reference; whatever is said there is put in
        return count(made), 0
    found = getattr(jiwer, function)(true, made)
    return found.substitutions + found.deletions + found.insertions, count(true)


def _streams(truths: Sequence[References]) -> list[list[str | None]]:
    """Returns the first references of all examples, the second ones, …; None where there are fewer."""
    sets = [[t] if isinstance(t, str) else list(t) for t in truths]
    return [[s[i] if i < len(s) else None for s in sets] for i in range(max(map(len, sets)))]


def _rate(errors: Sequence[tuple[int, int]], _: Sequence[References]) -> float:
    wrong, all_ = sum(e for e, _ in errors), sum(n for _, n in errors)
    return wrong / all_ if all_ else float(wrong > 0)


def _best(
    errors: Callable[[str, str], tuple[int, int]],
) -> Callable[[Sequence[str], Sequence[References]], tuple[Sequence, Sequence]]:
    def prepare(predictions: Sequence[str], truths: Sequence[References]) -> tuple[Sequence, Sequence]:
        found = []
        for answer, truth in zip(predictions, truths, strict=True):
            counts = [errors(answer, text) for text in ([truth] if isinstance(truth, str) else truth)]
            found.append(min(counts, key=lambda count: count[0] / max(count[1], 1)))
        return found, truths

    return prepare


WER = Whole("wer", best=0.0, worst=1.0, all=_rate, prepare=_best(word_errors))
"""Prediction: a text. Truth: a text, or several of which the nearest counts. Errors of the set / words of the set."""

CER = Whole("cer", best=0.0, worst=1.0, all=_rate, prepare=_best(letter_errors))
BLEU = Whole("bleu", best=100.0, all=bleu)
CHRF = Whole("chrf", best=100.0, all=chrf)
