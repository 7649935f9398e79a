"""What an example costs and what a batch can hold: the static shape of packed batches. Pure NumPy."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Int

from unified_io.errors import ConfigError


@dataclasses.dataclass(frozen=True)
class Lengths:
    """What an example costs.

    Attributes:
      encoder: Real tokens in the encoder row.
      decoder: Real tokens in the decoder row.
      inputs: Items in the bank of every input modality.
      targets: Items in the bank of every target modality.
    """

    encoder: int
    decoder: int
    inputs: Mapping[str, int]
    targets: Mapping[str, int]


@dataclasses.dataclass(frozen=True)
class Budgets:
    """The static shape of a packed batch, for one group.

    Attributes:
      rows: Rows of a group.
      encoder_length: Places of an encoder row (S).
      decoder_length: Places of a decoder row (T).
      inputs: Items in the bank of every input modality, in the order of the banks.
      targets: Items in the bank of every target modality, likewise.
      examples_per_row: Examples of a row at most; None is as many as fit, 1 leaves the rest of every row empty.

    Raises:
      ConfigError: A size is below 1, or a bank has no name.
    """

    rows: int
    encoder_length: int
    decoder_length: int
    inputs: Mapping[str, int]
    targets: Mapping[str, int]
    examples_per_row: int | None = None

    def __post_init__(self):
        for side, banks in (("inputs", self.inputs), ("targets", self.targets)):
            if not isinstance(banks, Mapping):
                raise ConfigError(
                    f"Budgets.{side} is {banks!r}; give items by modality, as in {{'text': 64}}"
                )
        for kind, size in zip(("rows", *self.kinds), (self.rows, *self.room), strict=True):
            if size < 1:
                raise ConfigError(f"the budget of {kind} is {size}; a static batch needs at least 1")

    @property
    def row_kinds(self) -> tuple[str, ...]:
        """What a row has of its own, in words."""
        sides = ("encoder tokens", "decoder tokens")
        return sides if self.examples_per_row is None else (*sides, "examples")

    @property
    def kinds(self) -> tuple[str, ...]:
        """What an example is charged against, in words: its row, then every bank of its group."""
        return (
            *self.row_kinds,
            *(f"{name} input items" for name in self.inputs),
            *(f"{name} target items" for name in self.targets),
        )

    @property
    def room(self) -> Int[np.ndarray, " K"]:
        """How much there is of every kind: of `row_kinds` in a row, of the others in a group."""
        row = (self.encoder_length, self.decoder_length, self.examples_per_row)[: len(self.row_kinds)]
        return np.array([*row, *self.inputs.values(), *self.targets.values()])

    @property
    def group_room(self) -> Int[np.ndarray, " K"]:
        """How much of every kind a group has, all rows together."""
        room = self.room
        room[: len(self.row_kinds)] *= self.rows
        return room

    def costs(self, lengths: Sequence[Lengths]) -> Int[np.ndarray, "N K"]:
        """What every example takes of every kind."""
        rows = [
            (
                *(x.encoder, x.decoder, 1)[: len(self.row_kinds)],
                *(x.inputs[name] for name in self.inputs),
                *(x.targets[name] for name in self.targets),
            )
            for x in lengths
        ]
        return np.array(rows, np.int64).reshape(len(rows), len(self.kinds))

    def why_never(self, lengths: Lengths) -> str | None:
        """Says why an example fits no batch of this shape at all; None if it fits."""
        need = self.costs([lengths])[0]
        over = [
            f"{n} {kind} where a batch has room for {room}"
            for n, kind, room in zip(need, self.kinds, self.room, strict=True)
            if n > room
        ]
        return "; ".join(over) or None
