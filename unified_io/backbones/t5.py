"""T5 and Flan-T5 as they were released: ids to logits, and one token at a time."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from unified_io.backbones.t5_block import RelativeBias, T5Block, T5Config
from unified_io.generation.decode import decode
from unified_io.generation.sampling import Sampler
from unified_io.nn import kept, masks
from unified_io.nn.dense import FAN_IN_NORMAL, Dense
from unified_io.nn.embed import Embed
from unified_io.nn.kept import Cache

EOS_ID = 1


class T5(nn.Module):
    """Encoder, decoder and both ends: ids in, logits out. `greedy` writes whole answers.

    Source: Raffel et al. 2020; v1.1 for gates and a head of its own.
    """

    config: T5Config

    def setup(self):
        config = self.config
        self.shared = Embed(config.vocab_size, config.width, dtype=config.dtype)
        self.encoder_layers = [T5Block(config, decodes=False) for _ in range(config.num_encoder_layers)]
        self.encoder_bias = RelativeBias(config, two_sided=True)
        self.encoder_norm = config.make_norm()
        self.decoder_layers = [T5Block(config, decodes=True) for _ in range(config.num_decoder_layers)]
        self.decoder_bias = RelativeBias(config, two_sided=False)
        self.decoder_norm = config.make_norm()
        if config.own_head:
            self.head = Dense(config.vocab_size, ("embed", "vocab"), kernel_init=FAN_IN_NORMAL)

    def __call__(
        self, ids: Int[Array, "B S"], mask: Bool[Array, "B S"], inputs: Int[Array, "B T"]
    ) -> Float[Array, "B T V"]:
        """Returns the logits of what follows each decoder input; the first input is padding, id 0."""
        return self.decode(self.encode(ids, mask), mask, inputs)

    def encode(self, ids: Int[Array, "B S"], mask: Bool[Array, "B S"]) -> Float[Array, "B S D"]:
        """Returns hidden states of the prompt, normed; `mask` is True for real tokens."""
        places = jnp.arange(ids.shape[1])
        seen = {"mask": mask[:, None, None], "bias": self.encoder_bias(places, places)}
        x = self.shared(ids)
        for block in self.encoder_layers:
            x = block(x, **seen)
        return self.encoder_norm(x)

    def decode(
        self, encoded: Float[Array, "B S D"], mask: Bool[Array, "B S"], inputs: Int[Array, "B T"]
    ) -> Float[Array, "B T V"]:
        """Returns the logits of what follows each decoder input, with the prompt encoded."""
        places = jnp.arange(inputs.shape[1])
        seen = {
            "mask": masks.causal(inputs.shape[1])[None, None],
            "bias": self.decoder_bias(places, places),
            "cross_mask": mask[:, None, None],
        }
        y = self.shared(inputs)
        for block in self.decoder_layers:
            y = block(y, encoded, **seen)
        return self._logits(y)

    def start_cache(self, encoded: Float[Array, "B S D"], length: int) -> Cache:
        """Returns the cache for decoding up to `length` tokens."""
        cross = [block.keep(encoded) for block in self.decoder_layers]
        return {"self": [kept.empty(one, length) for one in cross], "cross": cross}

    def decode_step(
        self, ids: Int[Array, " B"], cache: Cache, index: Int[Array, ""], *, mask: Bool[Array, "B S"]
    ) -> tuple[Float[Array, "B V"], Cache]:
        """Runs one decoder input, which sees itself and those before it.

        Args:
          index: Its place, the same in all rows: 0 for the first.
          mask: True = a real token of the prompt.

        Returns:
          The logits of what follows, and the cache with this token in it.
        """
        places = jnp.arange(kept.room(cache["self"][0]))
        look = {
            "mask": (places <= index)[None, None, None],
            "bias": self.decoder_bias(jnp.reshape(index, 1), places),
        }
        y, written = self.shared(ids[:, None]), []
        for block, own, cross in zip(self.decoder_layers, cache["self"], cache["cross"], strict=True):
            y, own = block.step(y, own, index, encoded=kept.seen(cross, mask[:, None, None]), **look)
            written.append(own)
        return self._logits(y)[:, 0], {**cache, "self": written}

    def _logits(self, y):
        config = self.config
        y = self.decoder_norm(y).astype(jnp.promote_types(y.dtype, jnp.float32))
        if config.scale_logits:
            y = y / config.width**0.5
        return self.head(y) if config.own_head else y @ self.shared.embedding.T


def greedy(
    config: T5Config, variables: Any, ids: Int[Array, "B S"], mask: Bool[Array, "B S"], length: int
) -> Int[Array, "B length"]:
    """Writes the likeliest tokens one by one, up to EOS (id 1) or `length`; 0 behind the EOS of a row."""
    model = T5(config)
    encoded = model.apply(variables, ids, mask, method="encode")

    def step(cache, ids, index):
        return model.apply(variables, ids, cache, index, mask=mask, method="decode_step")

    tokens, _ = decode(
        step,
        model.apply(variables, encoded, length, method="start_cache"),
        batch_size=ids.shape[0],
        length=length,
        sampler=Sampler(temperature=0.0),
        rng=jax.random.key(0),
        eos_id=EOS_ID,
    )
    return tokens
