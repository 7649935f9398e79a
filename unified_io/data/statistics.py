"""What a mixture costs: lengths of its examples, how full given budgets become, and budgets that would fit it."""

import dataclasses
import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from unified_io.data import pipeline
from unified_io.data.budgets import Budgets, Lengths, propose_budgets
from unified_io.data.lane import Lane, Quarantine, Quarantined
from unified_io.data.mixture import rates_of, tasks_of
from unified_io.data.packer import Packer
from unified_io.data.packing import plan
from unified_io.data.position import GroupPosition
from unified_io.errors import ConfigError, DataError
from unified_io.modalities.base import Modality, TargetModality

QUANTILES = (0, 5, 25, 50, 75, 95, 99, 100)
"""Per cent."""
_BINS = 10
_BAR = 40


@dataclasses.dataclass(frozen=True)
class Sample:
    """Examples of a mixture, measured.

    Attributes:
      lengths: What each costs.
      tokens: Real tokens of each by side and modality, e.g. "image inputs".
      seen: Examples of every task.
      planned: The part of the examples its rate asks for.
      skipped: Examples that could not be used, and why.
    """

    lengths: Sequence[Lengths]
    tokens: Mapping[str, Sequence[int]]
    seen: Mapping[str, int]
    planned: Mapping[str, float]
    skipped: Sequence[Quarantined]


def draw(
    bound: pipeline.Bound,
    inputs: Sequence[Modality],
    targets: Sequence[TargetModality],
    budgets: Budgets,
    count: int,
    *,
    split: str = "train",
    seed: int = 0,
    tell: Callable[[int], None] = lambda done: None,
) -> Sample:
    """Reads and measures examples as training would.

    Args:
      bound: From `pipeline.bind`.
      inputs: Input modalities of the configuration it is bound to.
      targets: Target modalities.
      budgets: An example that fits no batch of this shape is skipped.
      count: How many examples, skipped ones not counted; gives up when it skipped as many.
      split: A split of the sources.
      seed: Seeds the order.
      tell: Told how many are done, after each.

    Raises:
      ConfigError: Impossible numbers or names.
      DataError: A source is empty, or too many examples can not be used.
    """
    if count < 1:
        raise ConfigError(f"{count} examples to look at; give at least 1")
    skipped, rates = Quarantine(count), rates_of(bound, split)
    lane = Lane(
        tasks_of(bound, split),
        rates,
        Packer(inputs, targets, budgets),
        split,
        seed=seed,
        chunk=0,
        group=0,
        groups=1,
        begin=GroupPosition(),
        quarantine=skipped,
    )
    sides = (("inputs", inputs), ("targets", targets))
    tokens: dict[str, list[int]] = {f"{m.name} {side}": [] for side, several in sides for m in several}
    lengths, seen = [], Counter(dict.fromkeys(rates, 0))
    for done, (example, _) in enumerate(itertools.islice(lane.examples(), count), 1):
        lengths.append(example.lengths)
        seen[example.task] += 1
        for side, several in sides:
            for m in several:
                tokens[f"{m.name} {side}"].append(int(m.slots(example.features[side][m.name]).sum()))
        tell(done)
    return Sample(lengths, tokens, seen, rates, skipped)


def fill(lengths: Sequence[Lengths], budgets: Budgets, lookahead: float = 2.0) -> dict[str, float]:
    """Plans batches as training would and returns the mean part of every kind of room that is taken, from 0 to 1.

    Only batches that were planned from a full buffer count, if there is one.

    Raises:
      DataError: There is nothing to plan, or an example fits no batch.
    """
    if not lengths:
        raise DataError("no examples to plan; measure some first")
    full = lookahead * budgets.room
    full[:2] *= budgets.rows
    found, buffer = [], []
    for example in lengths:
        buffer.append(example)
        if (budgets.costs(buffer).sum(axis=0) >= full).any():
            planned = plan(buffer, budgets)
            found.append(planned.fill())
            buffer = [x for x, placed in zip(buffer, planned.placed, strict=True) if not placed]
    found = found or [plan(buffer, budgets).fill()]
    return {kind: float(np.mean([one[kind] for one in found])) for kind in budgets.kinds}


def report(sample: Sample, budgets: Budgets, lookahead: float = 2.0) -> dict[str, Any]:
    """Returns what a sample says, as JSON values.

    `lengths` holds quantiles of the tokens of both sides, `modalities` how many examples have a modality and a
    histogram of their tokens. `fill` is the taken part of every kind of room in the given `budgets`, and `bound` the
    most both sides of the rows can hold in the long run, since they fill in the ratio of this mixture. `proposed` are
    budgets of the same rows whose banks fit it, with their fill. `sources` compares planned with seen.

    Raises:
      DataError: The sample is empty.
    """
    proposed = propose_budgets(sample.lengths, budgets.rows, budgets.encoder_length, budgets.decoder_length)
    total = len(sample.lengths)
    sides = {side: np.array([getattr(x, side) for x in sample.lengths]) for side in ("encoder", "decoder")}
    need = np.array([sides["encoder"].mean(), sides["decoder"].mean()]) / budgets.room[:2]
    return {
        "examples": total,
        "lengths": {side: _quantiles(values) for side, values in sides.items()},
        "modalities": {name: _histogram(np.array(values)) for name, values in sample.tokens.items()},
        "budgets": dataclasses.asdict(budgets),
        "fill": fill(sample.lengths, budgets, lookahead),
        "bound": dict(zip(budgets.kinds[:2], (need / need.max()).tolist(), strict=True)),
        "proposed": dataclasses.asdict(proposed),
        "proposed_fill": fill(sample.lengths, proposed, lookahead),
        "sources": {
            name: {"planned": rate, "seen": sample.seen[name] / total, "examples": sample.seen[name]}
            for name, rate in sample.planned.items()
        },
        "skipped": [dataclasses.asdict(entry) for entry in sample.skipped],
    }


def _quantiles(values: np.ndarray) -> dict[str, float]:
    marks = np.percentile(values, QUANTILES, method="inverted_cdf")
    named = {f"p{q}": int(mark) for q, mark in zip(QUANTILES, marks, strict=True)}
    return {"mean": float(values.mean()), **named}


def _histogram(values: np.ndarray) -> dict[str, Any]:
    """Of the examples that have the modality; bin i holds edges[i] <= tokens < edges[i + 1]."""
    there = values[values > 0]
    if not len(there):
        return {"present": 0.0, "edges": [], "counts": []}
    low, high = int(there.min()), int(there.max())
    width = -(-(high - low + 1) // _BINS)
    edges = np.arange(low, high + width + 1, width)
    counts, _ = np.histogram(there, edges)
    return {"present": len(there) / len(values), "edges": edges.tolist(), "counts": counts.tolist()}


def as_text(found: Mapping[str, Any]) -> str:
    """Writes a report for the terminal."""
    lines = [f"{found['examples']} examples", "", "tokens of an example"]
    marks = ["mean", *(f"p{q}" for q in QUANTILES)]
    lines.append(f"{'':24}" + "".join(f"{mark:>8}" for mark in marks))
    for side, values in found["lengths"].items():
        lines.append(f"{side:24}" + "".join(f"{values[mark]:8.4g}" for mark in marks))
    for name, values in found["modalities"].items():
        lines += ["", f"{name}: in {values['present']:.1%} of the examples", *_bars(values)]
    lines += ["", f"{'room of a group':24}{'given':>10}{'fill':>8}{'proposed':>10}{'fill':>8}"]
    given, proposed = (Budgets(**found[key]) for key in ("budgets", "proposed"))
    for kind, room, other in zip(given.kinds, given.room, proposed.room, strict=True):
        one, two = found["fill"][kind], found["proposed_fill"][kind]
        lines.append(f"{kind:24}{room:10}{one:8.1%}{other:10}{two:8.1%}")
    sides = " and ".join(f"{most:.1%} of the {kind}" for kind, most in found["bound"].items())
    lines += [f"In the long run rows of these lengths hold {sides} at most.", ""]
    lines += ["proposed, for the gin file:"]
    lines += [f"  {side} = {found['proposed'][side]}" for side in ("inputs", "targets")]
    lines += ["", f"{'source':32}{'planned':>10}{'seen':>10}{'examples':>10}"]
    for name, part in found["sources"].items():
        lines.append(f"{name:32}{part['planned']:10.2%}{part['seen']:10.2%}{part['examples']:10}")
    lines += ["", f"skipped: {len(found['skipped']) or 'none'}"]
    lines += [f"  {entry['name']}: {entry['reason']}" for entry in found["skipped"]]
    return "\n".join(lines)


def _bars(values: Mapping[str, Any]) -> list[str]:
    most = max(values["counts"], default=1)
    bins = zip(itertools.pairwise(values["edges"]), values["counts"], strict=True)
    return [
        f"  {low:6} - {high - 1:<6} {'█' * -(-count * _BAR // most)} {count}".rstrip()
        for (low, high), count in bins
    ]
