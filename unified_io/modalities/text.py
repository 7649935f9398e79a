"""Text in and text out: words, and whatever is written with them (boxes, points, numbers as location tokens)."""

import dataclasses
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from unified_io.errors import ConfigError, DataError
from unified_io.modalities.base import (
    Embedder,
    Features,
    FeatureSpec,
    InputSequence,
    Modality,
    TargetModality,
    TargetSequence,
)
from unified_io.nn.embed import Curve, Embed
from unified_io.nn.rope import angles_1d
from unified_io.vocab import BOS, EOS, Vocabulary

TABLE = "text_token_embedder"
_MOST_OCTAVES = 9  # a wave of the next one would be shorter than four bins


@dataclasses.dataclass(frozen=True)
class Written:
    """What is written with text tokens, in or out: one table, one way to turn the raw field into ids.

    Attributes:
      vocabulary: The text vocabulary, shared by everything that is written with text tokens.
      max_length: Tokens kept, EOS included; what is longer is cut.
      location_octaves: Octaves of the curve on which the vectors of location tokens begin (see `Curve`). All that is
        written with text tokens must agree. 0 draws them independently, as released.
    """

    vocabulary: Vocabulary = Vocabulary()
    max_length: int = 512
    location_octaves: int = 0

    def __post_init__(self):
        if not 0 <= self.location_octaves <= _MOST_OCTAVES:
            raise ConfigError(
                f"location_octaves is {self.location_octaves}; give a whole number from 0 to {_MOST_OCTAVES}"
            )

    @property
    def name(self) -> str:
        """The modality's name."""
        return "text"

    @property
    def max_items(self) -> int:
        """An item is one token."""
        return self.max_length

    def tokenize(self, field: Any) -> list[int]:
        """Turns the raw field into token ids without EOS; empty when absent."""
        return self.vocabulary.encode(str(field)) if len(field) else []

    def shared(self, config: Any) -> dict[str, nn.Module]:
        """The text table."""
        curve = None
        if self.location_octaves:
            ids = self.vocabulary.location_ids
            curve = Curve(ids.start, len(ids), self.location_octaves)
        return {TABLE: Embed(self.vocabulary.size, config.emb_dim, dtype=config.dtype, curve=curve)}


@dataclasses.dataclass(frozen=True)
class TextInput(Written, Modality):
    """The prompt. An item is one token; positions count from 0."""

    prefixed = True  # what is asked for stands in front

    @property
    def fields(self) -> tuple[str, ...]:
        return (f"{self.name}_inputs",)

    def features(self) -> dict[str, FeatureSpec]:
        return {
            "tokens": FeatureSpec((), "int32", "text token id"),
            "positions": FeatureSpec((), "int32", "place in the text, from 0"),
        }

    def read(self, value: Any) -> str:
        """Returns what a user asks.

        Raises:
          DataError: It is longer than the model reads. Data are cut; who asks is told.
        """
        count = len(self.tokenize(value)) + 1 + self.prefixed  # EOS, and the paradigm token
        if count > self.max_length:
            raise DataError(f"{self.name} of {count} tokens, the model reads {self.max_length}; shorten it")
        return value

    def preprocess(self, example: dict[str, Any], *, seed: int, training: bool) -> Features:
        tokens = self.tokenize(example.get(self.fields[0], ""))
        if not tokens:
            return self.empty()
        tokens = [*tokens[: self.max_length - 1], EOS]
        return {"tokens": np.asarray(tokens, np.int32), "positions": np.arange(len(tokens), dtype=np.int32)}

    def embedder(self, config: Any, shared: dict[str, nn.Module]) -> nn.Module:
        return TextInputEmbedder(config, shared[TABLE])


class TextInputEmbedder(Embedder):
    """Looks tokens up in the text table and adds the modality vector."""

    table: nn.Module

    def __call__(self, features: dict[str, Array], *, deterministic: bool = True) -> InputSequence:
        embeddings = self.mark(self.table(features["tokens"]))
        return InputSequence(embeddings, angles_1d(features["positions"], self.config.head_dim))


@dataclasses.dataclass(frozen=True)
class TextTarget(Written, TargetModality):
    """The answer. Several parallel answers (a list) are streams that do not see each other.

    Attributes:
      evenness: How far a short answer counts like a long one in the loss: each of its n tokens weighs n ** -evenness.
        0 is the mean over all tokens, as released; with 1 every answer counts the same.
    """

    evenness: float = 0.0

    def __post_init__(self):
        super().__post_init__()
        if not 0 <= self.evenness <= 1:
            raise ConfigError(f"evenness is {self.evenness}; give a number from 0 to 1")

    @property
    def fields(self) -> tuple[str, ...]:
        return (f"{self.name}_targets",)

    @property
    def length(self) -> int:
        return self.max_length

    @property
    def end_token(self) -> int | None:
        return EOS

    def features(self) -> dict[str, FeatureSpec]:
        return {
            "tokens": FeatureSpec((), "int32", "token to write"),
            "inputs": FeatureSpec((), "int32", "token before it, the start token 0 in front"),
            "positions": FeatureSpec((), "int32", "place in its answer, from 0"),
            "streams": FeatureSpec((), "int32", "which parallel answer"),
        }

    def preprocess(self, example: dict[str, Any], *, seed: int, training: bool) -> Features:
        field = example.get(self.fields[0], "")
        answers = [self.tokenize(answer) for answer in (field if isinstance(field, list) else [field])]
        parts = []
        for stream, tokens in enumerate(tokens for tokens in answers if tokens):
            tokens = [*tokens[: self.max_length - 1], EOS]
            parts.append(
                {
                    "tokens": tokens,
                    "inputs": [BOS, *tokens[:-1]],
                    "positions": range(len(tokens)),
                    "streams": [stream] * len(tokens),
                }
            )
        if not parts:
            return self.empty()
        return {key: np.concatenate([np.asarray(part[key], np.int32) for part in parts]) for key in parts[0]}

    def cost(self, answer: str) -> int:
        """Returns how many tokens an answer is, the one that ends it included."""
        return len(self.tokenize(answer)) + 1

    def streams(self, features: Features) -> np.ndarray:
        return features["streams"]

    def weights(self, features: Features) -> np.ndarray:
        streams = self.streams(features)
        lengths = np.bincount(streams, minlength=1)[streams].astype(np.float32)
        return (lengths**-self.evenness)[:, None]

    def detokenize(self, rendered: np.ndarray) -> Any:
        """Returns the text up to EOS."""
        return self.vocabulary.decode([int(token) for token in rendered])

    def embedder(self, config: Any, shared: dict[str, nn.Module]) -> nn.Module:
        return TextTargetEmbedder(config, shared[TABLE])


class TextTargetEmbedder(Embedder):
    """Text the decoder reads back, and the tied head that writes it."""

    table: nn.Module

    def __call__(self, features: dict[str, Array]) -> TargetSequence:
        embeddings, angles = self.embed(features["inputs"], features["positions"])
        return TargetSequence(embeddings, angles, features["tokens"], jnp.ones(angles.shape[:2], bool))

    def embed(
        self, tokens: Int[Array, "*B"], positions: Int[Array, "*B"]
    ) -> tuple[Float[Array, "*B D"], Float[Array, "*B half"]]:
        """Embeds decoder inputs at their positions."""
        return self.mark(self.table(tokens)), angles_1d(positions, self.config.head_dim)

    def logits(self, hidden: Float[Array, "*B D"]) -> Float[Array, "*B V"]:
        """Scores every token of the vocabulary."""
        return self.table.attend(hidden)

    def render(self, tokens: Int[Array, "B L"]) -> Int[Array, "B L"]:
        """Text needs no tokenizer network: tokens are what `detokenize` takes."""
        return tokens
