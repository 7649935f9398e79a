"""The state a train step takes and returns. Knows nothing of the model that owns the parameters."""

from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax


@flax.struct.dataclass
class TrainState:
    """Everything that training changes, as one pytree.

    Attributes:
      step: int32 scalar, the number of batches used so far (skipped updates included).
      params: The parameter tree (nested dicts of arrays; boxed with logical axis names before sharding).
      opt_state: The optimizer's state.
      extra: State of a particular kind of step, e.g. a second optimizer or codebook statistics.
    """

    step: Any
    params: Any
    opt_state: Any
    extra: Any = flax.struct.field(default_factory=dict)

    @classmethod
    def create(cls, params: Any, optimizer: optax.GradientTransformation, extra: Any = None) -> "TrainState":
        """Returns the state before the first step."""
        # Weak types (of `jnp.full(shape, 0.5)`) would vanish in the first step and have the second compiled anew.
        params = jax.tree.map(lambda p: jax.lax.convert_element_type(p, p.dtype), params)
        return cls(jnp.zeros((), jnp.int32), params, optimizer.init(params), {} if extra is None else extra)
