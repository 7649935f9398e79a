"""Three ways to lay a stream of examples out in batches: padded, in pairs as released, planned into rows as ours."""

import dataclasses
import time
from collections.abc import Callable, Sequence

import numpy as np

from unified_io.data import proposals
from unified_io.data.budgets import Budgets, Lengths
from unified_io.data.packing import Plan, plan
from unified_io.data.pairs import Pairs
from unified_io.errors import ConfigError
from unified_io.model import UnifiedIOConfig

PAIR_LENGTHS, POOL = (864, 1280), 10  # as released


@dataclasses.dataclass(frozen=True)
class Step:
    """One batch: which examples of the stream are in it, in the order of its plan."""

    examples: tuple[int, ...]
    plan: Plan


@dataclasses.dataclass(frozen=True)
class Way:
    """A stream laid out.

    Attributes:
      budgets: The shape of a batch.
      steps: The batches, those of the beginning and the end left out where they are not like the others.
      planning: CPU seconds of planning a batch.
    """

    budgets: Budgets
    steps: tuple[Step, ...]
    planning: float = 0.0

    def each(self, value: Callable[[Step], float]) -> float:
        """Mean of a number over the batches."""
        return float(np.mean([value(step) for step in self.steps]))

    @property
    def examples(self) -> float:
        """Examples of a batch."""
        return self.each(lambda step: len(step.examples))

    @property
    def tokens(self) -> float:
        """Real tokens of a batch, of both sides."""
        return self.each(lambda step: sum(x.encoder + x.decoder for x in step.plan.lengths))

    def fill(self, kind: int) -> float:
        """The part of the rows that is real on one side: 0 is the encoder's, 1 the decoder's."""
        return self.each(lambda step: list(step.plan.fill().values())[kind])


def _fixed(lengths: Sequence[Lengths], budgets: Budgets, rows: Sequence[Sequence[int]]) -> tuple[Step, ...]:
    """Makes batches of rows that are settled; a part of a batch at the end is left out."""
    steps = []
    for start in range(0, len(rows) - budgets.rows + 1, budgets.rows):
        group = rows[start : start + budgets.rows]
        examples = tuple(index for row in group for index in row)
        at = np.repeat(np.arange(budgets.rows), [len(row) for row in group])
        steps.append(Step(examples, Plan(budgets, 1, tuple(lengths[i] for i in examples), at)))
    return tuple(steps)


def padded(config: UnifiedIOConfig, lengths: Sequence[Lengths], room: int) -> Way:
    """One example a row; rows and banks hold the longest example there could be."""
    one = proposals.padded(config, 1)
    rows = proposals.rows_in(room, (one.encoder_length, one.decoder_length))
    budgets = proposals.padded(config, rows)
    return Way(budgets, _fixed(lengths, budgets, [[index] for index in range(len(lengths))]))


def paired(config: UnifiedIOConfig, lengths: Sequence[Lengths], rows: int) -> Way:
    """At most two examples a row, as the released pipeline pairs them; banks for whole examples.

    Source: `data.pairs`. The released model would also move tokens by products with one-hot matrices; ours gathers.
    """
    encoder, decoder = PAIR_LENGTHS
    budgets = dataclasses.replace(
        proposals.padded(config, 2 * rows),
        rows=rows,
        encoder_length=encoder,
        decoder_length=decoder,
        examples_per_row=2,
    )
    start = time.process_time()
    stream = Pairs(
        [(x.encoder, x.decoder) for x in lengths], max_encoder=encoder, max_decoder=decoder, pool_size=POOL
    )
    pairs = [[first] if second is None else [first, second] for first, second in stream]
    steps = _fixed(lengths, budgets, pairs)
    return Way(budgets, steps, (time.process_time() - start) / len(steps))


def packed(lengths: Sequence[Lengths], budgets: Budgets, lookahead: int) -> Way:
    """Any number of examples a row: a buffer of `lookahead` examples is filled up, and a batch is planned from it.

    The first half of the batches is left out: a new buffer has more to choose from than one that has been chosen from.

    Raises:
      ConfigError: There are too few examples for two batches.
    """
    buffer, steps, planning = [], [], []
    for index in range(len(lengths)):
        buffer.append(index)
        if len(buffer) < lookahead:
            continue
        start = time.process_time()
        planned = plan([lengths[i] for i in buffer], budgets)
        planning.append(time.process_time() - start)
        chosen, at = np.flatnonzero(planned.placed), planned.rows[planned.placed]
        kept = [buffer[i] for i in chosen]
        steps.append(Step(tuple(kept), Plan(budgets, 1, tuple(lengths[i] for i in kept), at)))
        buffer = [buffer[i] for i in np.flatnonzero(~planned.placed)]
    if len(steps) < 2:
        raise ConfigError(
            f"{len(lengths)} examples make {len(steps)} batches with a look-ahead of {lookahead}; give more examples"
        )
    later = slice(len(steps) // 2, None)
    return Way(budgets, tuple(steps[later]), float(np.mean(planning[later])))
