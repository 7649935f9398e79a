"""What an example costs and what a batch can hold: the static shape of packed batches. Pure NumPy."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from jaxtyping import Int

from unified_io.errors import ConfigError, DataError


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

    Raises:
      ConfigError: A size is below 1.
    """

    rows: int
    encoder_length: int
    decoder_length: int
    inputs: Mapping[str, int]
    targets: Mapping[str, int]

    def __post_init__(self):
        for kind, size in zip(("rows", *self.kinds), (self.rows, *self.room), strict=True):
            if size < 1:
                raise ConfigError(f"the budget of {kind} is {size}; a static batch needs at least 1")

    @property
    def kinds(self) -> tuple[str, ...]:
        """What an example is charged against, in words: encoder row, decoder row, then every bank."""
        return (
            "encoder tokens",
            "decoder tokens",
            *(f"{name} input items" for name in self.inputs),
            *(f"{name} target items" for name in self.targets),
        )

    @property
    def room(self) -> Int[np.ndarray, " K"]:
        """How much there is of every kind: of the first two in a row, of the others in a group."""
        return np.array(
            [self.encoder_length, self.decoder_length, *self.inputs.values(), *self.targets.values()]
        )

    def costs(self, lengths: Sequence[Lengths]) -> Int[np.ndarray, "N K"]:
        """What every example takes of every kind."""
        rows = [
            (x.encoder, x.decoder, *(x.inputs[n] for n in self.inputs), *(x.targets[n] for n in self.targets))
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


def propose_budgets(
    sample: Sequence[Lengths], rows: int, encoder_length: int, decoder_length: int, margin: float = 1.0
) -> Budgets:
    """Proposes bank budgets from measured lengths: what full rows hold on average, and `margin` standard deviations.

    Args:
      sample: Lengths of a few thousand examples of the mixture.
      rows: Rows of a group.
      encoder_length: Places of an encoder row.
      decoder_length: Places of a decoder row.
      margin: Standard deviations of head-room, so that a bank seldom limits the rows.

    Raises:
      DataError: The sample is empty.
    """
    if not sample:
        raise DataError("no lengths to propose budgets from; measure a few thousand examples first")
    mean_encoder = max(np.mean([x.encoder for x in sample]), 1e-9)
    mean_decoder = max(np.mean([x.decoder for x in sample]), 1e-9)
    # Rows fill up until one of the two sides is full.
    examples = rows * min(encoder_length / mean_encoder, decoder_length / mean_decoder)

    def items(counts: Iterable[int]) -> int:
        counts = np.array(list(counts))
        usual = examples * counts.mean() + margin * np.sqrt(examples) * counts.std()
        return max(int(np.ceil(usual)), int(counts.max()), 1)

    return Budgets(
        rows,
        encoder_length,
        decoder_length,
        {name: items(x.inputs[name] for x in sample) for name in sample[0].inputs},
        {name: items(x.targets[name] for x in sample) for name in sample[0].targets},
    )
