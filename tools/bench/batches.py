"""Synthetic batches for one step: rows that are all real, or rows packed with examples of drawn lengths.

Drawn lengths are those of `mixtures`: the balanced mixture without the kinds that a model has no modality for. Of a
model of text and pictures that leaves, in percent of examples: following instructions 17, language 17, pictures to
read 35, pictures to draw 30. The planner lays them out, so a row holds several examples.
"""

from typing import Any, NamedTuple

import numpy as np

from bench import mixtures
from bench.examples import Examples
from unified_io.data import proposals
from unified_io.data.batch import ExampleFeatures, assemble
from unified_io.data.packing import Plan, measure, plan
from unified_io.errors import unknown
from unified_io.model import UnifiedIOConfig

DECODER_LENGTH = 1536  # of a packed row; its encoder length is what examples ask for beside it
LOOKAHEAD = 4  # batches that the planner chooses from


class Synthetic(NamedTuple):
    """A batch, its number of examples, its real tokens on both sides, and how full its rows are."""

    batch: dict[str, Any]
    examples: int
    tokens: int
    fill_encoder: float
    fill_decoder: float


def make(lengths: str, config: UnifiedIOConfig, rows: int, seed: int = 0) -> Synthetic:
    """Makes a batch.

    Args:
      lengths: "full" fills every place of one example a row; "drawn" packs examples of drawn lengths.
      config: The model; its vocabulary is `model.Numbers`.
      rows: Rows of the batch.
      seed: Seeds what is drawn.
    """
    if lengths not in LENGTHS:
        raise unknown("lengths", lengths, LENGTHS)
    features, planned = LENGTHS[lengths](config, rows, seed)
    filled = planned.fill()
    return Synthetic(
        assemble(features, planned, config.inputs, config.targets),
        len(features),
        sum(x.encoder + x.decoder for x in planned.lengths),
        filled["encoder tokens"],
        filled["decoder tokens"],
    )


def _full(config: UnifiedIOConfig, rows: int, seed: int) -> tuple[list[ExampleFeatures], Plan]:
    """One example a row that has all modalities at their longest, all of it real."""
    rng = np.random.default_rng(seed)

    def text(m: Any) -> dict[str, np.ndarray]:
        bank = m.empty(m.max_items)
        bank["tokens"][:] = rng.integers(3, m.vocabulary.size, m.max_items)
        bank["positions"][:] = np.arange(m.max_items)
        return bank | ({"inputs": np.roll(bank["tokens"], 1)} if "inputs" in bank else {})

    def picture(m: Any) -> dict[str, np.ndarray]:
        if "pixels" in (bank := m.empty(1)):
            return m.item(rng.uniform(-1, 1, m.shape).astype(np.float32), np.ones(m.shape[:2], bool))
        patches = rng.standard_normal(bank["patches"].shape, np.float32)
        return bank | {
            "patches": patches,
            "mask": np.ones_like(bank["mask"]),
            "positions": np.arange(m.slot_size, dtype=np.int32)[None],
        }

    features = [
        {
            side: {m.name: (text if m.slot_size == 1 else picture)(m) for m in modalities}
            for side, modalities in (("inputs", config.inputs), ("targets", config.targets))
        }
        for _ in range(rows)
    ]
    lengths = [measure(x, config.inputs, config.targets) for x in features]
    return features, plan(lengths, proposals.padded(config, rows))


def _drawn(config: UnifiedIOConfig, rows: int, seed: int) -> tuple[list[ExampleFeatures], Plan]:
    """Examples of drawn lengths, those that the planner chose for the rows of one batch."""
    maker = Examples(config, seed)
    drawn = [x for x in mixtures.draw("balanced", 400 + 50 * rows, seed) if _takes(config, x.kind)]
    features = [maker.features(x) for x in drawn]
    lengths = [measure(x, config.inputs, config.targets) for x in features]
    row = proposals.row_lengths(lengths, DECODER_LENGTH)
    budgets = proposals.propose_banks(lengths, config.inputs, config.targets, rows, row)
    waiting = round(LOOKAHEAD * rows * budgets.decoder_length / np.mean([x.decoder for x in lengths]))
    planned = plan(lengths[:waiting], budgets)
    chosen = np.flatnonzero(planned.placed)
    kept = Plan(budgets, planned.groups, tuple(lengths[i] for i in chosen), planned.rows[chosen])
    return [features[i] for i in chosen], kept


def _takes(config: UnifiedIOConfig, kind: mixtures.Kind) -> bool:
    """Whether a model has all the modalities of a kind of example."""
    inputs, targets = ({m.name for m in side} for side in (config.inputs, config.targets))
    asked = {
        "image": kind.image,
        "image_history": kind.frames,
        "audio": kind.audio,
        "audio_history": kind.segments,
    }
    return kind.target in targets and {name for name, there in asked.items() if there} <= inputs


LENGTHS = {"full": _full, "drawn": _drawn}
