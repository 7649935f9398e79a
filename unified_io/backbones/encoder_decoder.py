"""The encoder-decoder backbone. It sees embeddings, masks and angles; never a token id or a modality."""

from collections.abc import Callable
from dataclasses import dataclass

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from unified_io import errors
from unified_io.nn import kept, masks
from unified_io.nn.kept import Cache
from unified_io.nn.transformer import REMAT, BlockConfig, DecoderBlock, EncoderBlock, stack


@dataclass(frozen=True, kw_only=True)
class BackboneConfig(BlockConfig):
    """An encoder and a decoder of equal blocks; see `BlockConfig` for a block.

    Attributes:
      scan_layers: One compiled block for all layers, parameters under `layers` with a leading axis; else one
        after the other, parameters under `layers_0`, `layers_1`, ….
      remat: "full" recomputes each block on the way back, "none" keeps everything.
      sparse_patterns: The decoder takes a mask a pattern (row, column, convolution) and each layer its own.
      dynamic_masking: Decoder inputs whose pixels or sound the encoder was not shown see only themselves. Both are
        off in the released models, on in their paper.
    """

    num_encoder_layers: int
    num_decoder_layers: int
    scan_layers: bool = True
    remat: str = "none"
    sparse_patterns: bool = False
    dynamic_masking: bool = False

    def __post_init__(self):
        super().__post_init__()
        if self.remat not in REMAT:
            raise errors.unknown("remat", self.remat, REMAT)


def _layers(block: type[nn.Module], config: BackboneConfig, number: int) -> nn.Module | list[nn.Module]:
    return block(config) if config.scan_layers else [block(config) for _ in range(number)]


class Encoder(nn.Module):
    """Embeddings of the input side to hidden states, normed."""

    config: BackboneConfig

    def setup(self):
        self.layers = _layers(EncoderBlock, self.config, self.config.num_encoder_layers)
        self.encoder_norm = self.config.norm()

    def __call__(
        self,
        x: Float[Array, "B S D"],
        *,
        mask: Bool[Array, "#B 1 #S S"],
        angles: Float[Array, "#B S half"],
        deterministic: bool = True,
    ) -> Float[Array, "B S D"]:
        """Runs the whole encoder.

        Args:
          mask: True where a query (third axis) may look at a key (fourth axis).
          angles: Rotary angles of every token.
        """

        def body(block, x, _):
            return block(x, mask=mask, angles=angles, deterministic=deterministic), None

        x = x.astype(self.config.dtype)
        x, _ = stack(self.layers, body, x, num_layers=self.config.num_encoder_layers, remat=self.config.remat)
        return self.encoder_norm(x)


class Decoder(nn.Module):
    """Embeddings of the target side and encoded tokens to hidden states, normed.

    `decode_step` gives for one token at a time what `__call__` gives for all at once under a causal mask.
    """

    config: BackboneConfig

    def setup(self):
        self.layers = _layers(DecoderBlock, self.config, self.config.num_decoder_layers)
        self.decoder_norm = self.config.norm()

    def __call__(
        self,
        y: Float[Array, "B T D"],
        encoded: Float[Array, "B S D"],
        *,
        self_mask: Bool[Array, "#B 1 #T T"],
        cross_mask: Bool[Array, "#B 1 #T S"],
        angles: Float[Array, "#B T half"],
        encoded_angles: Float[Array, "#B S half"],
        pattern_masks: Bool[Array, "patterns #B 1 #T T"] | None = None,
        deterministic: bool = True,
    ) -> Float[Array, "B T D"]:
        """Runs the whole decoder.

        Args:
          self_mask: True where a token may look at another: causal, within its segment.
          pattern_masks: With `sparse_patterns`, one mask for each of `masks.PATTERNS`; a layer looks where
            its own and `self_mask` both allow it.
        """
        mask_of = self._mask_of(self_mask, pattern_masks)
        encoded = encoded.astype(self.config.dtype)

        def body(block, y, pattern):
            y = block(
                y,
                encoded,
                self_mask=mask_of(pattern),
                cross_mask=cross_mask,
                angles=angles,
                encoded_angles=encoded_angles,
                deterministic=deterministic,
            )
            return y, None

        y, _ = self._stack(body, y, masks.decoder_patterns(self.config.num_decoder_layers))
        return self.decoder_norm(y)

    def start_cache(
        self, encoded: Float[Array, "B S D"], encoded_angles: Float[Array, "#B S half"], length: int
    ) -> Cache:
        """Returns the cache for decoding up to `length` tokens: of the encoded ones all, of our own the room."""
        encoded = encoded.astype(self.config.dtype)

        def body(block, y, _):
            return y, block.start_cache(encoded, encoded_angles, length)

        caches = self._stack(body, encoded, None)[1]
        return {name: [cache[name] for cache in caches] for name in ("self", "cross")}

    def decode_step(
        self,
        y: Float[Array, "B 1 D"],
        cache: Cache,
        index: Int[Array, ""],
        *,
        cross_mask: Bool[Array, "#B 1 1 S"],
        angles: Float[Array, "#B 1 half"],
        visible: Bool[Array, "#B L"] | None = None,
        pattern_keys: masks.Keys | None = None,
    ) -> tuple[Float[Array, "B 1 D"], Cache]:
        """Runs one token, which sees itself and the tokens decoded before it.

        Args:
          index: Place of the token, the same in all rows: 0 for the first.
          visible: Earlier tokens that this one may look at at all; None for all of them.
          pattern_keys: With `sparse_patterns`, the few places each of `masks.PATTERNS` looks at; only they are read.
            None looks everywhere, as text does.

        Returns:
          The hidden state, normed, and the cache with this token in it.
        """
        length = kept.room(cache["self"][0])
        places = jnp.arange(length)
        earlier = (places < index)[None] if visible is None else visible & (places < index)
        mask = earlier | (places == index)

        def body(block, y, layer):
            pattern, own, cross = layer
            shared = {"encoded": kept.seen(cross, cross_mask), "angles": angles}
            if pattern_keys is None:
                return block.step(y, own, index, mask=mask[:, None, None], **shared)
            keys = jnp.append(pattern_keys.places[pattern], index)
            keys = jnp.minimum(keys, length - 1)  # a cache that is yet to grow
            allowed = mask[:, keys] & jnp.append(pattern_keys.allowed[pattern], True)
            return block.step(y, own, index, mask=allowed[:, None, None], places=keys, **shared)

        patterns = masks.decoder_patterns(self.config.num_decoder_layers)
        y, own = self._stack(body, y, [*zip(patterns, cache["self"], cache["cross"], strict=True)])
        return self.decoder_norm(y), {**cache, "self": own}

    def _stack(self, body, y, per_layer):
        num_layers = self.config.num_decoder_layers
        y = y.astype(self.config.dtype)
        return stack(self.layers, body, y, per_layer, num_layers=num_layers, remat=self.config.remat)

    def _mask_of(self, self_mask, pattern_masks) -> Callable:
        """Returns pattern -> the self-attention mask of a layer that has this pattern."""
        if self.config.sparse_patterns != (pattern_masks is not None):
            given = "none were" if pattern_masks is None else "some were"
            raise errors.ConfigError(
                f"sparse_patterns is {self.config.sparse_patterns} but {given} given as pattern_masks; "
                "give masks.sparse(...) of every target exactly when the switch is on"
            )
        return lambda pattern: self_mask if pattern_masks is None else self_mask & pattern_masks[pattern]
