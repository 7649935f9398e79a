"""What the user gave, lined up as rows, and rows laid out as the static arrays the network takes."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

from unified_io.data.batch import assemble
from unified_io.data.budgets import Budgets
from unified_io.data.packer import prepare
from unified_io.data.packing import one_per_row
from unified_io.errors import ConfigError
from unified_io.modalities.base import Modality
from unified_io.model import UnifiedIOConfig


def line_up(**arguments: Any) -> tuple[bool, list[tuple]]:
    """Lines arguments up: a list gives every row an element of its own, anything else is the same in all rows.

    line_up(image=[a, b], question="why?") = (False, [(a, "why?"), (b, "why?")])
    line_up(image=a, question="why?")      = (True, [(a, "why?")])

    Returns:
      Whether there was no list at all, and the rows.

    Raises:
      ConfigError: Two lists are not as long, or one is empty.
    """
    lengths = {name: len(value) for name, value in arguments.items() if isinstance(value, list)}
    if len(set(lengths.values())) > 1 or 0 in lengths.values():
        raise ConfigError(f"lists must be as long as each other and not empty, got lengths {lengths}")
    count = next(iter(lengths.values()), 1)
    columns = [value if name in lengths else [value] * count for name, value in arguments.items()]
    return not lengths, list(zip(*columns, strict=True))


def needed(config: UnifiedIOConfig, examples: Sequence[Mapping[str, Any]], *targets: str) -> UnifiedIOConfig:
    """Returns the part of a model that these raw fields and targets need: what nobody gave costs nothing.

    The law that an absent modality changes nothing makes it the same model.
    """
    given = {field for example in examples for field in example}
    inputs = tuple(m for m in config.inputs if given.intersection(m.fields))
    written = tuple(m for m in config.targets if m.name in targets)
    return dataclasses.replace(config, inputs=inputs or config.inputs, targets=written or config.targets)


def bucket(need: int, least: int = 1) -> int:
    """Rounds up to `least` times a power of two, so that few shapes are ever compiled."""
    size = least
    while size < need:
        size *= 2
    return size


def _width(need: int, least: int) -> int:
    """As `bucket`, with three quarters of a power of two as well: the length of a row costs the most."""
    size = bucket(need, least)
    return size * 3 // 4 if size > least and need <= size * 3 // 4 else size


def lay_out(config: UnifiedIOConfig, examples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Preprocesses raw fields and lays the examples out one a row, padded to few different shapes.

    Raises:
      DataError: An example can not be preprocessed.
    """
    prepared = [prepare(example, config.inputs, config.targets) for example in examples]
    lengths = [example.lengths for example in prepared]

    def items(modalities: Sequence[Modality], counts: list[Mapping[str, int]]) -> dict[str, int]:
        # What no example has costs one blank item, and a medium is not encoded more often than it is there.
        return {
            m.name: bucket(sum(count[m.name] for count in counts), 1 if m.slot_size > 1 else 64)
            for m in modalities
        }

    budgets = Budgets(
        bucket(len(examples)),
        _width(max(x.encoder for x in lengths), 64),
        _width(max(x.decoder for x in lengths), 8),
        items(config.inputs, [x.inputs for x in lengths]),
        items(config.targets, [x.targets for x in lengths]),
    )
    plan = one_per_row(lengths, budgets)
    return assemble([x.features for x in prepared], plan, config.inputs, config.targets)


def padded(rows: Sequence[int], size: int) -> Int[np.ndarray, " size"]:
    """Fills row numbers up with the first: padding that repeats a row ends when that row ends."""
    return np.asarray([*rows, *[rows[0]] * (size - len(rows))], np.int32)
