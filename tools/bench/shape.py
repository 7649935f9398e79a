"""The shape of our batches for a mixture: how long rows are and what banks hold, chosen from measured lengths."""

from collections.abc import Callable, Sequence

import numpy as np

from bench import ways
from unified_io.data.budgets import Budgets, Lengths, propose_budgets
from unified_io.model import UnifiedIOConfig

DECODER_LENGTHS = (1280, 1408, 1536, 1600, 1664, 1792, 2048, 2560)
MEDIA_MARGIN, TOKEN_MARGIN = 0.5, 3.0  # standard deviations of what a full batch holds
GOAL, PREMIUM = 0.97, 1.1  # the fill that is wanted on both sides, and what it may cost


def rows_in(room: int, shape: tuple[int, int]) -> int:
    """Rows of (encoder, decoder) tokens that come nearest to a room for tokens."""
    return max(1, round(room / sum(shape)))


def row_lengths(lengths: Sequence[Lengths], decoder_length: int) -> tuple[int, int]:
    """The shape of a row that fills on both sides: as long in the encoder as the examples of its decoder ask for.

    It holds the longest example, and its encoder length is a multiple of 32.
    """
    encoder, decoder = (np.array([getattr(x, side) for x in lengths]) for side in ("encoder", "decoder"))
    decoder_length = max(decoder_length, int(decoder.max()))
    encoder_length = max(decoder_length * encoder.mean() / decoder.mean(), encoder.max())
    return 32 * int(np.ceil(encoder_length / 32)), decoder_length


def propose(
    config: UnifiedIOConfig, lengths: Sequence[Lengths], rows: int, shape: tuple[int, int]
) -> Budgets:
    """Proposes banks for rows of a shape: with little room to spare for media, which cost much, and much for tokens."""
    scarce, ample = (
        propose_budgets(lengths, rows, *shape, margin) for margin in (MEDIA_MARGIN, TOKEN_MARGIN)
    )
    inputs, targets = (
        {m.name: (ample if m.slot_size == 1 else scarce)[m.name] for m in modalities}
        for modalities, scarce, ample in (
            (config.inputs, scarce.inputs, ample.inputs),
            (config.targets, scarce.targets, ample.targets),
        )
    )
    return Budgets(rows, *shape, inputs, targets)


def fit(
    config: UnifiedIOConfig,
    lengths: Sequence[Lengths],
    room: int,
    lookahead: int,
    cost: Callable[[Budgets], float],
) -> Budgets:
    """Chooses the shape of our batches for a mixture by trying `DECODER_LENGTHS` on a sample of its lengths.

    The cheapest an example wins among those whose rows are `GOAL` full on both sides, unless full rows cost more than
    `PREMIUM` times as much as the cheapest of all.

    Args:
      config: The model.
      lengths: The sample.
      room: Tokens of all rows of a batch, both sides, about.
      lookahead: Examples to choose from.
      cost: Says what a step of a shape costs.
    """
    full, tried = [], []
    for decoder_length in DECODER_LENGTHS:
        shape = row_lengths(lengths, decoder_length)
        budgets = propose(config, lengths, rows_in(room, shape), shape)
        way = ways.packed(lengths, budgets, lookahead)
        tried.append((cost(budgets) / way.examples, budgets))
        if min(way.fill(0), way.fill(1)) >= GOAL:
            full.append(tried[-1])

    def price(entry: tuple[float, Budgets]) -> float:
        return entry[0]

    cheapest = min(tried, key=price)
    return min(
        [entry for entry in full if price(entry) <= PREMIUM * price(cheapest)] or [cheapest], key=price
    )[1]
