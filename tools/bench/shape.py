"""The shape of our batches for a mixture: the cheapest of several that the library proposes."""

from collections.abc import Callable, Sequence

from bench import ways
from unified_io.data.budgets import Budgets, Lengths
from unified_io.data.proposals import GOAL, propose_banks, row_lengths, rows_in
from unified_io.model import UnifiedIOConfig

DECODER_LENGTHS = (1280, 1408, 1536, 1600, 1664, 1792, 2048, 2560)
PREMIUM = 1.1  # what rows that are as full as they should be may cost


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
        row = row_lengths(lengths, decoder_length)
        budgets = propose_banks(lengths, config.inputs, config.targets, rows_in(room, row), row)
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
