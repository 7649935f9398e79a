"""Requests of one kind written side by side, of which each begins and ends when it likes. Knows no modality by name.

The answer to a request does not depend on who is beside it.
"""

from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Int

from unified_io.api.compiled import compiled
from unified_io.api.generating import Call


class Written(NamedTuple):
    """How far a request is.

    Attributes:
      tokens: What is written, 0 behind it.
      count: How many tokens that are.
      done: Whether nothing comes after them.
    """

    tokens: Int[np.ndarray, " length"]
    count: int
    done: bool


class Lane:
    """Some slots, each empty or with one request.

    Args:
      params: The parameters.
      call: A request; the lane takes those that are of its `kind`.
      slots: How many requests are written at once.
    """

    def __init__(self, params: Any, call: Call, slots: int):
        self._params, self._functions = params, compiled(call.config)
        self._form = {"target": call.target.name, "constraint": call.constraint}
        self._length = call.length
        self._lane = self._functions.vacant(self._begun(call), slots=slots)
        self._scale = None if call.scale is None else np.zeros(slots, np.float32)
        self._samplers = [call.sampler] * slots
        self._taken = [False] * slots

    @staticmethod
    def kind(call: Call) -> Any:
        """What calls have to have in common to share a lane."""
        shapes = tuple(np.shape(leaf) for leaf in jax.tree.leaves(call.begun))
        return call.config, call.target, call.constraint, call.length, call.scale is None, shapes

    @property
    def taken(self) -> int:
        """How many slots are not empty."""
        return sum(self._taken)

    @property
    def free(self) -> int:
        """How many slots are empty."""
        return len(self._taken) - self.taken

    def join(self, call: Call) -> int:
        """Begins a request; returns its slot, one that was empty."""
        slot = self._taken.index(False)
        self._lane = self._functions.join(self._lane, self._begun(call), np.int32(slot))
        self._samplers[slot], self._taken[slot] = call.sampler, True
        if self._scale is not None:
            self._scale[slot] = call.scale
        return slot

    def advance(self, steps: int) -> dict[int, Written]:
        """Writes at most `steps` tokens more in every slot that is not empty, and tells how far each is.

        A request that is done stays until it leaves.
        """
        samplers = jax.tree.map(lambda *numbers: np.asarray(numbers), *self._samplers)
        self._lane = self._functions.advance(
            self._params, self._lane, self._scale, samplers, np.int32(steps), **self._form
        )
        index, ended, tokens = jax.device_get((self._lane.index, self._lane.finished, self._lane.tokens))
        found = {}
        for slot in np.flatnonzero(self._taken):
            # An answer that has ended waits while others go on, and its index goes on with theirs.
            count = len(np.trim_zeros(tokens[slot], "b")) if ended[slot] else min(index[slot], self._length)
            found[int(slot)] = Written(tokens[slot], int(count), bool(ended[slot] or count == self._length))
        return found

    def leave(self, slot: int) -> None:
        """Empties a slot, whether its request is done or not."""
        self._taken[slot] = False
        self._lane = self._lane._replace(finished=self._lane.finished.at[slot].set(True))

    def _begun(self, call: Call) -> Any:
        return self._functions.begin(self._params, *call.begun, length=self._length, room=self._length)
