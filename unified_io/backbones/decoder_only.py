"""The decoder-only backbone of LLaMA, Vicuna and Mistral. It sees embeddings, masks and positions, and never asks
where an embedding came from."""

from dataclasses import dataclass

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jax.nn.initializers import normal
from jaxtyping import Array, Bool, Float, Int

from unified_io import errors
from unified_io.backbones.adapters import Adapter, AdapterConfig, LoRAConfig
from unified_io.nn import attention, kept, rope
from unified_io.nn.attention import Attention
from unified_io.nn.dense import Dense
from unified_io.nn.kept import KV, Cache, Kept, Seen
from unified_io.nn.mlp import GatedMlp
from unified_io.nn.norm import RMSNorm
from unified_io.nn.parameter import parameter
from unified_io.nn.transformer import DTYPES, REMAT, stack


@dataclass(frozen=True, kw_only=True)
class DecoderOnlyConfig:
    """A stack of equal blocks between a table of embeddings and a head.

    Attributes:
      width: D, numbers a token.
      num_kv_heads: Heads of keys and values; `num_heads / num_kv_heads` heads of queries share one.
      rope_theta: Base of the rotary positions.
      sliding_window: A token sees itself and the `sliding_window - 1` positions before it; None for all.
      tie_embeddings: The table of embeddings is the head too.
      dtype: Compute dtype, a name in `DTYPES`; see `BlockConfig`.
      scan_layers: One compiled block for all layers, parameters under `layers` with a leading axis; else one
        after the other, parameters under `layers_0`, `layers_1`, ….
      remat: "full" recomputes each block on the way back, "none" keeps everything.
      lora: Low-rank updates of the blocks' matrices.
      adapters: Bottlenecks after some blocks; the blocks differ then, so they can not be scanned.
    """

    vocab_size: int
    width: int
    num_layers: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    mlp_dim: int
    rope_theta: float = 10000.0
    norm_epsilon: float = 1e-5
    sliding_window: int | None = None
    tie_embeddings: bool = False
    dtype: str = "float32"
    scan_layers: bool = True
    remat: str = "none"
    attention_impl: str = "xla"
    lora: LoRAConfig | None = None
    adapters: AdapterConfig | None = None

    def __post_init__(self):
        for name, known in (
            ("dtype", DTYPES),
            ("remat", REMAT),
            ("attention_impl", attention.IMPLEMENTATIONS),
        ):
            if getattr(self, name) not in known:
                raise errors.unknown(name, getattr(self, name), known)
        if self.num_heads % self.num_kv_heads:
            raise errors.ConfigError(
                f"num_heads is {self.num_heads} but num_kv_heads is {self.num_kv_heads}; it must divide it"
            )
        if self.head_dim % 2:
            raise errors.ConfigError(f"head_dim is {self.head_dim}; rotary positions need an even one")
        if self.sliding_window is not None and self.sliding_window < 1:
            raise errors.ConfigError(
                f"sliding_window is {self.sliding_window}; give 1 or more, or None for no window"
            )
        if self.adapters is not None:
            if self.scan_layers:
                raise errors.ConfigError(
                    "adapters make blocks differ, which a scan can not have; set scan_layers=False"
                )
            if not set(self.adapters.blocks) <= set(range(self.num_layers)):
                raise errors.ConfigError(
                    f"adapters.blocks are {self.adapters.blocks}, but the blocks are 0 to {self.num_layers - 1}"
                )


class Block(nn.Module):
    """`x += attention(norm(x)); x += mlp(norm(x))`, and a bottleneck behind it where it has one."""

    config: DecoderOnlyConfig
    adapted: bool = False

    def setup(self):
        config = self.config
        lora = None if config.lora is None else config.lora.update()
        self.pre_attention_layer_norm = RMSNorm(epsilon=config.norm_epsilon, dtype=config.dtype)
        self.attention = Attention(
            width=config.width,
            num_heads=config.num_heads,
            num_kv_heads=config.num_kv_heads,
            head_dim=config.head_dim,
            impl=config.attention_impl,
            lora=lora,
            dtype=config.dtype,
        )
        self.pre_mlp_layer_norm = RMSNorm(epsilon=config.norm_epsilon, dtype=config.dtype)
        self.mlp = GatedMlp(config.mlp_dim, lora=lora, dtype=config.dtype)
        if self.adapted and config.adapters is not None:
            self.adapter = Adapter(config.adapters, dtype=config.dtype)

    def __call__(
        self,
        x: Float[Array, "B T D"],
        *,
        mask: Bool[Array, "#B 1 #T T"],
        angles: Float[Array, "#B T half"],
        deterministic: bool = True,
    ) -> tuple[Float[Array, "B T D"], KV]:
        """Runs all tokens; returns their hidden states, and their keys and values."""
        h = self.pre_attention_layer_norm(x)
        kv = self.attention.keys_values(h, angles, deterministic=deterministic)
        q = self.attention.queries(h, angles, deterministic=deterministic)
        x = x + self.attention.read(q, kv, mask=mask, deterministic=deterministic)
        return self._finish(x, deterministic), kv

    def step(
        self,
        y: Float[Array, "B 1 D"],
        own: Kept,
        index: Int[Array, ""],
        *,
        mask: Bool[Array, "#B 1 1 L"],
        prompt: Seen,
        angles: Float[Array, "#B 1 half"],
    ) -> tuple[Float[Array, "B 1 D"], Kept]:
        """Runs one token; returns its hidden state, and what is kept of it and those before it.

        Args:
          own: What is kept of the tokens decoded before it.
          index: Its place among them.
          mask: Which of them, itself included, it may look at.
          prompt: What is kept of the prompt.
        """
        h = self.pre_attention_layer_norm(y)
        own = kept.write(own, self.attention.keys_values(h, angles), index)
        y = y + self.attention.recall(self.attention.queries(h, angles), prompt, kept.seen(own, mask))
        return self._finish(y, deterministic=True), own

    def _finish(self, x, deterministic):
        x = x + self.mlp(self.pre_mlp_layer_norm(x), deterministic=deterministic)
        return self.adapter(x) if self.adapted else x


class DecoderOnly(nn.Module):
    """Embeddings to hidden states, normed; and the table and the head at either end.

    `start_cache` and `decode_step` give for a prompt and one token at a time what `__call__` gives for all at once
    under a causal mask.
    """

    config: DecoderOnlyConfig

    def setup(self):
        config = self.config
        adapted = () if config.adapters is None else config.adapters.blocks
        self.embedding = parameter(
            self, "embedding", normal(0.02), (config.vocab_size, config.width), ("vocab", "embed")
        )
        self.layers = (
            Block(config)
            if config.scan_layers
            else [Block(config, adapted=i in adapted) for i in range(config.num_layers)]
        )
        self.norm = RMSNorm(epsilon=config.norm_epsilon, dtype=config.dtype)
        if not config.tie_embeddings:
            wide = jnp.promote_types(config.dtype, jnp.float32)
            self.lm_head = Dense(config.vocab_size, ("embed", "vocab"), dtype=wide)

    def embed(self, ids: Int[Array, "*B"]) -> Float[Array, "*B D"]:
        """Looks ids up. An id outside the table gives NaN, so that it is seen."""
        return jnp.take(self.embedding, ids, axis=0).astype(self.config.dtype)

    def logits(self, hidden: Float[Array, "*B D"]) -> Float[Array, "*B V"]:
        """What the head reads from normed hidden states, at least float32."""
        if not self.config.tie_embeddings:
            return self.lm_head(hidden)
        return hidden.astype(np.promote_types(hidden.dtype, np.float32)) @ self.embedding.T

    def __call__(
        self,
        x: Float[Array, "B T D"],
        *,
        mask: Bool[Array, "#B 1 #T T"],
        positions: Int[Array, "#B T"],
        deterministic: bool = True,
    ) -> Float[Array, "B T D"]:
        """Runs whole rows.

        Args:
          mask: True where a token (third axis) may look at another (fourth axis): causal, within its segment, real.
          positions: Of every token, counted from the start of its segment.
        """
        return self._run(x, mask, positions, deterministic, keep=False)[0]

    def start_cache(
        self,
        x: Float[Array, "B S D"],
        *,
        mask: Bool[Array, "#B 1 #S S"],
        positions: Int[Array, "#B S"],
        length: int,
    ) -> tuple[Float[Array, "B S D"], Cache]:
        """Runs a prompt; returns its hidden states and the cache for decoding up to `length` tokens after it.

        The cache holds keys and values of the prompt ("cross"), and room for those of the tokens after it ("self").
        """
        hidden, kvs = self._run(x, mask, positions, deterministic=True, keep=True)
        cross = [kept.keep(kv) for kv in kvs]
        return hidden, {"cross": cross, "self": [kept.empty(one, length) for one in cross]}

    def decode_step(
        self,
        y: Float[Array, "B 1 D"],
        cache: Cache,
        index: Int[Array, ""],
        *,
        cross_mask: Bool[Array, "#B 1 1 S"],
        positions: Int[Array, "#B 1"],
        cross_positions: Int[Array, "#B S"],
    ) -> tuple[Float[Array, "B 1 D"], Cache]:
        """Runs one token, which sees itself, the tokens decoded before it, and the prompt.

        Args:
          index: How many tokens were decoded before it, the same in all rows.
          cross_mask: Which tokens of the prompt are real.
          positions: Of the token; the tokens before it have the positions before it.
          cross_positions: Of the prompt's tokens, as they were when it was run.

        Returns:
          The hidden state, normed, and the cache with this token in it.
        """
        places = jnp.arange(kept.room(cache["self"][0]))
        self_mask = (places <= index)[None, None, None]
        if self.config.sliding_window is not None:
            self_mask &= index - places < self.config.sliding_window
            cross_mask = cross_mask & self._near(positions, cross_positions)
        angles = self._angles(positions)

        def body(block, y, layer):
            own, cross = layer
            prompt = kept.seen(cross, cross_mask)
            return block.step(y, own, index, mask=self_mask, prompt=prompt, angles=angles)

        y, own = self._stack(body, y, [*zip(cache["self"], cache["cross"], strict=True)])
        return self.norm(y), {**cache, "self": own}

    def _run(self, x, mask, positions, deterministic, *, keep):
        if self.config.sliding_window is not None:
            mask = mask & self._near(positions, positions)
        angles = self._angles(positions)

        def body(block, x, _):
            x, kv = block(x, mask=mask, angles=angles, deterministic=deterministic)
            return x, kv if keep else None

        x, kv = self._stack(body, x, None)
        return self.norm(x), kv

    def _angles(self, positions: Int[Array, "#B T"]) -> Float[Array, "#B T half"]:
        return rope.angles_1d(positions, self.config.head_dim, self.config.rope_theta)

    def _near(self, queries: Int[Array, "#B Q"], keys: Int[Array, "#B L"]) -> Bool[Array, "#B 1 Q L"]:
        return (queries[:, None, :, None] - keys[:, None, None, :]) < self.config.sliding_window

    def _stack(self, body, x, per_layer):
        config = self.config
        x = x.astype(config.dtype)
        return stack(self.layers, body, x, per_layer, num_layers=config.num_layers, remat=config.remat)
