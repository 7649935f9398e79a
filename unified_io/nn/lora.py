"""What a matrix knows of its low-rank update; the update itself is computed in `Dense`."""

from dataclasses import dataclass

from jax.nn.initializers import variance_scaling

# Uniform within 1 / sqrt(in), as in PEFT; the other factor begins at zero.
A_INIT = variance_scaling(1 / 3, "fan_in", "uniform")


@dataclass(frozen=True, kw_only=True)
class LoRA:
    """`scale * (dropout(x) a) b`, added to the product of a matrix `[in, out]`; `a` is `[in, rank]`, `b` `[rank, out]`.

    Attributes:
      names: Of the `Dense` modules that have it; the others are left alone.
    """

    rank: int
    scale: float
    dropout_rate: float
    names: tuple[str, ...]
