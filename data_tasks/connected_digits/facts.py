"""What can be said of digits in words alone: the text that the small language model of these runs learns.

A digit is named where later a picture or a sound will stand, so questions about media are known from text.
"""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
import seqio

from data_tasks.digits.words import WORDS
from data_tasks.formats.base import ABOUT, Fields, Format, Raw, about, preprocessor
from data_tasks.registry import GIVEN_BY_ALL
from data_tasks.sources.made import Made
from data_tasks.sources.stored import Mapped, Record
from unified_io.data.pipeline import output_features

LENGTHS = {"train": 200_000, "validation": 500, "test": 500}
_SALT = 90_125

# The questions of the tasks about media, in their words.
NAMING = (
    "which digit is this?",
    "name the digit",
    "what digit is shown?",
    "which digit is said?",
    "name the digit you hear",
    "what digit is spoken?",
)
COMPARING = ("which is larger, image or sound?", "name the larger digit", "the larger of both digits")
PARITY = ("is it odd or even?", "odd or even?", "is this number odd or even?")
THRICE = ("what is it plus three?", "add three", "three more than this?")

Question = Callable[[np.random.Generator], tuple[str, str]]


def naming(rng: np.random.Generator) -> tuple[str, str]:
    """ "seven which digit is this?" -> "seven" """
    word = str(rng.choice(WORDS))
    return f"{word} {rng.choice(NAMING)}", word


def comparing(rng: np.random.Generator) -> tuple[str, str]:
    """ "two nine name the larger digit" -> "nine" """
    pair = rng.choice(10, 2, replace=False)
    return f"{WORDS[pair[0]]} {WORDS[pair[1]]} {rng.choice(COMPARING)}", WORDS[pair.max()]


def parity(rng: np.random.Generator) -> tuple[str, str]:
    """ "seven odd or even?" -> "odd" """
    digit = int(rng.integers(10))
    return f"{WORDS[digit]} {rng.choice(PARITY)}", parity_of(digit)


def thrice(rng: np.random.Generator) -> tuple[str, str]:
    """ "nine add three" -> "two": counting goes round"""
    digit = int(rng.integers(10))
    return f"{WORDS[digit]} {rng.choice(THRICE)}", WORDS[(digit + 3) % 10]


def parity_of(digit: int) -> str:
    """Says whether a digit is odd or even."""
    return ("even", "odd")[digit % 2]


KINDS: dict[str, Question] = {
    "naming": naming,
    "comparing": comparing,
    "parity": parity,
    "thrice": thrice,
}


def record(kind: str, split: str, index: int) -> Record:
    """Returns a question and its answer, always the same of a number."""
    rng = np.random.default_rng((_SALT, sorted(LENGTHS).index(split), index, *kind.encode()))
    question, answer = KINDS[kind](rng)
    return {"instruction": question, "response": answer}


@dataclasses.dataclass(frozen=True)
class Told(Format):
    """A question as it is, and its answer."""

    @property
    def reads(self) -> tuple[str, ...]:
        return "instruction", "response"

    @property
    def writes(self) -> tuple[str, ...]:
        return "text_inputs", "text_targets", *ABOUT

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        return about(raw) | {"text_inputs": raw["instruction"], "text_targets": raw["response"]}


for _kind in KINDS:
    _name = f"digit_facts_{_kind}"
    seqio.TaskRegistry.add(
        _name,
        source=Mapped(
            Made(_name, functools.partial(record, _kind), LENGTHS),
            {"instruction": "instruction", "response": "response"},
            {split: split for split in LENGTHS},
        ),
        preprocessors=[preprocessor(Told(""), _name)],
        output_features=output_features(GIVEN_BY_ALL),
        metric_fns=[],
    )

seqio.MixtureRegistry.add("digit_facts", [(f"digit_facts_{kind}", 1.0) for kind in KINDS])
