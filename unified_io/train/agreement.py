"""When to stop, agreed among the processes of a run: one is asked to, and all stop after the same step."""

import enum

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

# Steps from a question to its answer: after so many the devices have made the step behind which it was asked, since
# the host does not run further ahead, and nobody waits.
_PERIOD = 2


class Wish(enum.IntEnum):
    """What a process wants of a run; of several the largest counts."""

    GO_ON = 0
    TIME_IS_UP = 1
    INTERRUPT = 2
    TERMINATE = 3


class Agreement:
    """Tells all processes the same about the same step, whichever of them was asked to stop.

    Every few steps each hands in what it wants; the devices find the largest wish behind the steps that are under way,
    and it is read when the next ones are handed in. A process alone agrees with itself at once.
    """

    def __init__(self):
        self._asked: jax.Array | None = None
        if jax.process_count() > 1:
            self._mesh = jax.make_mesh((jax.device_count(),), ("devices",), axis_types=(AxisType.Auto,))
            self._largest = jax.jit(jnp.max, out_shardings=NamedSharding(self._mesh, PartitionSpec()))

    def __call__(self, step: int, wish: Wish) -> Wish:
        """Returns what all do after this step; all processes call it after every step.

        Args:
          step: Steps made so far, the same in all processes.
          wish: What this process wants.
        """
        if jax.process_count() == 1:
            return wish
        if step % _PERIOD:
            return Wish.GO_ON
        answer = Wish.GO_ON if self._asked is None else Wish(int(self._asked))
        own = np.full(jax.local_device_count(), wish, np.int32)
        with jax.set_mesh(self._mesh):
            split = NamedSharding(self._mesh, PartitionSpec("devices"))
            self._asked = self._largest(jax.make_array_from_process_local_data(split, own))
        return answer
