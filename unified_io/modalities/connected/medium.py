"""A kind of medium in a chat: raw field -> segments -> encoder -> merge and connector -> soft tokens."""

import dataclasses
import functools
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from unified_io.connectors.base import Instruction
from unified_io.connectors.merge import Merge, MergeConfig
from unified_io.encoders.base import Features as Found
from unified_io.errors import DataError, unknown
from unified_io.modalities.base import Features, FeatureSpec, InputSequence, Modality
from unified_io.modalities.connected.chat import without_angles
from unified_io.modalities.connected.parts import features_of, module_of
from unified_io.modalities.connected.talk import MEDIA, conversation, media_of, order


@dataclasses.dataclass(frozen=True, kw_only=True)
class Medium(Modality):
    """Pictures, videos, sounds, clouds of points or motion, as an encoder and a connector hand them to the words.

    An item is one medium; it takes as many places as its segments have soft tokens.

    Attributes:
      kind: One of `talk.MEDIA`; the name of the modality, and of its slot in the words.
      front: What its encoder reads of it; see `fronts`.
      encoder: The configuration of an encoder; see `parts`.
      connector: The configuration of a connector.
      merge: How segments become one medium.
      pooled: Whether the connector reads the encoder's pooled vector as the one token of a segment.
      most: Media an example may have.
      encoder_name: Modalities with equal names share one encoder; "" is the kind's own.
      connector_name: Likewise.
      instruction: The vocabulary in which a connector reads the question (`vocabularies.wordpiece`, or
        `chat_vocab.Instructions`); None where it reads none.
      asked: What such a connector is asked in place of the question; "" is the question.
    """

    kind: str
    front: Any
    encoder: Any
    connector: Any
    merge: MergeConfig = MergeConfig()
    pooled: bool = False
    most: int = 4
    encoder_name: str = ""
    connector_name: str = ""
    instruction: Any = None
    asked: str = ""

    def __post_init__(self):
        if self.kind not in MEDIA:
            raise unknown("kind of medium", self.kind, MEDIA)

    @property
    def name(self) -> str:
        return self.kind

    @property
    def fields(self) -> tuple[str, ...]:
        several, single = MEDIA[self.kind]
        return (*single, *several)

    @property
    def max_items(self) -> int:
        return self.most

    @property
    def tokens(self) -> int:
        """Tokens of a segment that the connector reads."""
        return 1 if self.pooled else features_of(self.encoder, self.front.shape).tokens.shape[1]

    @property
    def slot_size(self) -> int:
        return self.merge.soft_tokens(self.connector, self.front.most, self.tokens)

    def features(self) -> dict[str, FeatureSpec]:
        specs = {
            "values": FeatureSpec((self.front.most, *self.front.shape), "float32", "what the encoder reads"),
            "real": FeatureSpec((self.front.most,), "bool", "segments that there are"),
            "order": FeatureSpec((), "int32", "one more than twice the number of media before it"),
        }
        if self.instruction is not None:
            length = self.instruction.length
            specs["ids"] = FeatureSpec((length,), "int32", "the question, for the connector")
            specs["mask"] = FeatureSpec((length,), "bool", "real ids of it")
        return specs

    def read(self, value: Any) -> Any:
        """Reads a medium, or of a list each; a list of frames is one video."""
        if isinstance(value, list) and self.kind != "video":
            return [self.front.read(one) for one in value]
        return self.front.read(value)

    def preprocess(self, example: dict[str, Any], *, seed: int, training: bool) -> Features:
        media = media_of(example, self.kind)
        if not media:
            return self.empty()
        if len(media) > self.most:
            raise DataError(f"{len(media)} media of kind {self.kind!r}; this model takes {self.most} at most")
        cut = [self.front.segments(medium) for medium in media]
        features = self.empty(len(media))
        for item, segments in enumerate(cut):
            features["values"][item, : len(segments)] = segments
            features["real"][item, : len(segments)] = True
        features["order"] = 2 * order(example, self.kind) + 1
        if self.instruction is not None:
            question = self.asked or conversation(example).messages[-1].text
            ids, mask = self.instruction.batch([question])
            features["ids"][:], features["mask"][:] = ids, mask
        return features

    def order(self, features: Features) -> np.ndarray:
        return features["order"]

    def slots(self, features: Features) -> np.ndarray:
        found = [_soft(self, tuple(real)) for real in features["real"].tolist()]
        return np.array(found, bool).reshape(-1, self.slot_size)

    def shared(self, config: Any) -> dict[str, nn.Module]:
        return {self.encoder_key: module_of(self.encoder), self.connector_key: module_of(self.connector)}

    def embedder(self, config: Any, shared: dict[str, nn.Module]) -> nn.Module:
        return MediumEmbedder(config, self, shared[self.encoder_key], shared[self.connector_key])

    @property
    def encoder_key(self) -> str:
        """Under which the encoder is shared."""
        return f"{self.encoder_name or self.kind}_encoder"

    @property
    def connector_key(self) -> str:
        """Under which the connector is shared."""
        return f"{self.connector_name or self.kind}_connector"


@functools.lru_cache(maxsize=256)
def _soft(medium: Medium, real: tuple[bool, ...]) -> tuple[bool, ...]:
    """Says which soft tokens of a medium are real if these segments are."""
    mask = np.broadcast_to(np.array(real)[:, None], (1, len(real), medium.tokens))
    return tuple(np.asarray(medium.merge.soft_mask(medium.connector, mask))[0].tolist())


class MediumEmbedder(nn.Module):
    """Encodes every segment of a bank, merges and connects them."""

    config: Any
    medium: Medium
    encoder: nn.Module
    connector: nn.Module

    def setup(self):
        self.merge = Merge(self.medium.merge, self.connector)

    def __call__(self, features: dict[str, Array], *, deterministic: bool = True) -> InputSequence:
        values, real = features["values"], features["real"]
        groups, items, segments = real.shape
        found = self.encoder(values.reshape(groups * items * segments, *self.medium.front.shape))
        if self.medium.pooled:
            found = Found(found.pooled[:, None], jnp.ones((len(found.pooled), 1), bool), found.pooled)
        media = (groups * items, segments)
        mask = found.mask.reshape(*media, -1) & real.reshape(*media, 1)
        instruction = None
        if self.medium.instruction is not None:
            ids, seen = (features[key].reshape(groups * items, -1) for key in ("ids", "mask"))
            instruction = Instruction(ids, seen)
        soft = self.merge(
            found.tokens.reshape(*media, *found.tokens.shape[1:]),
            mask,
            pooled=None if found.pooled is None else found.pooled.reshape(*media, -1),
            instruction=instruction,
            deterministic=deterministic,
        )
        soft = soft.reshape(groups, -1, soft.shape[-1]).astype(self.config.dtype)
        return InputSequence(soft, without_angles(soft))
