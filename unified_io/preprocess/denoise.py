"""What a denoising task hides: spans of a text, patches of a picture or a spectrogram, steps of a sequence.

Pure functions of a random generator. They know tokens and grids, no modality.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from jaxtyping import Bool

from unified_io.errors import ConfigError, DataError

Token = TypeVar("Token", str, int)


@dataclasses.dataclass(frozen=True)
class Spans:
    """How much of a text is hidden.

    Attributes:
      rate: Part of the tokens, from 0 to 1.
      mean: Mean length of a span, tokens.
    """

    rate: float
    mean: float

    def __post_init__(self):
        if not (0 <= self.rate <= 1 and self.mean >= 1):
            raise ConfigError(
                f"spans of rate {self.rate} and mean {self.mean}; give a rate from 0 to 1, a mean of 1 or more"
            )


# UL2's denoisers: regular and extreme. The sequential one is `split_suffix`.
R = (Spans(0.15, 3), Spans(0.15, 8))
X = (Spans(0.5, 3), Spans(0.5, 8), Spans(0.15, 64), Spans(0.5, 64))


def hide_spans(
    length: int, spans: Spans, rng: np.random.Generator, most: int = 200
) -> Bool[np.ndarray, " length"]:
    """Draws which tokens of a text are hidden (True), in at most `most` spans that do not touch.

    At least one token is hidden, and one is kept unless there is only one.

    Source: T5, section 3.1.4; UL2, section 3.1.
    """
    if length < 1:
        raise DataError("there is no text to hide spans of")
    hidden = int(np.clip(round(length * spans.rate), 1, max(length - 1, 1)))
    kept = length - hidden
    # k spans need k - 1 kept tokens between them.
    count = int(np.clip(round(hidden / spans.mean), 1, min(hidden, kept + 1, most)))
    runs = np.empty(2 * count + 1, int)
    runs[1::2] = _compose(hidden, count, rng)
    runs[::2] = rng.multinomial(kept - (count - 1), np.full(count + 1, 1 / (count + 1)))
    runs[2:-1:2] += 1
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs)


def hide_words(
    sizes: Sequence[int], spans: Spans, rng: np.random.Generator, most: int = 200
) -> Bool[np.ndarray, " words"]:
    """Draws which words of a text are hidden (True): spans are drawn over tokens, a word goes with its first one.

        sizes    1 2   1       (tokens)
        tokens   . x x .
        hidden   . x   .

    At least one word is hidden, and one is kept unless there is only one.

    Args:
      sizes: Tokens of every word, at least 1.
      spans: How much is hidden, in tokens.
      rng: Random generator.
      most: The most spans.
    """
    ends = np.cumsum(sizes, dtype=int)
    hidden = hide_spans(int(ends[-1]) if len(ends) else 0, spans, rng, most)[ends - sizes]
    if not hidden.any():
        hidden[rng.integers(len(hidden))] = True
    elif hidden.all() and len(hidden) > 1:
        hidden[-rng.integers(2)] = False  # the first or the last one, which splits no span
    return hidden


def _compose(total: int, parts: int, rng: np.random.Generator) -> np.ndarray:
    """Draws `parts` sizes of at least 1 that add up to `total`, all ways equally likely."""
    cuts = np.sort(rng.choice(total - 1, parts - 1, replace=False)) + 1
    return np.diff(np.concatenate([[0], cuts, [total]]))


def corrupt(
    tokens: Sequence[Token], hidden: Bool[np.ndarray, " length"], sentinel: Callable[[int], Token]
) -> tuple[list[Token], list[Token]]:
    """Replaces hidden spans by sentinels; the target lists every sentinel with what it hides.

        tokens   a quick brown fox
        hidden   . x     x     .
        inputs   a <extra_id_0> fox
        targets  <extra_id_0> quick brown

    Args:
      tokens: Words or ids.
      hidden: True where a token is hidden.
      sentinel: Returns the sentinel of the k-th span, k from 0.
    """
    inputs: list[Token] = []
    targets: list[Token] = []
    count = 0
    for index, (token, hide) in enumerate(zip(tokens, hidden, strict=True)):
        if hide and (index == 0 or not hidden[index - 1]):
            inputs.append(sentinel(count))
            targets.append(sentinel(count))
            count += 1
        (targets if hide else inputs).append(token)
    return inputs, targets


def restore(
    inputs: Sequence[Token], targets: Sequence[Token], sentinel: Callable[[int], Token]
) -> list[Token]:
    """Puts hidden spans back in place; the inverse of `corrupt`. A span the target does not name stays empty."""
    marks = {sentinel(k): k for k in range(len(inputs))}
    spans: dict[Token, list[Token]] = {}
    current: list[Token] = []
    for token in targets:
        if token in marks:
            current = spans.setdefault(token, [])
        else:
            current.append(token)
    return [part for token in inputs for part in (spans.get(token, []) if token in marks else [token])]


def split_suffix(
    tokens: Sequence[Token], rng: np.random.Generator, low: float = 0.25, high: float = 0.75
) -> tuple[Sequence[Token], Sequence[Token]]:
    """Cuts a text of two tokens or more in two at a random point (UL2's S): what is given, and what comes next."""
    if len(tokens) < 2:
        raise DataError(f"a text of {len(tokens)} tokens can not be cut in two")
    cut = int(np.clip(round(len(tokens) * rng.uniform(low, high)), 1, len(tokens) - 1))
    return tokens[:cut], tokens[cut:]


def keep_some(count: int, rate: float, rng: np.random.Generator) -> Bool[np.ndarray, " count"]:
    """Draws which things are kept (True): all but a part `rate`, of two or more at least one hidden and one kept."""
    hidden = int(np.clip(round(count * rate), min(1, count - 1), max(count - 1, 0)))
    keep = np.ones(count, bool)
    keep[rng.permutation(count)[:hidden]] = False
    return keep


def keep_patches(
    shape: tuple[int, int],
    cells: tuple[int, int],
    rate: float,
    rng: np.random.Generator,
    *,
    rows: bool = False,
) -> Bool[np.ndarray, "H W"]:
    """Draws the mask (True = keep) of an array cut into a grid of cells, a part `rate` of which is hidden.

    Args:
      shape: Height and width of the array (frames and mels).
      cells: Rows and columns of the grid; align it with the patches of the encoder.
      rate: Part of the cells that is hidden, 0 to 1.
      rng: Random generator.
      rows: Hide whole rows of cells: stretches of time of a spectrogram.
    """
    if rows:
        keep = np.repeat(keep_some(cells[0], rate, rng)[:, None], cells[1], axis=1)
    else:
        keep = keep_some(cells[0] * cells[1], rate, rng).reshape(cells)
    return enlarge(keep, shape)


def enlarge(mask: Bool[np.ndarray, "R C"], shape: tuple[int, int]) -> Bool[np.ndarray, "H W"]:
    """Blows a mask of grid cells up to the pixels of an array."""
    down, across = ((np.arange(n) * cells) // n for n, cells in zip(shape, mask.shape, strict=True))
    return mask[down[:, None], across[None, :]]
