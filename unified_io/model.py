"""The network: an encoder-decoder that reads and writes any set of modalities. Knows no modality by name.

banks -> embedders -> one gather into rows -> encoder -> decoder -> one gather a target -> heads
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Bool, Float, Int

from unified_io.backbones.encoder_decoder import BackboneConfig, Decoder, Encoder
from unified_io.errors import ConfigError, unknown
from unified_io.loss import TargetOutput
from unified_io.modalities.base import Modality, TargetModality, TargetSequence, merge_shared
from unified_io.nn import kept, masks
from unified_io.sequence import flatten_groups, gather, invert, split_groups


@dataclasses.dataclass(frozen=True)
class UnifiedIOConfig:
    """The whole model: a backbone and the modalities it reads and writes.

    Attributes:
      backbone: Width, depth and heads of the encoder-decoder.
      inputs: Input modalities; their order is the order of their banks.
      targets: Target modalities, likewise.
    """

    backbone: BackboneConfig
    inputs: tuple[Modality, ...]
    targets: tuple[TargetModality, ...]

    def __post_init__(self):
        # gin hands lists over
        object.__setattr__(self, "inputs", tuple(self.inputs))
        object.__setattr__(self, "targets", tuple(self.targets))
        for kind, modalities in (("input", self.inputs), ("target", self.targets)):
            names = [modality.name for modality in modalities]
            if not names or len(set(names)) < len(names):
                raise ConfigError(f"a model needs distinct {kind} modalities, got {names}")

    def network(self) -> nn.Module:
        """Returns the network of this configuration."""
        return Network(self)

    @property
    def hidden_width(self) -> int:
        """Numbers of what heads read."""
        return self.backbone.emb_dim

    @property
    def stacks(self) -> dict[str, int]:
        """Layers of every stack of the backbone, by the name of its parameters."""
        return {"encoder": self.backbone.num_encoder_layers, "decoder": self.backbone.num_decoder_layers}

    @property
    def length_offset(self) -> int:
        """Of the length penalty of a beam search, see `generation.beam`."""
        return 5

    @property
    def drops(self) -> bool:
        """Whether training draws dropout."""
        return self.backbone.dropout_rate > 0

    def check(self) -> None:
        """Finds parts that do not go together and that only their files tell; here there are none."""

    def row_flops(self, e: float, d: float, ee: float, dd: float, ed: float) -> dict[str, float]:
        """Returns the operations of a forward pass of the backbone, by part; see `flops.FORMULA`.

        Args:
          e: Tokens of the encoder's side.
          d: Tokens of the decoder's side.
          ee: Pairs of a query and a key among the former.
          dd: Pairs among the latter.
          ed: Pairs of one of either.
        """
        b = self.backbone
        heads = b.num_heads * b.head_dim
        projection, mlp, pair = 2.0 * b.emb_dim * heads, 6.0 * b.emb_dim * b.mlp_dim, 4.0 * heads
        encoder = {"attention": 4 * projection * e + pair * ee, "mlp": mlp * e}
        decoder = {
            "self_attention": 4 * projection * d + pair * dd,
            "cross_attention": 2 * projection * (d + e) + pair * ed,
            "mlp": mlp * d,
        }
        found = {f"encoder/{part}": b.num_encoder_layers * n for part, n in encoder.items()}
        return found | {f"decoder/{part}": b.num_decoder_layers * n for part, n in decoder.items()}

    def input(self, name: str) -> Modality:
        """Finds an input modality by name.

        Raises:
          ConfigError: The model does not read it.
        """
        return _named("input", name, self.inputs)

    def target(self, name: str) -> TargetModality:
        """Finds a target modality by name.

        Raises:
          ConfigError: The model does not write it.
        """
        return _named("target", name, self.targets)


def _named(kind: str, name: str, modalities: Sequence[Modality]) -> Any:
    found = {modality.name: modality for modality in modalities}
    if name not in found:
        raise unknown(f"{kind} modality", name, found)
    return found[name]


@struct.dataclass
class Encoded:
    """What is known of the inputs, in rows: embeddings, or behind an encoder its states."""

    hidden: Float[Array, "B S D"]
    angles: Float[Array, "B S half"]
    segment_ids: Int[Array, "B S"]


class RowNetwork(nn.Module):
    """What every network over packed rows does: embed banks and lay them out, and turn tokens into media.

    Attributes:
      config: What it is made of.
    """

    config: UnifiedIOConfig

    def make_embedders(self, **beside: nn.Module) -> None:
        """Sets up the embedders of all modalities; `beside` are modules that they may use besides their own."""
        config, backbone = self.config, self.config.backbone
        self.shared = merge_shared(config.inputs + config.targets, backbone)
        modules = {**beside, **self.shared}  # which flax has frozen
        self.input_embedders = {m.name: m.embedder(backbone, modules) for m in config.inputs}
        self.target_embedders = {m.name: m.embedder(backbone, modules) for m in config.targets}

    def input_rows(self, batch: dict[str, Any], deterministic: bool) -> Encoded:
        """Embeds the input banks and lays their tokens out in rows."""
        plan = batch["encoder"]
        banks = [
            self.input_embedders[m.name](batch["inputs"][m.name], deterministic=deterministic)
            for m in self.config.inputs
        ]
        return Encoded(*in_rows(banks, plan["slots"]), flatten_groups(plan["segment_ids"]))

    def target_rows(self, batch: dict[str, Any]) -> tuple[dict[str, TargetSequence], Array, Array]:
        """Embeds the target banks and lays their tokens out: the banks, embeddings [B, T, D], angles [B, T, half]."""
        banks = {m.name: self.target_embedders[m.name](batch["targets"][m.name]) for m in self.config.targets}
        return banks, *in_rows(list(banks.values()), batch["decoder"]["slots"])

    def lengthen(self, cache: Any, length: int) -> Any:
        """Returns the cache with room for `length` tokens in all."""
        return {**cache, "self": [kept.lengthen(own, length) for own in cache["self"]]}

    def render(self, tokens: Int[Array, "B L"], target: str) -> Array:
        """Turns generated tokens into what the modality's `detokenize` takes (codes become pixels)."""
        return self.target_embedders[target].render(tokens)

    def reconstruct(self, features: dict[str, Array], target: str) -> Array:
        """Tokenizes a bank [G, items, ...] of one target and renders its tokens, one row a group."""
        embedder = self.target_embedders[target]
        return embedder.render(embedder(features).tokens)


class Network(RowNetwork):
    """The any-to-any model."""

    def setup(self):
        self.make_embedders()
        self.encoder = Encoder(self.config.backbone)
        self.decoder = Decoder(self.config.backbone)

    def __call__(self, batch: dict[str, Any], *, deterministic: bool = True) -> dict[str, TargetOutput]:
        """Scores every target token of a packed batch.

        Args:
          batch: Banks and plan, as `data.packing.assemble` lays them out.
          deterministic: False applies dropout (needs the "dropout" rng).

        Returns:
          Per target modality the logits, tokens and weights of its bank.
        """
        encoded = self.encode(batch, deterministic=deterministic)
        hidden, banks = self._decode(batch, encoded, deterministic)
        return scored(batch, hidden, banks, self.target_embedders)

    def encode(self, batch: dict[str, Any], *, deterministic: bool = True) -> Encoded:
        """Embeds the input banks, lays their tokens out in rows and encodes the rows."""
        rows = self.input_rows(batch, deterministic)
        mask = masks.segments(rows.segment_ids, rows.segment_ids)
        hidden = self.encoder(rows.hidden, mask=mask, angles=rows.angles, deterministic=deterministic)
        return rows.replace(hidden=hidden)

    def _decode(self, batch, encoded: Encoded, deterministic: bool):
        plan = batch["decoder"]
        banks, y, angles = self.target_rows(batch)
        streams = flatten_groups(plan["segment_ids"])
        self_mask = masks.segments(streams, streams) & masks.causal(streams.shape[1])
        if self.config.backbone.dynamic_masking:
            self_mask = self_mask & self._revealed(flatten_groups(plan["slots"]), banks)
        hidden = self.decoder(
            y,
            encoded.hidden,
            self_mask=self_mask,
            cross_mask=masks.segments(flatten_groups(plan["example_ids"]), encoded.segment_ids),
            angles=angles,
            encoded_angles=encoded.angles,
            pattern_masks=self._patterns(flatten_groups(plan["slots"]), banks),
            deterministic=deterministic,
        )
        return hidden, banks

    def _revealed(self, slots: Int[Array, "B T"], banks) -> Bool[Array, "B 1 T T"]:
        """Hides what the encoder was not shown: dynamic masking, for all targets at once."""
        shown = jnp.concatenate([bank.shown for bank in banks.values()], axis=1)
        rows = slots.shape[0] // shown.shape[0]
        index = split_groups(slots, shown.shape[0]).reshape(shown.shape[0], -1)
        shown = jnp.take_along_axis(shown, index, axis=1, mode="fill", fill_value=True)
        return masks.revealed(shown.reshape(shown.shape[0] * rows, -1))[:, None]

    def _patterns(self, slots: Int[Array, "B T"], banks) -> Bool[Array, "patterns B 1 T T"] | None:
        """The sparse patterns of every target that has a grid; elsewhere everything is allowed."""
        if not self.config.backbone.sparse_patterns:
            return None
        batch, length = slots.shape
        patterns = jnp.ones((len(masks.PATTERNS), batch, 1, length, length), bool)
        start = 0
        for modality in self.config.targets:
            places = banks[modality.name].tokens.shape[1]
            if modality.columns:
                inside = (slots >= start) & (slots < start + places)
                index = (slots - start) % modality.slot_size
                own = masks.sparse(index, index, modality.columns)[:, :, None]
                patterns = jnp.where(inside[None, :, None, :, None], own, patterns)
            start += places
        return patterns

    def start(self, encoded: Encoded, length: int) -> Any:
        """Prepares the cache of a generation of at most `length` tokens; its leaves have rows in front."""
        cache = self.decoder.start_cache(encoded.hidden, encoded.angles, length)
        return {**cache, "seen": encoded.segment_ids > 0}

    def step(
        self,
        cache: Any,
        tokens: Int[Array, " B"],
        index: Int[Array, ""],
        target: str,
        shown: Bool[Array, "B L"] | None = None,
    ) -> tuple[Float[Array, "B V"], Any]:
        """Reads one token a row at position `index` and scores the next one.

        Args:
          cache: From `start` or the last step.
          tokens: The previous token of every row; 0 at the start.
          index: Position, the same for all rows.
          target: Name of the modality that is being written.
          shown: With `dynamic_masking`, which inputs the encoder was shown (`masks.shown`); None for all.
        """
        embedder = self.target_embedders[target]
        positions = jnp.broadcast_to(index, tokens.shape)[:, None]
        y, angles = embedder.embed(tokens[:, None], positions)
        visible = keys = None
        if self.config.backbone.dynamic_masking and shown is not None:
            visible = shown & jnp.take(shown, index, axis=1)[:, None]
        modality = self.config.target(target)
        if self.config.backbone.sparse_patterns and modality.columns:
            keys = masks.sparse_keys(index, modality.columns, modality.slot_size)
        hidden, cache = self.decoder.decode_step(
            y,
            cache,
            index,
            cross_mask=cache["seen"][:, None, None],
            angles=angles,
            visible=visible,
            pattern_keys=keys,
        )
        return embedder.logits(hidden[:, 0]), cache


def in_rows(
    banks: list, slots: Int[Array, "G R L"]
) -> tuple[Float[Array, "B L D"], Float[Array, "B L half"]]:
    """Concatenates banks and gathers their tokens into rows; also the angles that travel with them."""
    groups, rows, length = slots.shape
    index = slots.reshape(groups, rows * length)
    embeddings = jnp.concatenate([bank.embeddings for bank in banks], axis=1)
    angles = jnp.concatenate([bank.angles for bank in banks], axis=1)
    inverse = invert(index, embeddings.shape[1])
    place = lambda x: gather(x, index, inverse).reshape(groups * rows, length, x.shape[-1])  # noqa: E731
    return place(embeddings), place(angles)


def scored(
    batch: dict[str, Any],
    hidden: Float[Array, "B T D"],
    banks: Mapping[str, TargetSequence],
    embedders: Mapping[str, Any],
) -> dict[str, TargetOutput]:
    """Collects what was computed at the places of every target, a gather each, and scores its tokens."""
    groups = batch["decoder"]["slots"].shape[0]
    hidden = split_groups(hidden, groups).reshape(groups, -1, hidden.shape[-1])
    outputs = {}
    for name, bank in banks.items():
        head = batch["heads"][name]
        collected = gather(hidden, head["positions"], invert(head["positions"], hidden.shape[1]))
        outputs[name] = TargetOutput(embedders[name].logits(collected), bank.tokens, head["weights"])
    return outputs


def blank_batch(config: UnifiedIOConfig, *, items: int = 1, length: int = 4) -> dict[str, Any]:
    """A batch of one row, all padding, of the shapes that initialising the model needs."""

    def bank(modality: Modality) -> dict[str, np.ndarray]:
        return {key: value[None] for key, value in modality.empty(items).items()}

    def plan(places: int, *ids: str) -> dict[str, np.ndarray]:
        padding = np.zeros((1, 1, length), np.int32)
        return {"slots": padding + places, **{key: padding for key in ids}}

    def head(modality: TargetModality) -> dict[str, np.ndarray]:
        places = np.zeros((1, items * modality.slot_size))
        return {"positions": (places + length).astype(np.int32), "weights": places.astype(np.float32)}

    return {
        "inputs": {m.name: bank(m) for m in config.inputs},
        "targets": {m.name: bank(m) for m in config.targets},
        "encoder": plan(items * sum(m.slot_size for m in config.inputs), "segment_ids"),
        "decoder": plan(items * sum(m.slot_size for m in config.targets), "segment_ids", "example_ids"),
        "heads": {m.name: head(m) for m in config.targets},
    }


def parameter_shapes(config: UnifiedIOConfig) -> Any:
    """Shapes and logical axis names (boxed) of every parameter, without making one."""
    return jax.tree.map(lambda leaf: leaf, _parameter_shapes(config, jax.config.jax_enable_x64))


@functools.lru_cache(maxsize=8)
def _parameter_shapes(config: UnifiedIOConfig, x64: bool) -> Any:
    """Traced once for each model: a job asks several times before it begins."""
    model = config.network()
    return jax.eval_shape(lambda: model.init(jax.random.key(0), blank_batch(config)))["params"]
