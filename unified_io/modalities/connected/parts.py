"""The encoders and connectors there are, each by its configuration. The one place that lists them."""

import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import numpy as np

from unified_io.connectors.linear import (
    Linear,
    LinearConfig,
    Mlp,
    MlpConfig,
    PooledToTokens,
    PooledToTokensConfig,
)
from unified_io.connectors.qformer import QFormer, QFormerConfig
from unified_io.connectors.resampler import Resampler, ResamplerConfig
from unified_io.encoders import imagebind
from unified_io.encoders.base import Features
from unified_io.encoders.beats import Beats, BeatsConfig
from unified_io.encoders.clap import Clap, ClapConfig
from unified_io.encoders.clip import ClipConfig, ClipVit
from unified_io.encoders.dinov2 import Dinov2, Dinov2Config
from unified_io.encoders.imu2clip import Imu2Clip, Imu2ClipConfig
from unified_io.encoders.point_bert import PointBert, PointBertConfig
from unified_io.encoders.video_transformer import VideoTransformer, VideoTransformerConfig
from unified_io.encoders.whisper import Whisper, WhisperConfig
from unified_io.errors import unknown

MODULES: dict[type, Callable[[Any], nn.Module]] = {
    BeatsConfig: Beats,
    ClapConfig: Clap,
    ClipConfig: ClipVit,
    Dinov2Config: Dinov2,
    Imu2ClipConfig: Imu2Clip,
    LinearConfig: Linear,
    MlpConfig: Mlp,
    PointBertConfig: PointBert,
    PooledToTokensConfig: PooledToTokens,
    QFormerConfig: QFormer,
    ResamplerConfig: Resampler,
    VideoTransformerConfig: VideoTransformer,
    WhisperConfig: Whisper,
    imagebind.ImageBindAudioConfig: imagebind.ImageBindAudio,
    imagebind.ImageBindImuConfig: imagebind.ImageBindImu,
    imagebind.ImageBindVisionConfig: imagebind.ImageBindVision,
}
"""What is built of which configuration."""


def module_of(config: Any) -> nn.Module:
    """Returns the encoder or connector of a configuration.

    Raises:
      ConfigError: There is none.
    """
    if type(config) not in MODULES:
        raise unknown("encoder or connector", type(config).__name__, [kind.__name__ for kind in MODULES])
    return MODULES[type(config)](config)


@functools.lru_cache(maxsize=64)
def features_of(config: Any, shape: tuple[int, ...]) -> Features:
    """Returns the shapes of what an encoder makes of one segment of a shape, without computing anything."""
    segment = np.zeros((1, *shape), np.float32)
    return jax.eval_shape(lambda: module_of(config).init_with_output(jax.random.key(0), segment)[0])
