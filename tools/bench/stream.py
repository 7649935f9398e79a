"""The examples of a mixture, laid out in every way that is compared."""

from typing import Any, NamedTuple

import jax

from bench import mixtures, shape, ways
from bench.examples import Examples
from bench.ways import Way
from unified_io.data.batch import ExampleFeatures, assemble
from unified_io.data.budgets import Budgets
from unified_io.data.packing import measure
from unified_io.flops import StepFlops
from unified_io.model import UnifiedIOConfig

WAYS = ("padded", "pairs", "ours")


class Stream(NamedTuple):
    """Features of the examples, and the batches that every way makes of them."""

    config: UnifiedIOConfig
    features: list[ExampleFeatures]
    ways: dict[str, Way]

    def batch(self, name: str, number: int) -> Any:
        """One batch of a way, on the device; numbers past the last start again."""
        steps = self.ways[name].steps
        step = steps[number % len(steps)]
        features = [self.features[i] for i in step.examples]
        return jax.device_put(assemble(features, step.plan, self.config.inputs, self.config.targets))

    def wasted(self, name: str, flops: StepFlops) -> float:
        """The part of a step's operations that is spent on padding and absent media."""
        way = self.ways[name]
        real = way.each(
            lambda step: sum(sum(flops.unpadded(self.features[i]).values()) for i in step.examples)
        )
        return 1.0 - real / cost_of(flops, way.budgets)

    def gains(self, flops: StepFlops) -> tuple[float, float]:
        """How many times the operations of ours an example costs padded and in pairs."""
        cost = {name: cost_of(flops, way.budgets) / way.examples for name, way in self.ways.items()}
        return cost["padded"] / cost["ours"], cost["pairs"] / cost["ours"]


def cost_of(flops: StepFlops, budgets: Budgets) -> float:
    """Operations of a step on batches of a shape, whatever is in them."""
    return sum(flops.batch(budgets).values())


def lay_out(
    mixture: str,
    config: UnifiedIOConfig,
    flops: StepFlops,
    *,
    examples: int,
    rows: int,
    lookahead: int,
    seed: int,
) -> Stream:
    """Draws a mixture and lays it out in every way, each with about the same room for tokens in a batch.

    Args:
      mixture: A key of `mixtures.MIXTURES`.
      config: The model, of `model.numbered`.
      flops: Counts what a shape of ours would cost.
      examples: How many to draw.
      rows: Rows of a batch of pairs.
      lookahead: Examples that our planner chooses from.
      seed: Seeds the mixture.
    """
    maker, room = Examples(config, seed), rows * sum(ways.PAIR_LENGTHS)
    features = [maker.features(drawn) for drawn in mixtures.draw(mixture, examples, seed)]
    lengths = [measure(x, config.inputs, config.targets) for x in features]
    budgets = shape.fit(config, lengths, room, lookahead, lambda budgets: cost_of(flops, budgets))
    made = {
        "padded": ways.padded(config, lengths, room),
        "pairs": ways.paired(config, lengths, rows),
        "ours": ways.packed(lengths, budgets, lookahead),
    }
    return Stream(config, features, made)
