"""The words of a chat: a prompt as its format writes it, media left out, and the answer of the bot."""

import dataclasses
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from unified_io.chat_vocab import ChatVocabulary
from unified_io.dialog.formats import BARE, FORMATS, ChatFormat
from unified_io.dialog.rendering import Rendered, Segment, Slot, Text, render
from unified_io.dialog.turns import bot
from unified_io.errors import DataError, unknown
from unified_io.modalities.base import (
    Features,
    FeatureSpec,
    InputSequence,
    Modality,
    TargetModality,
    TargetSequence,
)
from unified_io.modalities.connected.talk import BEFORE, QUESTION, conversation

LANGUAGE_MODEL = "language_model"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Chat:
    """How words of a chat become tokens.

    Attributes:
      vocabulary: The vocabulary of the language model.
      format: How turns are marked, or a name in `dialog.formats.FORMATS`.
      system: What is said before all turns, unless an example says it.
      max_length: Tokens of words at most.
    """

    vocabulary: ChatVocabulary = ChatVocabulary()
    format: ChatFormat | str = BARE
    system: str = ""
    max_length: int = 512

    def __post_init__(self):
        if isinstance(self.format, str):
            if self.format not in FORMATS:
                raise unknown("chat format", self.format, FORMATS)
            object.__setattr__(self, "format", FORMATS[self.format])

    @property
    def name(self) -> str:
        """The modality's name."""
        return "text"

    @property
    def max_items(self) -> int:
        """An item is one token."""
        return self.max_length

    def spoken(self, example: dict[str, Any], answer: str | None = None) -> Rendered:
        """Writes an example, and an answer where there is one, in the format."""
        dialog = conversation(example, self.system)
        if answer is not None:
            dialog = dataclasses.replace(dialog, messages=(*dialog.messages, bot(answer)))
        return render(dialog, self.format)

    def tokenize(self, segment: Segment) -> list[int]:
        """Returns the ids of a piece; none of a medium."""
        if isinstance(segment, Slot):
            return []
        if isinstance(segment, Text):
            return self.vocabulary.encode(segment.text)
        return [self.vocabulary.token(segment.name)]

    def checked(self, count: int, what: str) -> int:
        """Returns a number of tokens.

        Raises:
          DataError: There are more than may be.
        """
        if count > self.max_length:
            raise DataError(
                f"{what} has {count} tokens, more than max_length={self.max_length}; shorten it, or raise max_length"
            )
        return count


@dataclasses.dataclass(frozen=True, kw_only=True)
class ChatInput(Chat, Modality):
    """The prompt. An item is one token; media stand between them."""

    @property
    def fields(self) -> tuple[str, ...]:
        return (QUESTION, BEFORE)

    def features(self) -> dict[str, FeatureSpec]:
        return {
            "tokens": FeatureSpec((), "int32", "id of the language model"),
            "order": FeatureSpec((), "int32", "twice the number of media before it"),
        }

    def preprocess(self, example: dict[str, Any], *, seed: int, training: bool) -> Features:
        tokens, places, media = list[int](), list[int](), 0
        for segment in self.spoken(example).prompt:
            new = self.tokenize(segment)
            tokens += new
            places += [2 * media] * len(new)
            media += isinstance(segment, Slot)
        self.checked(len(tokens), "the prompt")
        return {"tokens": np.asarray(tokens, np.int32), "order": np.asarray(places, np.int32)}

    def order(self, features: Features) -> np.ndarray:
        return features["order"]

    def embedder(self, config: Any, shared: dict[str, nn.Module]) -> nn.Module:
        return ChatInputEmbedder(config, shared[LANGUAGE_MODEL])


@dataclasses.dataclass(frozen=True, kw_only=True)
class ChatTarget(Chat, TargetModality):
    """The answer, up to the token that ends it. Several parallel answers (a list) do not see each other."""

    @property
    def fields(self) -> tuple[str, ...]:
        return ("text_targets",)

    @property
    def length(self) -> int:
        return self.max_length

    @property
    def prefix(self) -> str:
        return ""

    @property
    def end_token(self) -> int | None:
        return self.vocabulary.token(self.format.stop)

    def features(self) -> dict[str, FeatureSpec]:
        return {
            "tokens": FeatureSpec((), "int32", "token to write"),
            "inputs": FeatureSpec(
                (), "int32", "token before it; in front the end of the prompt stands in for it"
            ),
            "streams": FeatureSpec((), "int32", "which parallel answer"),
        }

    def preprocess(self, example: dict[str, Any], *, seed: int, training: bool) -> Features:
        field = example.get(self.fields[0], "")
        parts = []
        for answer in filter(None, field if isinstance(field, list) else [field]):
            tokens = self._tokens(example, str(answer))
            count = self.checked(len(tokens), "the answer")
            parts.append({"tokens": tokens, "inputs": [0, *tokens[:-1]], "streams": [len(parts)] * count})
        if not parts:
            return self.empty()
        return {key: np.concatenate([np.asarray(part[key], np.int32) for part in parts]) for key in parts[0]}

    def cost(self, answer: str) -> int:
        """Returns how many tokens an answer is, the one that ends it included."""
        return len(self._tokens({QUESTION: "?"}, answer))

    def _tokens(self, example: dict[str, Any], answer: str) -> list[int]:
        tokens = [id for segment in self.spoken(example, answer).answer for id in self.tokenize(segment)]
        # What a format says behind the end is not the bot's.
        return tokens[: tokens.index(self.end_token) + 1]

    def streams(self, features: Features) -> np.ndarray:
        return features["streams"]

    def written(self, rendered: np.ndarray, tokens: int) -> np.ndarray:
        return rendered[:tokens]  # no id is blank: 0 is an unknown piece

    def detokenize(self, rendered: np.ndarray) -> Any:
        """Returns the text up to the token that ends it."""
        tokens = [int(token) for token in rendered]
        end = tokens.index(self.end_token) if self.end_token in tokens else len(tokens)
        return self.vocabulary.decode(tokens[:end]).strip()

    def embedder(self, config: Any, shared: dict[str, nn.Module]) -> nn.Module:
        return ChatTargetEmbedder(config, shared[LANGUAGE_MODEL])


class ChatInputEmbedder(nn.Module):
    """Looks tokens up in the table of the language model."""

    config: Any
    language_model: nn.Module

    def __call__(self, features: dict[str, Array], *, deterministic: bool = True) -> InputSequence:
        embeddings = self.language_model.embed(features["tokens"])
        return InputSequence(embeddings, without_angles(embeddings))


class ChatTargetEmbedder(nn.Module):
    """What the language model reads of its own answer, and its head."""

    config: Any
    language_model: nn.Module

    def __call__(self, features: dict[str, Array]) -> TargetSequence:
        embeddings, angles = self.embed(features["inputs"], features["streams"])
        return TargetSequence(embeddings, angles, features["tokens"], jnp.ones(angles.shape[:2], bool))

    def embed(
        self, tokens: Int[Array, "*B"], positions: Int[Array, "*B"]
    ) -> tuple[Float[Array, "*B D"], Float[Array, "*B half"]]:
        """Embeds tokens; the language model itself knows their positions."""
        embeddings = self.language_model.embed(tokens)
        return embeddings, without_angles(embeddings)

    def logits(self, hidden: Float[Array, "*B D"]) -> Float[Array, "*B V"]:
        """Scores every token of the vocabulary."""
        return self.language_model.logits(hidden)

    def render(self, tokens: Int[Array, "B L"]) -> Int[Array, "B L"]:
        """Text needs no tokenizer network: tokens are what `detokenize` takes."""
        return tokens


def without_angles(embeddings: Float[Array, "*B D"]) -> Float[Array, "*B 0"]:
    """No angles travel with a token: the language model turns it by its place in the row."""
    return jnp.zeros((*embeddings.shape[:-1], 0), embeddings.dtype)
