"""Shapes of batches: one that fits measured lengths, and one with room for whatever an example can have."""

from collections.abc import Sequence

import numpy as np

from unified_io.data.budgets import Budgets, Lengths
from unified_io.data.rehearsal import rehearse
from unified_io.errors import DataError
from unified_io.modalities.base import Modality
from unified_io.model import UnifiedIOConfig

GOAL = 0.97
"""The part of the rows that is to be real, on both sides."""
MULTIPLE = 8
"""Row lengths are multiples of it."""
MEDIA_MARGIN, TOKEN_MARGIN = 0.5, 3.0
"""Standard deviations of what full rows hold that a bank has to spare.

Every item of a medium's bank goes through its encoder or tokenizer, there or not, so a spare one costs as much as a
real one; a planner that can choose waits until there is room. A spare place of single tokens costs next to nothing, and
a bank of them that runs out leaves rows empty.
"""
# A sample of some thousand knows the ratio of the tokens, and with it the fill, to about so much.
_UNSURE = 0.01
_SHORTER = 0.8


def propose(
    sample: Sequence[Lengths],
    inputs: Sequence[Modality],
    targets: Sequence[Modality],
    room: int,
    lookahead: float = 2.0,
) -> Budgets:
    """Proposes the shape of a batch for a mixture: rows in the ratio of its tokens, and banks to go with them.

    The shortest rows that are safely `GOAL` full on both sides are taken, since attention between the examples of a
    row is spent for nothing; if none are, the fullest.

    Args:
      sample: Lengths of a few thousand examples of the mixture.
      inputs: Input modalities.
      targets: Target modalities.
      room: Tokens that all rows of a group hold together, both sides, about.
      lookahead: Batches' worth of examples to choose from.

    Raises:
      DataError: The sample is empty.
    """
    shortest = row_lengths(sample, MULTIPLE)
    best, most = None, -1.0
    for rows in _numbers_of_rows(rows_in(room, shortest)):
        lengths = row_lengths(sample, room / rows / (1 + _ratio(sample)))
        budgets = propose_banks(sample, inputs, targets, rows_in(room, lengths), lengths)
        filled = rehearse(sample, budgets, lookahead).fill
        least = min(filled[kind] for kind in budgets.row_kinds)
        if least > most:
            best, most = budgets, least
        if most >= GOAL + _UNSURE:
            break
    assert best is not None
    return best


def rows_in(room: int, lengths: tuple[int, int]) -> int:
    """Returns how many rows of (encoder, decoder) tokens come nearest to a room for tokens, at least 1."""
    return max(1, round(room / sum(lengths)))


def row_lengths(sample: Sequence[Lengths], decoder_length: float) -> tuple[int, int]:
    """Returns encoder and decoder lengths of rows that fill on both sides, the decoder's about as long as asked.

    The encoder is as long as the examples of a full decoder ask for, and both sides hold the longest example. Of the
    multiples of `MULTIPLE` within a tenth the nearest is taken that keeps the ratio of the sample to a per cent.

    Raises:
      DataError: The sample is empty.
    """
    ratio = _ratio(sample)
    longest_encoder, longest_decoder = (
        max(getattr(x, side) for x in sample) for side in ("encoder", "decoder")
    )
    wanted = max(decoder_length, longest_decoder, longest_encoder / ratio)

    def encoder_length(decoder: int) -> int:
        return max(MULTIPLE * round(decoder * ratio / MULTIPLE), _up(longest_encoder))

    def off(decoder: int) -> tuple[float, float]:
        return round(abs(encoder_length(decoder) / (decoder * ratio) - 1), 2), abs(decoder - wanted)

    multiples = range(_up(max(longest_decoder, 0.9 * wanted)), _up(1.1 * wanted) + 1, MULTIPLE)
    best = min(multiples, key=off)
    return encoder_length(best), best


def propose_banks(
    sample: Sequence[Lengths],
    inputs: Sequence[Modality],
    targets: Sequence[Modality],
    rows: int,
    lengths: tuple[int, int],
) -> Budgets:
    """Proposes banks for given rows: what full rows hold on average, and a margin.

    Args:
      sample: Lengths of a few thousand examples of the mixture.
      inputs: Input modalities.
      targets: Target modalities.
      rows: Rows of a group.
      lengths: Places of an encoder and of a decoder row.

    Raises:
      DataError: The sample is empty.
    """
    encoder, decoder = _means(sample)
    # Rows fill up until one of the two sides is full.
    examples = rows * min(lengths[0] / encoder, lengths[1] / decoder)

    def items(modality: Modality, side: str) -> int:
        counts = np.array([getattr(x, side)[modality.name] for x in sample])
        margin = TOKEN_MARGIN if modality.slot_size == 1 else MEDIA_MARGIN
        usual = examples * counts.mean() + margin * np.sqrt(examples) * counts.std()
        return max(int(np.ceil(usual)), int(counts.max()), 1)

    return Budgets(
        rows,
        *lengths,
        {m.name: items(m, "inputs") for m in inputs},
        {m.name: items(m, "targets") for m in targets},
    )


def padded(model: UnifiedIOConfig, rows: int) -> Budgets:
    """Returns the shape of a batch without packing: one example a row, and room for all that an example can have.

    Args:
      model: Says which modalities there are and how many items of each an example has at most.
      rows: Rows, and examples, of a group.
    """
    inputs, targets = ({m.name: rows * m.max_items for m in side} for side in (model.inputs, model.targets))
    encoder, decoder = (
        sum(m.max_items * m.slot_size for m in side) for side in (model.inputs, model.targets)
    )
    return Budgets(rows, encoder, decoder, inputs, targets, examples_per_row=1)


def _numbers_of_rows(most: int) -> list[int]:
    """Numbers of rows to try, from many short ones to a single long one."""
    tried = [max(most, 1)]
    while tried[-1] > 1:
        tried.append(min(tried[-1] - 1, round(_SHORTER * tried[-1])))
    return tried


def _means(sample: Sequence[Lengths]) -> tuple[float, float]:
    if not sample:
        raise DataError("no lengths to propose a shape from; measure a few thousand examples first")
    encoder, decoder = (float(np.mean([getattr(x, side) for x in sample])) for side in ("encoder", "decoder"))
    return max(encoder, 1e-9), max(decoder, 1e-9)


def _ratio(sample: Sequence[Lengths]) -> float:
    encoder, decoder = _means(sample)
    return encoder / decoder


def _up(length: float) -> int:
    return max(MULTIPLE * int(np.ceil(length / MULTIPLE)), MULTIPLE)
