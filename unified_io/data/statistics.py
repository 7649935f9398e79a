"""What a mixture costs: lengths of its examples, how full given budgets become, and budgets that would fit it."""

import dataclasses
import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from unified_io.data import pipeline
from unified_io.data.budgets import Budgets, Lengths
from unified_io.data.lane import Lane
from unified_io.data.mixture import rates_of, tasks_of
from unified_io.data.packer import Packer
from unified_io.data.position import GroupPosition
from unified_io.data.proposals import propose
from unified_io.data.quarantine import Quarantine, Quarantined
from unified_io.data.rehearsal import rehearse
from unified_io.errors import ConfigError
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


def report(
    sample: Sample,
    inputs: Sequence[Modality],
    targets: Sequence[TargetModality],
    budgets: Budgets,
    lookahead: float = 2.0,
) -> dict[str, Any]:
    """Returns what a sample says, as JSON values.

    `lengths` holds quantiles of the tokens of both sides, `modalities` how many examples have a modality and a
    histogram of their tokens. `given` and `proposed` are shapes of a batch: the one in use, and another with about as
    much room for tokens that fits the mixture. Of each there are `budgets`, `fill` (the taken part of every kind of
    room), `examples` of a batch and `ahead`, the most examples that a batch was chosen from. `bound` is the most that
    both sides of the given rows can hold in the long run, since they fill in the ratio of this mixture. `sources`
    compares planned with seen.

    Args:
      sample: From `draw`.
      inputs: Input modalities.
      targets: Target modalities.
      budgets: The shape in use.
      lookahead: Batches' worth of examples that the planner chooses from.

    Raises:
      DataError: The sample is empty.
    """
    total = len(sample.lengths)
    sides = {side: np.array([getattr(x, side) for x in sample.lengths]) for side in ("encoder", "decoder")}
    room = budgets.rows * (budgets.encoder_length + budgets.decoder_length)
    proposed = propose(sample.lengths, inputs, targets, room, lookahead)
    need = np.array([sides["encoder"].mean(), sides["decoder"].mean()]) / budgets.room[:2]
    return {
        "examples": total,
        "lengths": {side: _quantiles(values) for side, values in sides.items()},
        "modalities": {name: _histogram(np.array(values)) for name, values in sample.tokens.items()},
        "lookahead": lookahead,
        "given": _shape(sample, budgets, lookahead),
        "proposed": _shape(sample, proposed, lookahead),
        "bound": dict(zip(budgets.kinds[:2], (need / need.max()).tolist(), strict=True)),
        "sources": {
            name: {"planned": rate, "seen": sample.seen[name] / total, "examples": sample.seen[name]}
            for name, rate in sample.planned.items()
        },
        "skipped": [dataclasses.asdict(entry) for entry in sample.skipped],
    }


def _shape(sample: Sample, budgets: Budgets, lookahead: float) -> dict[str, Any]:
    return {
        "budgets": dataclasses.asdict(budgets),
        **dataclasses.asdict(rehearse(sample.lengths, budgets, lookahead)),
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
    lines += ["", *_shapes(found["given"], found["proposed"])]
    sides = " and ".join(f"{most:.1%} of the {kind}" for kind, most in found["bound"].items())
    lines += [f"In the long run the given rows hold {sides} at most.", ""]
    lines += [f"proposed, for the gin file, with a look-ahead of {found['lookahead']:g} batches:"]
    lines += ["budgets.Budgets:"]
    lines += [
        f"  {name} = {value}" for name, value in found["proposed"]["budgets"].items() if value is not None
    ]
    lines += ["", f"{'source':32}{'planned':>10}{'seen':>10}{'examples':>10}"]
    for name, part in found["sources"].items():
        lines.append(f"{name:32}{part['planned']:10.2%}{part['seen']:10.2%}{part['examples']:10}")
    lines += ["", f"skipped: {len(found['skipped']) or 'none'}"]
    lines += [f"  {entry['name']}: {entry['reason']}" for entry in found["skipped"]]
    return "\n".join(lines)


def _shapes(*shapes: Mapping[str, Any]) -> list[str]:
    """Compares what two shapes of a batch have room for, and how much of it is taken."""
    room, names = [], ("given", "proposed")
    for shape in shapes:
        budgets = Budgets(**shape["budgets"])
        room.append({"rows": budgets.rows, **dict(zip(budgets.kinds, budgets.room.tolist(), strict=True))})
    lines = [f"{'room':24}" + "".join(f"{name:>10}{'fill':>8}" for name in names)]
    for kind in dict.fromkeys([*room[0], *room[1]]):
        cells = (
            f"{held.get(kind, '-'):>10}"
            + (f"{shape['fill'][kind]:8.1%}" if kind in shape["fill"] else " " * 8)
            for held, shape in zip(room, shapes, strict=True)
        )
        lines.append(f"{kind:24}" + "".join(cells).rstrip())
    for name, shape in zip(names, shapes, strict=True):
        lines.append(f"{name}: {shape['examples']:.1f} examples a batch, of {shape['ahead']} at most")
    return lines


def _bars(values: Mapping[str, Any]) -> list[str]:
    most = max(values["counts"], default=1)
    bins = zip(itertools.pairwise(values["edges"]), values["counts"], strict=True)
    return [
        f"  {low:6} - {high - 1:<6} {'█' * -(-count * _BAR // most)} {count}".rstrip()
        for (low, high), count in bins
    ]
