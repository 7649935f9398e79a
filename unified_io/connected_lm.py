"""The network of a decoder-only language model that media are connected to. Knows no modality by name.

banks -> embedders (media: encoder, merge, connector) -> one gather into rows -> language model -> heads

A row of inputs and a row of targets are one sequence to the language model, the inputs in front; everything around
the network, from packing to the server, is that of the encoder-decoder.
"""

import dataclasses
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from unified_io.backbones.decoder_only import DecoderOnly, DecoderOnlyConfig
from unified_io.errors import ConfigError
from unified_io.loss import TargetOutput
from unified_io.modalities.connected.chat import LANGUAGE_MODEL
from unified_io.model import Encoded, RowNetwork, UnifiedIOConfig, scored
from unified_io.nn import masks
from unified_io.sequence import flatten_groups


@dataclasses.dataclass(frozen=True)
class ConnectedLMConfig(UnifiedIOConfig):
    """A language model and the modalities that it reads; what it writes is text.

    Attributes:
      backbone: The language model.
    """

    backbone: DecoderOnlyConfig

    def network(self) -> nn.Module:
        """As `UnifiedIOConfig.network`."""
        return ConnectedLM(self)

    @property
    def hidden_width(self) -> int:
        """As `UnifiedIOConfig.hidden_width`."""
        return self.backbone.width

    @property
    def stacks(self) -> dict[str, int]:
        """As `UnifiedIOConfig.stacks`."""
        return {LANGUAGE_MODEL: self.backbone.num_layers}

    @property
    def length_offset(self) -> int:
        """As `UnifiedIOConfig.length_offset`: none, as X-InstructBLIP and Lynx mean their settings."""
        return 0

    @property
    def drops(self) -> bool:
        """As `UnifiedIOConfig.drops`: LoRA or a connector may."""
        parts = (self.backbone.lora, *(getattr(m, "connector", None) for m in self.inputs))
        return any(getattr(part, "dropout_rate", 0.0) > 0 for part in parts)

    def check(self) -> None:
        """As `UnifiedIOConfig.check`: a vocabulary that is there has no more ids than the language model rows.

        Raises:
          ConfigError: One has.
        """
        rows = self.backbone.vocab_size
        for vocabulary in {m.vocabulary for m in (*self.inputs, *self.targets) if hasattr(m, "vocabulary")}:
            if vocabulary.present and vocabulary.rows > rows:
                name = vocabulary.path or "of this package"
                raise ConfigError(
                    f"the vocabulary {name} has {vocabulary.rows} ids, but the table of embeddings {rows} rows: give "
                    "the tokenizer.model that lies beside the weights, and new ones as from_pretrained(new_tokens=…)"
                )

    def row_flops(self, e: float, d: float, ee: float, dd: float, ed: float) -> dict[str, float]:
        """As `UnifiedIOConfig.row_flops`; both sides are tokens of one sequence."""
        b = self.backbone
        heads, keys = b.num_heads * b.head_dim, b.num_kv_heads * b.head_dim
        attention = 4.0 * b.width * (heads + keys) * (e + d) + 4.0 * heads * (ee + dd + ed)
        parts = {"attention": attention, "mlp": 6.0 * b.width * b.mlp_dim * (e + d)}
        return {f"{LANGUAGE_MODEL}/{part}": b.num_layers * n for part, n in parts.items()}


class ConnectedLM(RowNetwork):
    """Reads rows of soft tokens and words as the prompts of a language model, and scores or continues them.

    The first token of an answer is told from the last token of its prompt. That token is read again in front of the
    answer, in its own place, and hidden among the prompt, so prompts and answers need not lie side by side.
    """

    def setup(self):
        self.language_model = DecoderOnly(self.config.backbone)
        self.make_embedders(**{LANGUAGE_MODEL: self.language_model})

    def __call__(self, batch: dict[str, Any], *, deterministic: bool = True) -> dict[str, TargetOutput]:
        """Scores every target token of a packed batch; arguments and result as `model.Network`."""
        prompts = self.encode(batch, deterministic=deterministic)
        plan = batch["decoder"]
        banks, answers, _ = self.target_rows(batch)
        streams, examples = (flatten_groups(plan[name]) for name in ("segment_ids", "example_ids"))
        last = ends(prompts.segment_ids, examples)
        begins = (within(streams) == 0) & (last >= 0)
        again = jnp.take_along_axis(prompts.hidden, jnp.maximum(last, 0)[..., None], axis=1)
        answers = jnp.where(begins[..., None], again, answers)

        before = jnp.arange(prompts.segment_ids.shape[1]) < last[..., None]
        seen = masks.segments(examples, prompts.segment_ids) & before[:, None]
        own = masks.segments(streams, streams) & masks.causal(streams.shape[1])
        of_prompts = prompt_mask(prompts.segment_ids)
        # No prompt looks at an answer.
        nothing = jnp.zeros((*of_prompts.shape[:3], own.shape[3]), bool)
        mask = jnp.concatenate(
            [jnp.concatenate([of_prompts, nothing], -1), jnp.concatenate([seen, own], -1)], axis=2
        )
        places = within(prompts.segment_ids)
        at = jnp.take_along_axis(places, jnp.maximum(last, 0), axis=1) + within(streams)
        hidden = self.language_model(
            jnp.concatenate([prompts.hidden, answers], axis=1),
            mask=mask,
            positions=jnp.concatenate([places, at], axis=1),
            deterministic=deterministic,
        )
        return scored(batch, hidden[:, places.shape[1] :], banks, self.target_embedders)

    def encode(self, batch: dict[str, Any], *, deterministic: bool = True) -> Encoded:
        """Embeds the input banks and lays their tokens out in rows, as the language model is to read them."""
        return self.input_rows(batch, deterministic)

    def start(self, encoded: Encoded, length: int) -> Any:
        """Reads the prompts, one a row, and prepares the cache of an answer of at most `length` tokens.

        Its leaves have rows in front.
        """
        segments = encoded.segment_ids
        places, last = within(segments), ends(segments, jnp.ones_like(segments[:, :1]))
        _, cache = self.language_model.start_cache(
            encoded.hidden, mask=prompt_mask(segments), positions=places, length=length
        )
        again = jnp.take_along_axis(encoded.hidden, jnp.maximum(last, 0)[..., None], axis=1)
        seen = (segments > 0) & (jnp.arange(segments.shape[1]) < last)
        return {**cache, "seen": seen, "places": places, "last": last, "again": again}

    def step(
        self, cache: Any, tokens: Int[Array, " B"], index: Int[Array, ""], target: str
    ) -> tuple[Float[Array, "B V"], Any]:
        """Reads one token a row at position `index` of the answer and scores the next one.

        Args:
          cache: From `start` or the last step.
          tokens: The previous token of every row; at index 0 the last of the prompt stands in for it.
          index: Position, the same for all rows.
          target: Name of the modality that is being written.
        """
        embedder = self.target_embedders[target]
        last = cache["last"]
        positions = jnp.maximum(last, 0) + index
        y, _ = embedder.embed(tokens[:, None], positions)
        y = jnp.where(((index == 0) & (last >= 0))[..., None], cache["again"], y)
        hidden, cache = self.language_model.decode_step(
            y,
            cache,
            index,
            cross_mask=cache["seen"][:, None, None],
            positions=positions,
            cross_positions=cache["places"],
        )
        return embedder.logits(hidden[:, 0]), cache


def within(segment_ids: Int[Array, "B L"]) -> Int[Array, "B L"]:
    """Says at which place of its segment every token is; segments lie in one piece.

    within([[1, 1, 1, 2, 2, 0]]) = [[0, 1, 2, 0, 1, 0]]
    """
    at = jnp.arange(segment_ids.shape[1])
    changes = jnp.pad(segment_ids[:, 1:] != segment_ids[:, :-1], ((0, 0), (1, 0)), constant_values=True)
    first = jnp.where(changes, at, 0)
    return at - jnp.maximum.accumulate(first, axis=1)


def ends(segment_ids: Int[Array, "B S"], asked: Int[Array, "B T"]) -> Int[Array, "B T"]:
    """Says where in a row the segments that are asked for end; -1 where there is none.

    ends([[1, 1, 2, 0]], [[2, 1, 3]]) = [[2, 1, -1]]
    """
    places = jnp.where(masks.segments(asked, segment_ids)[:, 0], jnp.arange(segment_ids.shape[1]), -1)
    return places.max(axis=-1)


def prompt_mask(segment_ids: Int[Array, "B S"]) -> Bool[Array, "B 1 S S"]:
    """A token of a prompt looks at itself and at what came before it in its segment."""
    return masks.segments(segment_ids, segment_ids) & masks.causal(segment_ids.shape[1])
