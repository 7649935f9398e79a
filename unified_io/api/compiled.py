"""The compiled functions of one configuration: static arrays in, arrays out. Knows no modality by name."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from unified_io.generation.beam import beam_search, take_rows
from unified_io.generation.constraints import Constraint
from unified_io.generation.decode import StepFn, Writing, begin, guided, write
from unified_io.generation.sampling import Sampler
from unified_io.loss import token_loss
from unified_io.model import Encoded, UnifiedIOConfig
from unified_io.nn import kept
from unified_io.nn.held import variables
from unified_io.nn.transformer import unstack_layers

_LEAST_ROOM = 128  # tokens; below that the cache is small beside the weights


@functools.lru_cache(maxsize=32)
def compiled(config: UnifiedIOConfig) -> "Compiled":
    """Returns the functions of a configuration, the same ones for the same configuration."""
    return Compiled(config)


class Compiled:
    """Jitted functions that share a network; parameters are arguments."""

    def __init__(self, config: UnifiedIOConfig):
        self._config = config
        self._network = config.network()
        self._unrolled = dataclasses.replace(
            config, backbone=dataclasses.replace(config.backbone, scan_layers=False)
        ).network()
        static = ("target", "length", "constraint", "beams", "length_penalty", "answers")
        self.generate = jax.jit(self._generate, static_argnames=static)
        self.begin = jax.jit(self._begin, static_argnames=("length", "room"))
        forms = ("target", "constraint")
        self.advance = jax.jit(self._advance, static_argnames=forms, donate_argnames="writing")
        self.lengthen = jax.jit(self._lengthen, static_argnames="room")
        self.vacant = jax.jit(_vacant, static_argnames="slots")
        self.join = jax.jit(_join, donate_argnames="lane")
        self.render = jax.jit(self._render, static_argnames="target")
        self.log_probs = jax.jit(self._log_probs, static_argnames="target")
        self.reconstruct = jax.jit(self._reconstruct, static_argnames="target")
        self.encode = jax.jit(self._encode)

    def extend(
        self, params: Any, writing: Writing, scale: Any, sampler: Sampler, tokens: int, **form: Any
    ) -> Writing:
        """Writes `tokens` more in rows that are all at one index, making room on the way; as `advance` otherwise."""
        index, end = int(writing.index), int(writing.index) + tokens
        for room in rooms(writing.tokens.shape[1]):
            has = kept.room(writing.state["self"][0])
            if index < min(room, end):
                if room > has:
                    writing = self.lengthen(params, writing, room=room)
                steps = np.int32(min(room, end) - index)
                writing = self.advance(params, writing, scale, sampler, steps, **form)
                index += int(steps)
        return writing

    def _generate(
        self,
        params: Any,
        batch: Any,
        rows: Int[Array, " R"],
        seed: Int[Array, ""],
        places: Int[Array, "B 2"],
        scale: Float[Array, ""] | None,
        sampler: Sampler,
        *,
        target: str,
        length: int,
        constraint: Constraint | None,
        beams: int,
        length_penalty: float,
        answers: int,
    ) -> Array:
        """Generates and renders `B * answers` outputs.

        Args:
          params: The parameters.
          batch: Inputs, one example a row.
          rows: The row of the inputs that every row of the decoder reads: R = B, or with guidance 2 B, the second
            half of which reads the negative prompts.
          seed: Seeds the draws.
          places: Of every output the number of its example and of the sample: its own random stream.
          scale: Strength of guidance, or None.
          sampler: Chooses the tokens.
          target: Name of the modality to write.
          length: Most tokens.
          constraint: Which are allowed.
          beams: Width of the search; 1 draws.
          length_penalty: Of the search.
          answers: How many of a row's beams to return.
        """
        if beams > 1:
            tokens, _ = beam_search(
                self._step(params, target, None),
                self._start(params, batch, jnp.repeat(rows, beams), length),
                batch_size=places.shape[0],
                beams=beams,
                length=length,
                eos_id=self._config.target(target).end_token,
                length_penalty=length_penalty,
                length_offset=self._config.length_offset,
                constraint=constraint,
                reorder=_reorder,
            )
            tokens = tokens[:, :answers].reshape(-1, length)
        else:
            form = {"target": target, "constraint": constraint}
            first, *longer = rooms(length)
            writing = self._begin(params, batch, rows, seed, places, length=length, room=first)
            writing = self._advance(params, writing, scale, sampler, first, **form)
            for room in longer:
                writing = self._lengthen(params, writing, room=room)
                writing = self._advance(params, writing, scale, sampler, room - writing.index, **form)
            tokens = writing.tokens
        return self._render(params, tokens, target=target)

    def _begin(
        self,
        params: Any,
        batch: Any,
        rows: Int[Array, " R"],
        seed: Int[Array, ""],
        places: Int[Array, "B 2"],
        *,
        length: int,
        room: int,
    ) -> Writing:
        """Encodes the inputs: `B` outputs of which nothing is written, with room for the first tokens of them.

        The other arguments are those of `generate`.
        """
        keys = jax.vmap(
            lambda place: jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), place[0]), place[1])
        )(places)
        cache = self._start(params, batch, rows, room)
        return begin(cache, batch_size=places.shape[0], length=length, rng=keys)

    def _advance(
        self,
        params: Any,
        writing: Writing,
        scale: Float[Array, ""] | None,
        sampler: Sampler,
        steps: Int[Array, ""] | int,
        *,
        target: str,
        constraint: Constraint | None,
    ) -> Writing:
        """Writes at most `steps` more tokens in every row. The other arguments are those of `generate`."""
        return write(
            self._step(params, target, scale),
            writing,
            steps,
            sampler=sampler,
            eos_id=self._config.target(target).end_token,
            constraint=constraint,
        )

    def _lengthen(self, params: Any, writing: Writing, *, room: int) -> Writing:
        return writing._replace(state=self._apply(params, writing.state, room, method="lengthen"))

    def _start(self, params: Any, batch: Any, rows: Int[Array, " R"], length: int) -> Any:
        encoded = take_rows(self._encode(params, batch), rows)
        return self._apply(params, encoded, length, method="start")

    def _step(self, params: Any, target: str, scale: Float[Array, "*B"] | None) -> StepFn:
        """One step of the decoder: of rows at one index, or each at its own."""
        # Every step of a loop would copy its slices of stacked layers; taken apart here they are copied once.
        apart = {
            name: unstack_layers(part) if name in self._config.stacks and "layers" in part else part
            for name, part in params.items()
        }

        def step(cache, tokens, index):
            return self._unrolled.apply(variables(apart), cache, tokens, index, target, method="step")

        def each(cache, tokens, index):
            count = tokens.shape[0]
            split = jax.tree.map(lambda x: x.reshape(count, -1, *x.shape[1:]), cache)
            one = lambda cache, id, i, scale: guide(scale)(cache, id[None], i)  # noqa: E731
            axes = (0, 0, 0, None if scale is None else 0)
            logits, split = jax.vmap(one, axes)(split, tokens, index, scale)
            return logits[:, 0], jax.tree.map(lambda x, like: x.reshape(like.shape), split, cache)

        guide = lambda scale: step if scale is None else guided(step, scale)  # noqa: E731
        together = guide(scale)
        return lambda cache, tokens, index: (each if index.ndim else together)(cache, tokens, index)

    def _render(self, params: Any, tokens: Int[Array, "B length"], *, target: str) -> Array:
        return self._apply(params, tokens, target, method="render")

    def _log_probs(
        self, params: Any, batch: Any, *, target: str
    ) -> tuple[Int[Array, "G places"], Float[Array, "G places"]]:
        """Target tokens of one modality and their log-probabilities, in nats; 0 where there is none."""
        out = self._apply(params, batch, method="__call__")[target]
        cross_entropy, _ = token_loss(out.logits, out.tokens, 0.0)
        return out.tokens, -cross_entropy * (out.weights > 0)

    def _reconstruct(self, params: Any, bank: dict[str, np.ndarray], *, target: str) -> Array:
        return self._apply(params, bank, target, method="reconstruct")

    def _encode(self, params: Any, batch: Any) -> Encoded:
        return self._apply(params, batch, method="encode")

    def _apply(self, params: Any, *args: Any, method: str) -> Any:
        return self._network.apply(variables(params), *args, method=method)


def rooms(length: int) -> list[int]:
    """Returns how much room the cache of an answer has, one after the other: it grows with the answer."""
    found = [length]
    while found[0] >= 2 * _LEAST_ROOM:
        found.insert(0, -(-found[0] // 2))
    return found


def _reorder(cache: Any, rows: Int[Array, " R"]) -> Any:
    """Lets the cache follow the beams; what it keeps of the inputs is the same for all beams of a row."""
    return {**cache, "self": [kept.rows(own, rows, len(cache["seen"])) for own in cache["self"]]}


def _vacant(writing: Writing, *, slots: int) -> Writing:
    """Room for answers like this one, that each are at an index of their own; nobody is there yet."""
    rows = jax.tree.map(lambda x: jnp.repeat(x, slots, axis=0), writing._replace(index=writing.index[None]))
    return rows._replace(finished=jnp.ones(slots, bool))


def _join(lane: Writing, writing: Writing, slot: Int[Array, ""]) -> Writing:
    """Puts an answer that begins in the place of row `slot`."""
    put = lambda all, new: jax.lax.dynamic_update_slice_in_dim(all, new, slot * len(new), 0)  # noqa: E731
    return jax.tree.map(put, lane, writing._replace(index=writing.index[None]))
