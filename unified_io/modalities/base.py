"""The interface every modality fills in, and the table of fields an example may carry.

Nothing here knows a particular modality: the model, the packer and the pipeline see modalities through this file only.
"""

import dataclasses
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Bool, Float, Int

from unified_io.errors import ConfigError
from unified_io.generation.sampling import Sampler


@dataclasses.dataclass(frozen=True)
class Field:
    """One raw field of an example. `None` in a shape is a free length; an absent field is empty along it.

    Attributes:
      axes: What the numbers of the last axis are called, where another field has as many of another sort.
    """

    shape: tuple[int | None, ...]
    dtype: str
    meaning: str
    axes: str = ""


# A mask is as large as the image or spectrogram that it belongs to.
FIELDS: dict[str, Field] = {
    "text_inputs": Field((), "string", "the prompt, paradigm prefix included; '' is absent"),
    "text_targets": Field((), "string", "the answer to write; '' is absent"),
    "image_inputs": Field((None, None, 3), "float32", "pixels [h, w, 3] in [0, 1]"),
    "image_input_masks": Field((None, None), "bool", "pixels the encoder may see; empty means all"),
    "image_targets": Field((None, None, 3), "float32", "pixels [h, w, 3] in [0, 1] to draw"),
    "image_target_masks": Field((None, None), "bool", "pixels that count as target; empty means all"),
    "image_target_hidden_masks": Field(
        (None, None), "bool", "pixels of the target that the encoder is not shown; empty means none"
    ),
    "image_history_inputs": Field(
        (None, None, None, 3),
        "float32",
        "earlier frames [n, h, w, 3], or a list of frames",
    ),
    "audio_inputs": Field((None, None), "float32", "natural-log mel [frames, mels]; exact zeros are silence"),
    "audio_input_masks": Field((None, None), "bool", "spectrogram bins the encoder may see; empty means all"),
    "audio_targets": Field((None, None), "float32", "natural-log mel [frames, mels] to speak"),
    "audio_target_hidden_masks": Field(
        (None, None), "bool", "bins of the target that the encoder is not shown; empty means none"
    ),
    "audio_history_inputs": Field((None, None, None), "float32", "earlier segments [n, frames, mels]"),
    "video_inputs": Field((None, None, None, 3), "float32", "frames [n, h, w, 3] in [0, 1]"),
    "point_cloud_inputs": Field((None, 3), "float32", "points (x, y, z), any unit", "x y z"),
    "imu_inputs": Field((None, 6), "float32", "acceleration and rotation [n, 6], 200 steps a second"),
    "dialog_inputs": Field(
        (), "string", "what was said before, JSON as `modalities.connected.talk` reads it"
    ),
    "action_inputs": Field((None, 3), "float32", "pen points (y, x, pen) in [0, 1]"),
    "action_targets": Field((None, 3), "float32", "pen points (y, x, pen) in [0, 1] to draw"),
}


@dataclasses.dataclass(frozen=True)
class FeatureSpec:
    """What one item of a feature looks like in the batch."""

    shape: tuple[int, ...]
    dtype: str
    meaning: str


@struct.dataclass
class InputSequence:
    """A bank of input tokens: embeddings and the rotary angles that travel with them."""

    embeddings: Float[Array, "G N D"]
    angles: Float[Array, "G N half"]


@struct.dataclass
class TargetSequence:
    """A bank of target tokens: what the decoder reads at each place, what it should write there, and whether the
    encoder was shown what it reads."""

    embeddings: Float[Array, "G N D"]
    angles: Float[Array, "G N half"]
    tokens: Int[Array, "G N"]
    shown: Bool[Array, "G N"]


Features = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Modality:
    """A kind of input or output as a vertical slice; its dataclass fields are its configuration.

    Every feature array has a leading axis of *items*; each item takes `slot_size` token places in the bank: a text
    token is an item of one place, an image an item of as many places as it has patches.
    """

    @property
    def name(self) -> str:
        """The modality's name in batches, metrics and parameter paths."""
        raise ConfigError(f"{type(self).__name__} has no name; a modality must define one")

    @property
    def fields(self) -> tuple[str, ...]:
        """The raw fields (keys of FIELDS) that `preprocess` reads."""
        raise ConfigError(f"{type(self).__name__} reads no field; a modality must name the fields it reads")

    @property
    def slot_size(self) -> int:
        """How many token places one item takes."""
        return 1

    @property
    def max_items(self) -> int:
        """The most items one example has."""
        return 1

    def features(self) -> dict[str, FeatureSpec]:
        """What the batch holds of one item."""
        raise ConfigError(f"{type(self).__name__} declares no features")

    def preprocess(self, example: dict[str, Any], *, seed: int, training: bool) -> Features:
        """Turns raw fields into features with true lengths; an absent field gives zero items."""
        raise ConfigError(f"{type(self).__name__} can not preprocess")

    def read(self, value: Any) -> Any:
        """Turns what a user hands over (a path, an array, a string) into the raw field."""
        return value

    def slots(self, features: Features) -> np.ndarray:
        """Which places hold real tokens: bool [items, slot_size]."""
        return np.ones((len(next(iter(features.values()))), self.slot_size), bool)

    def order(self, features: Features) -> np.ndarray:
        """Sorts the items of an example in its row, across modalities: int [items]; where equal, as configured."""
        return np.zeros(len(next(iter(features.values()))), np.int32)

    def num_tokens(self, features: Features) -> int:
        """What this example costs in a row."""
        return int(self.slots(features).sum())

    def shared(self, config: Any) -> dict[str, nn.Module]:
        """Modules that several modalities use together, by name."""
        return {}

    def embedder(self, config: Any, shared: dict[str, nn.Module]) -> nn.Module:
        """The module that turns a bank of features into an InputSequence or a TargetSequence."""
        raise ConfigError(f"{type(self).__name__} has no embedder")

    def empty(self, items: int = 0) -> Features:
        """Features of `items` blank items."""
        return {key: np.zeros((items, *spec.shape), spec.dtype) for key, spec in self.features().items()}


@dataclasses.dataclass(frozen=True)
class TargetModality(Modality):
    """A modality the decoder writes."""

    @property
    def length(self) -> int:
        """The most tokens one generation takes."""
        raise ConfigError(f"{type(self).__name__} has no length")

    @property
    def columns(self) -> int:
        """Columns of the grid its tokens lie on, 0 where they lie in a line."""
        return 0

    @property
    def end_token(self) -> int | None:
        """The token that ends a generation, or None where the length is fixed."""
        return None

    def streams(self, features: Features) -> np.ndarray:
        """Which of several parallel answers an item belongs to: int [items]; streams do not see each other."""
        return np.zeros(len(next(iter(features.values()))), np.int32)

    def weights(self, features: Features) -> np.ndarray:
        """How much each place counts in the loss: float32 [items, slot_size]."""
        return self.slots(features).astype(np.float32)

    @property
    def prefix(self) -> str:
        """The paradigm token that asks for this output."""
        return "[Text] [S] "

    @property
    def sampler(self) -> Sampler:
        """How to choose tokens unless the user says otherwise."""
        return Sampler(temperature=0.0)

    def detokenize(self, rendered: np.ndarray) -> Any:
        """Turns one rendered generation back into the raw field; the inverse of `preprocess`."""
        raise ConfigError(f"{type(self).__name__} can not detokenize")

    def written(self, rendered: np.ndarray, tokens: int) -> np.ndarray:
        """Returns a generation of which only the first `tokens` are written, the rest of it blank."""
        return rendered

    def present(self, field: Any) -> Any:
        """Turns the raw field into what a user wants to have (a spectrogram becomes sound)."""
        return field


class Embedder(nn.Module):
    """Base of the embedders: holds the learned vector that marks every token of one modality.

    Attributes:
      config: The backbone's configuration (width, head size, dtype).
    """

    config: Any

    def setup(self):
        init = nn.with_logical_partitioning(nn.initializers.normal(0.02), ("embed",))
        self.modality_embedding = self.param("modality_embedding", init, (self.config.emb_dim,), jnp.float32)

    def mark(self, embeddings: Float[Array, "*B D"]) -> Float[Array, "*B D"]:
        """Adds the modality vector, in the compute dtype."""
        return (embeddings + self.modality_embedding).astype(self.config.dtype)


def merge_shared(modalities: tuple[Modality, ...], config: Any) -> dict[str, nn.Module]:
    """Collects the shared modules of all modalities by name.

    Raises:
      ConfigError: Two modalities ask for different modules under one name.
    """
    merged: dict[str, nn.Module] = {}
    for modality in modalities:
        for name, module in modality.shared(config).items():
            if name in merged and merged[name] != module:
                raise ConfigError(
                    f"modality {modality.name!r} wants another {name!r} than an earlier one; give them equal configs"
                )
            merged.setdefault(name, module)
    return merged
