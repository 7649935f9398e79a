"""What the small language model of the miniatures reads: sentences about digits, and no digit seen or heard.

Words stand where a picture or a sound will stand later, so what is asked of media is known from text.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from data_tasks.connected_digits.facts import COMPARING, NAMING, PARITY, THRICE, parity_of
from data_tasks.digits.words import TEMPLATES, WORDS

Example = dict[str, Any]

SAME = ("are both digits the same?", "the same digit?", "do both digits match?")
LISTING = ("list the digits", "which digits are these?", "name all digits")
SPEAKER = ("who is speaking?", "who says this?", "name the speaker")
DIGITS = 3
"""How many are listed."""


def asked(question: str, answer: str, **fields: Any) -> Example:
    """Returns a question and its answer as the fields of an example, with others beside them."""
    return {"text_inputs": question, "text_targets": answer, **fields}


def described(question: str, answer: str, request: str, description: str, **media: Any) -> Example:
    """Returns a question that follows a description of what is shown; `dialog.describing` asks for such turns."""
    slots = "".join(f"<{field.removesuffix('_inputs')}>" for field in media)
    turns = [{"role": "user", "text": slots + request}, {"role": "bot", "text": description}]
    return asked(question, answer, dialog_inputs=json.dumps({"messages": turns}), **media)


def same(one: int, other: int) -> str:
    """Says whether two digits are the same."""
    return "yes" if one == other else "no"


def listed(digits: Sequence[int]) -> str:
    """Names digits in their order."""
    return " ".join(WORDS[digit] for digit in digits)


def derived(kind: str, digit: int) -> str:
    """Returns the answer to a question of `DERIVED`."""
    return parity_of(digit) if kind == "parity" else WORDS[(digit + 3) % 10]


DERIVED = {"parity": PARITY, "thrice": THRICE}
"""Questions that follow from a digit, in their wordings."""


def corpus(names: Sequence[str], count: int, seed: int) -> list[Example]:
    """Draws text.

    Args:
      names: Who may be speaking.
      count: How many examples, of all kinds alike.
      seed: Equal ones draw equal examples.
    """
    rng = np.random.default_rng((90_126, seed))
    kinds = [*_KINDS]
    return [_KINDS[kinds[index % len(kinds)]](rng, names) for index in range(count)]


def _said(rng: np.random.Generator, names: Sequence[str], digit: int) -> str:
    """Words in the place of one medium: "the digit 7", "george says seven"."""
    if rng.random() < 0.3:
        return f"{rng.choice(names)} says {WORDS[digit]}"
    return str(rng.choice(TEMPLATES["train"])).format(word=WORDS[digit], numeral=digit)


def _naming(rng: np.random.Generator, names: Sequence[str]) -> Example:
    digit = int(rng.integers(10))
    return asked(f"{_said(rng, names, digit)} {rng.choice(NAMING)}", WORDS[digit])


def _comparing(rng: np.random.Generator, names: Sequence[str]) -> Example:
    one, other = rng.choice(10, 2, replace=False)
    words = f"{_said(rng, names, one)} {_said(rng, names, other)}"
    return asked(f"{words} {rng.choice(COMPARING)}", WORDS[max(one, other)])


def _same(rng: np.random.Generator, names: Sequence[str]) -> Example:
    one, other = rng.integers(10, size=2)
    other = one if rng.random() < 0.45 else other
    words = f"{_said(rng, names, one)} {_said(rng, names, other)}"
    return asked(f"{words} {rng.choice(SAME)}", same(one, other))


def _derived(rng: np.random.Generator, names: Sequence[str]) -> Example:
    digit, kind = int(rng.integers(10)), str(rng.choice([*DERIVED]))
    return asked(f"{_said(rng, names, digit)} {rng.choice(DERIVED[kind])}", derived(kind, digit))


def _listing(rng: np.random.Generator, names: Sequence[str]) -> Example:
    digits = rng.integers(10, size=DIGITS)
    return asked(f"{listed(digits)} {rng.choice(LISTING)}", listed(digits))


def _speaker(rng: np.random.Generator, names: Sequence[str]) -> Example:
    name = str(rng.choice(names))
    return asked(f"{name} says {WORDS[rng.integers(10)]} {rng.choice(SPEAKER)}", name)


def _described(rng: np.random.Generator, names: Sequence[str]) -> Example:
    digit, kind = int(rng.integers(10)), str(rng.choice([*DERIVED]))
    request = f"{_said(rng, names, digit)} {rng.choice(NAMING)}"
    return described(str(rng.choice(DERIVED[kind])), derived(kind, digit), request, WORDS[digit])


_KINDS: dict[str, Callable[[np.random.Generator, Sequence[str]], Example]] = {
    "naming": _naming,
    "comparing": _comparing,
    "same": _same,
    "derived": _derived,
    "listing": _listing,
    "speaker": _speaker,
    "described": _described,
}
