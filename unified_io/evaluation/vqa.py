"""Short answers to a question about a picture, against those of ten people. Knows strings only."""

import re
from collections import Counter
from collections.abc import Sequence

from unified_io.errors import DataError
from unified_io.evaluation.metric import Mean

_MARKS = ';/[]"{}()=+\\_-><@`,?!'
_TO_TEN = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_NUMBERS = {"none": "0"} | {word: str(number) for number, word in enumerate(_TO_TEN)}
_ARTICLES = frozenset({"a", "an", "the"})

_WRITTEN = """
ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't he'd he'd've he's
how'd how'll how's isn't it'd it'd've it'll ma'am mightn't mightn't've might've mustn't must've needn't not've o'clock
oughtn't 'ow's'at shan't she'd've should've shouldn't shouldn't've somebody'd've somebody'll somebody's someone'd
someone'd've someone'll someone's something'd something'd've something'll that's there'd there'd've there're there's
they'd they'd've they'll they're they've 'twas wasn't we'd've we've weren't what'll what're what's what've when's
where'd where's where've who'd who'd've who'll who's who've why'll why're why's won't would've wouldn't wouldn't've
y'all y'all'll y'all'd've you'd you'd've you'll you're you've
"""


def _misspelt(word: str) -> list[str]:
    return [word[:i] + word[i + 1 :] for i, letter in enumerate(word) if letter == "'"]


# "couldnt've" and "couldn'tve" both mean "couldn't've": one apostrophe was forgotten.
_CONTRACTIONS = {wrong: word for word in _WRITTEN.split() for wrong in _misspelt(word)} | {
    "somebody'd": "somebodyd"
}


def normalise(answer: str) -> str:
    """Returns an answer as the VQA and GRIT benchmarks compare it.

    Lower case, no punctuation, no articles, number words as digits, apostrophes put back.

    "The Two dogs!"  ->  "2 dogs"
    "1,000"          ->  "1000"
    "dont know."     ->  "don't know"

    Source: the released evaluation. A mark becomes a blank inside of words ("black-white"), but nothing beside a blank
    or where a number with a comma is in the answer.
    """
    text = re.sub(r"[\n\t]", " ", answer).lower().strip()
    number = re.search(r"\d,\d", text)
    kept = text
    for mark in _MARKS:
        beside = f"{mark} " in text or f" {mark}" in text
        kept = kept.replace(mark, "" if beside or number else " ")
    words = [_NUMBERS.get(word, word) for word in re.sub(r"\.(?!\d)", "", kept).split()]
    return " ".join(_CONTRACTIONS.get(word, word) for word in words if word not in _ARTICLES)


def accuracy(answer: str, answers: Sequence[str]) -> float:
    """Returns min(matches / 3, 1): right if three people said so.

    Raises:
      DataError: Nobody answered.
    """
    return min(_votes(answer, answers)[0] / 3.0, 1.0)


def leave_one_out(answer: str, answers: Sequence[str]) -> float:
    """Returns the mean of `accuracy` over the sets that leave one person out, as VQA 2.0 quotes it.

    One of ten: .3 (nine of the ten sets hold it, each worth 1/3). Three: .9. Four or more: 1.

    Raises:
      DataError: Nobody answered, or one person only.
    """
    matches, people = _votes(answer, answers)
    if people < 2:
        raise DataError(
            f"one answer {answers!r} is no set to leave one out of; use EXACT of evaluation/text.py"
        )
    without_a_match = min(max(matches - 1, 0) / 3.0, 1.0)
    without_another = min(matches / 3.0, 1.0)
    return (matches * without_a_match + (people - matches) * without_another) / people


def commonest(answers: Sequence[str]) -> str:
    """Returns the answer most people gave, after `normalise`; of equals the first one."""
    return Counter(map(normalise, answers)).most_common(1)[0][0]


def _votes(answer: str, answers: Sequence[str]) -> tuple[int, int]:
    people = [answers] if isinstance(answers, str) else list(answers)
    if not people:
        raise DataError("a question without any answer can not be scored; leave the example out")
    wanted = normalise(answer)
    return sum(normalise(said) == wanted for said in people), len(people)


VQA = Mean("vqa", each=accuracy)
"""Prediction: a text. Truth: the answers of all people, of whom three or more agree on the best one."""

VQA_OFFICIAL = Mean("vqa_leave_one_out", each=leave_one_out)
