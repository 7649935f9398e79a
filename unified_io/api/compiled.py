"""The compiled functions of one configuration: static arrays in, arrays out. Knows no modality by name."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from unified_io.generation.beam import beam_search, take_rows
from unified_io.generation.constraints import Constraint
from unified_io.generation.decode import decode, guided
from unified_io.generation.sampling import Sampler
from unified_io.loss import token_loss
from unified_io.model import Encoded, Network, UnifiedIOConfig


@functools.lru_cache(maxsize=32)
def compiled(config: UnifiedIOConfig) -> "Compiled":
    """Returns the functions of a configuration, the same ones for the same configuration."""
    return Compiled(config)


class Compiled:
    """Jitted functions that share a network; parameters are arguments."""

    def __init__(self, config: UnifiedIOConfig):
        self._config = config
        self._network = Network(config)
        static = ("target", "length", "sampler", "constraint", "beams", "length_penalty", "answers")
        self.generate = jax.jit(self._generate, static_argnames=static)
        self.log_probs = jax.jit(self._log_probs, static_argnames="target")
        self.reconstruct = jax.jit(self._reconstruct, static_argnames="target")
        self.encode = jax.jit(self._encode)

    def _generate(
        self,
        params: Any,
        batch: Any,
        rows: Int[Array, " R"],
        seed: Int[Array, ""],
        places: Int[Array, "B 2"],
        scale: Float[Array, ""] | None,
        *,
        target: str,
        length: int,
        sampler: Sampler,
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
          target: Name of the modality to write.
          length: Most tokens.
          sampler: Chooses the tokens.
          constraint: Which are allowed.
          beams: Width of the search; 1 draws.
          length_penalty: Of the search.
          answers: How many of a row's beams to return.
        """
        encoded: Encoded = self._encode(params, batch)
        rows = jnp.repeat(rows, beams)
        encoded = take_rows(encoded, rows)
        seen = encoded.segment_ids > 0
        count = places.shape[0]

        def step(cache, tokens, index):
            return self._apply(params, cache, tokens, index, seen, target, method="step")

        cache = self._apply(params, encoded, length, method="start")
        shared = {
            "batch_size": count,
            "length": length,
            "eos_id": self._config.target(target).end_token,
            "constraint": constraint,
        }
        if beams > 1:
            tokens, _ = beam_search(
                step, cache, beams=beams, length_penalty=length_penalty, reorder=_reorder, **shared
            )
            tokens = tokens[:, :answers].reshape(-1, length)
        else:
            keys = jax.vmap(
                lambda place: jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), place[0]), place[1])
            )(places)
            following = step if scale is None else guided(step, scale)
            tokens, _ = decode(following, cache, sampler=sampler, rng=keys, **shared)
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
        return self._network.apply({"params": params}, *args, method=method)


def _reorder(cache: Any, rows: Int[Array, " R"]) -> Any:
    """Lets the cache follow the beams; what it keeps of the inputs is the same for all beams of a row."""
    return {**cache, "self": take_rows(cache["self"], rows, axis=1)}
