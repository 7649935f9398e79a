"""Earlier frames and earlier segments: each squeezed to a few latents by a perceiver resampler."""

import dataclasses
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from unified_io.connectors.resampler import Resampler, ResamplerConfig
from unified_io.errors import DataError
from unified_io.modalities.base import Embedder, Features, FeatureSpec, InputSequence, Modality
from unified_io.modalities.media import MediaInput, encode_media
from unified_io.nn.dense import Dense
from unified_io.nn.rope import angles_2d
from unified_io.preprocess.sources import is_source


@dataclasses.dataclass(frozen=True)
class History(Modality):
    """Frames or segments that came before the current one. An item is one frame; it takes one place a latent.

    Attributes:
      media: The kind of frame: an ImageInput or AudioInput of the history's size.
      resampler: Squeezes a frame's patches to its latents.
      max_frames: Frames kept, the latest ones.
    """

    media: MediaInput
    resampler: ResamplerConfig = ResamplerConfig()
    max_frames: int = 4

    @property
    def name(self) -> str:
        return f"{self.media.name}_history"

    @property
    def fields(self) -> tuple[str, ...]:
        return (f"{self.name}_inputs",)

    @property
    def slot_size(self) -> int:
        return self.resampler.num_latents

    @property
    def max_items(self) -> int:
        return self.max_frames

    def features(self) -> dict[str, FeatureSpec]:
        frame = FeatureSpec((), "int32", "which frame, from 0")
        return {**self.media.features(), "frames": frame}

    def read(self, value: Any) -> list[np.ndarray]:
        """Reads a list of frames, each as its media does (paths, arrays); they may differ in size."""
        if is_source(value):
            raise DataError(f"{self.name} is one file; give a list of frames, e.g. those of `video.read`")
        return [self.media.read(frame) for frame in value]

    def preprocess(self, example: dict[str, Any], *, seed: int, training: bool) -> Features:
        raw = example.get(self.fields[0])
        if raw is None or not len(raw):
            return self.empty()
        if np.ndim(raw[0]) < 2:
            raise DataError(
                f"{self.fields[0]} must hold frames along its first axis, got shape {np.shape(raw)}"
            )
        items = [
            self.media.item(frame, seed=(seed, *self.name.encode(), index))
            for index, frame in enumerate(raw[-self.max_frames :])
        ]
        features = {key: np.stack([item[key] for item in items]) for key in items[0]}
        return {**features, "frames": np.arange(len(items), dtype=np.int32)}

    def slots(self, features: Features) -> np.ndarray:
        return np.repeat(features["mask"].any(axis=1, keepdims=True), self.slot_size, axis=1)

    def shared(self, config: Any) -> dict[str, nn.Module]:
        return self.media.shared(config)

    def embedder(self, config: Any, shared: dict[str, nn.Module]) -> nn.Module:
        return HistoryEmbedder(config, self, shared[self.media.encoder_name])


class HistoryEmbedder(Embedder):
    """Encodes every frame, keeps the encoder's last features only, and resamples them to latents."""

    history: History
    encoder: nn.Module

    def setup(self):
        super().setup()
        width = self.history.resampler.width
        self.pre_projection = Dense(width, ("image_patch", "embed"), dtype=self.config.dtype)
        self.resampler = Resampler(self.history.resampler)
        self.post_projection = Dense(self.config.emb_dim, ("image_patch", "embed"), dtype=self.config.dtype)

    def __call__(self, features: dict[str, Array], *, deterministic: bool = True) -> InputSequence:
        last, _ = encode_media(self.encoder, self.history.media, features)
        groups, frames, patches, width = last.shape
        mask = features["mask"].reshape(-1, patches)
        latents = self.resampler(
            self.pre_projection(last).reshape(-1, patches, self.history.resampler.width), mask
        )
        embeddings = self.mark(self.post_projection(latents)).reshape(groups, -1, self.config.emb_dim)
        index = jnp.broadcast_to(jnp.arange(self.history.slot_size), (groups, frames, self.history.slot_size))
        angles = angles_2d(
            jnp.broadcast_to(features["frames"][:, :, None], index.shape), index, self.config.head_dim
        )
        return InputSequence(embeddings, angles.reshape(groups, -1, angles.shape[-1]))
