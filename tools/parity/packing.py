"""Which examples share a row, and how the parts of an example are laid out in it."""

import dataclasses
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Num

from parity.fixture import Compared, Fixture
from unified_io import sequence
from unified_io.data.batch import assemble
from unified_io.data.budgets import Budgets
from unified_io.data.packing import Plan, measure
from unified_io.data.pairs import Batches, Pairs
from unified_io.modalities.base import Features, FeatureSpec, TargetModality
from unified_io.nn import masks

TOLERANCE = 1e-6  # what the README asks for; whole numbers exactly


def packing_pairs(fixture: Fixture) -> Iterator[Compared]:
    """The pairs and the batches that the released pipeline makes of a stream, and what it leaves behind."""
    cases = fixture.json("cases.json")
    for number, case in enumerate(cases["pairing"]):
        frames = case.get("frames", [0] * len(case["input_lens"]))
        encoder = [
            tokens + count * case.get("tokens_per_frame", 0)
            for tokens, count in zip(case["input_lens"], frames, strict=True)
        ]
        pairs = Pairs(
            list(zip(encoder, case["target_lens"], strict=True)),
            max_encoder=case["max_encoder_len"],
            max_decoder=case["max_decoder_len"],
            pool_size=case["pool_size"],
        )
        name = f"pairing {number} ({case['name']})"
        # examples are counted from 1 there, and 0 is no partner
        ours = [[first + 1, 0 if second is None else second + 1] for first, second in pairs]
        yield Compared(f"{name}/pairs", ours, expected=case["pairs"])
        left = sorted(index + 1 for index in (*pairs.waiting, *pairs.dropped))
        yield Compared(f"{name}/never_emitted", left, expected=sorted(case["never_emitted"]))
    for number, case in enumerate(cases["constrained_batching"]):
        size = case["batch_size"]
        batches = Batches(
            case["counts"], batch_size=size, max_counts=case["max_counts"], pool_size=case["pool_size"]
        )
        name = f"constrained_batching {number}"
        ours = [[index + 1 for index in batch] + [0] * (size - len(batch)) for batch in batches]
        yield Compared(f"{name}/batches", ours, expected=case["batches"])
        left = sorted(index + 1 for index in batches.waiting)
        yield Compared(f"{name}/never_emitted", left, expected=sorted(case["never_emitted"]))


def packing_sequences(fixture: Fixture) -> Iterator[Compared]:
    """Parts of examples laid out in rows by our plan, one example a row and two, and collected from there."""
    arrays = fixture.arrays("sequences.npz")
    for case in fixture.json("cases.json"):
        mine = {
            name.removeprefix(f"{case['case']}/"): value
            for name, value in arrays.items()
            if name.startswith(f"{case['case']}/")
        }
        parts = [_part(mine, number) for number in range(case["parts"])]
        alone = Rows(parts, 1, case["packed_len"])
        ours = alone.packed("") | alone.joined()
        if "folded_packed_len" in case:
            folded = Rows(parts, 2, case["folded_packed_len"])
            ours |= folded.packed("folded_") | folded.banks()
        for name, wanted in mine.items():
            if name.startswith("part"):
                continue
            if name.endswith("attention_groups"):
                real = mine[f"{name.removesuffix('_attention_groups')}/mask"]
                wanted = (wanted[:, :, None] == wanted[:, None, :]) & real[:, :, None] & real[:, None, :]
            exact = not np.issubdtype(wanted.dtype, np.floating)
            tolerance = 0.0 if exact else TOLERANCE
            yield Compared(f"{case['case']}/{name}", ours[name], expected=wanted, tolerance=tolerance)


def _part(arrays: Mapping[str, np.ndarray], number: int) -> "Part":
    """One part of a case; what the examples have in common is given to each of them."""
    found = {name.split("/")[1]: value for name, value in arrays.items() if name.startswith(f"part{number}/")}
    batch, length = found["mask"].shape
    spread = {}
    for name, value in found.items():
        value = value.reshape(1, 1) if value.ndim == 0 else value
        shape = (batch, length, *value.shape[2:]) if name != "attn_pattern_mask" else value.shape
        spread[name] = np.broadcast_to(value, shape)
    return Part(f"part{number}", spread)


@dataclasses.dataclass(frozen=True, eq=False)
class Part(TargetModality):
    """A part of every example as a modality of ours: an item is one place, real where the mask says so."""

    part: str
    arrays: Mapping[str, np.ndarray]

    @property
    def name(self) -> str:
        return self.part

    @property
    def length(self) -> int:
        return self.arrays["mask"].shape[1]

    def features(self) -> dict[str, FeatureSpec]:
        return {
            name: FeatureSpec(array.shape[2:], str(array.dtype), "as the fixture has it")
            for name, array in self.arrays.items()
            if name != "attn_pattern_mask"
        }

    def of(self, example: int) -> Features:
        """The features of one example."""
        return {name: self.arrays[name][example] for name in self.features()}

    def slots(self, features: Features) -> np.ndarray:
        return features["mask"][:, None] > 0

    def streams(self, features: Features) -> np.ndarray:
        return features.get("subsegments", features["mask"])


class Rows:
    """The examples of a case laid out by our plan: `fold` neighbours in a row, a row a group.

    Rows of one example are in the released order. With more, the released row holds part 0 of all of them, then
    part 1, which is the order of our banks, and ours holds example by example. The released row ends after `length`
    places and loses the rest; ours is cut for the comparison.
    """

    def __init__(self, parts: list[Part], fold: int, length: int):
        self.parts, self.fold = parts, fold
        count = len(parts[0].arrays["mask"])
        examples = [
            {side: {part.name: part.of(example) for part in parts} for side in ("inputs", "targets")}
            for example in range(count)
        ]
        lengths = tuple(measure(features, parts, parts) for features in examples)
        places = {part.name: fold * part.length for part in parts}
        self.places = sum(places.values())
        self.starts = dict(zip(places, np.cumsum([0, *places.values()]).tolist(), strict=False))
        self.groups = count // fold
        room = max(length, self.places)
        budgets = Budgets(1, room, room, places, places)
        plan = Plan(budgets, self.groups, lengths, np.arange(count) // fold)
        self.batch = assemble(examples, plan, parts, parts)
        self.slots = self.batch["decoder"]["slots"][:, 0]
        order = np.argsort(self.slots, axis=1) if fold > 1 else np.indices(self.slots.shape)[1]
        self.order = order[:, :length]

    def bank(self, name: str) -> Num[np.ndarray, "G N ..."]:
        """The joined banks of one feature."""
        return np.concatenate([self.batch["targets"][part.name][name] for part in self.parts], axis=1)

    @cached_property
    def patterns(self) -> Num[np.ndarray, "G N N H"]:
        """The parts' own patterns on the joined banks; nothing between two parts or two examples."""
        heads = self.parts[0].arrays["attn_pattern_mask"].shape[1]
        joined = np.zeros((self.groups, self.places, self.places, heads), np.float32)
        for part in self.parts:
            for example, pattern in enumerate(part.arrays["attn_pattern_mask"]):
                group, place = divmod(example, self.fold)
                start = self.starts[part.name] + place * part.length
                own = slice(start, start + part.length)
                joined[group, own, own] = np.moveaxis(pattern, 0, -1)
        return joined

    def rows(self, bank: Num[np.ndarray, "G N ..."]) -> Num[np.ndarray, "G L ..."]:
        """Lays a bank out in rows as the model does."""
        source, index = jnp.asarray(bank).reshape(*bank.shape[:2], -1), jnp.asarray(self.slots)
        out = sequence.gather(source, index, sequence.invert(index, self.places))
        return np.asarray(out).reshape(*out.shape[:2], *bank.shape[2:])

    def released(self, row: Num[np.ndarray, "G L ..."]) -> Num[np.ndarray, "G length ..."]:
        """A row in the released order, and no longer than the released one."""
        return np.take_along_axis(row, self.order.reshape(*self.order.shape, *[1] * (row.ndim - 2)), axis=1)

    def unpacked(self, row: Num[np.ndarray, "G L D"]) -> Iterator[Num[np.ndarray, "G N D"]]:
        """Collects every part's tokens from what the released row holds, as the model does for its heads."""
        kept = np.zeros_like(row)
        np.put_along_axis(kept, self.order[:, :, None], self.released(row), axis=1)
        for part in self.parts:
            positions = jnp.asarray(self.batch["heads"][part.name]["positions"])
            yield sequence.gather(jnp.asarray(kept), positions, sequence.invert(positions, row.shape[1]))

    def packed(self, prefix: str) -> dict[str, Any]:
        """Everything that a fixture holds of packed rows."""
        rows = {name: self.rows(self.bank(name)) for name in self.parts[0].features()}
        ours = {f"packed/{name}": self.released(row) for name, row in rows.items()}
        real = self.released(self.slots) < self.places
        ours["packed/mask"] = real
        queries = self.released(self.rows(self.patterns))
        both = self.released(self.rows(queries.swapaxes(1, 2)))
        ours["packed/attn_pattern_mask"] = np.moveaxis(both.swapaxes(1, 2), -1, 1)
        # their segments number the examples of the batch from 0; ours those of a row from 1, and 0 is padding
        segments = self.released(self.batch["encoder"]["segment_ids"][:, 0])
        first = self.fold * np.arange(self.groups)[:, None]
        ours["packed/segment_ids"] = np.where(real, first + segments - 1, 0)
        streams = jnp.asarray(self.released(self.batch["decoder"]["segment_ids"][:, 0]))
        ours["packed_attention_groups"] = masks.segments(streams, streams)[:, 0]
        embeddings = rows["embed" if "embed" in rows else "input_embedding"]
        ours |= {f"unpacked{number}": values for number, values in enumerate(self.unpacked(embeddings))}
        return {prefix + name: value for name, value in ours.items()}

    def joined(self) -> dict[str, Any]:
        """The joined banks: the parts one after the other, nothing squeezed out."""
        ours = {f"concatenated/{name}": self.bank(name) for name in self.parts[0].features()}
        ours["concatenated/attn_pattern_mask"] = np.moveaxis(self.patterns, -1, 1)
        if "concatenated/modality_id" in ours:
            ours["concatenated/modality_id"] = ours["concatenated/modality_id"][:1]  # the same in all rows
        return ours

    def banks(self) -> dict[str, Any]:
        """The bank of every part: neighbours one after the other."""
        ours = {}
        for number, part in enumerate(self.parts):
            start = self.starts[part.name]
            own = slice(start, start + self.fold * part.length)
            found = dict(self.batch["targets"][part.name])
            found["attn_pattern_mask"] = np.moveaxis(self.patterns[:, own, own], -1, 1)
            examples = np.arange(self.groups * self.fold).repeat(part.length)
            found["segment_ids"] = examples.reshape(self.groups, -1)
            if "modality_id" in found:
                found["modality_id"] = found["modality_id"][0, 0]  # the same everywhere
            ours |= {f"folded{number}/{name}": value for name, value in found.items()}
        return ours
