"""The one small connected language model that tests share: words, pictures, videos and sounds in, words out."""

import dataclasses

from unified_io.backbones.decoder_only import DecoderOnlyConfig
from unified_io.chat_vocab import ChatVocabulary
from unified_io.connected_lm import ConnectedLMConfig
from unified_io.connectors.linear import PooledToTokensConfig
from unified_io.connectors.merge import MergeConfig
from unified_io.dialog.formats import VICUNA
from unified_io.encoders.clip import ClipConfig
from unified_io.encoders.imagebind import ImageBindImuConfig
from unified_io.encoders.point_bert import PointBertConfig
from unified_io.encoders.whisper import WhisperConfig
from unified_io.mel import MelConfig
from unified_io.modalities.connected.chat import ChatInput, ChatTarget
from unified_io.modalities.connected.fronts import (
    FramesFront,
    ImageFront,
    MelFront,
    MotionFront,
    PointsFront,
)
from unified_io.modalities.connected.medium import Medium

WIDTH = 32
CHAT = {"vocabulary": ChatVocabulary(), "format": VICUNA, "max_length": 96}
VIT = ClipConfig(width=16, num_heads=2, num_layers=2, mlp_dim=32, patch=8, grid=2, pooled=True)
LANGUAGE = DecoderOnlyConfig(
    vocab_size=2048, width=WIDTH, num_layers=2, num_heads=4, num_kv_heads=2, head_dim=8, mlp_dim=48
)


def connected_config(**language) -> ConnectedLMConfig:
    """Returns the model; `language` overrides numbers of its language model."""
    image = Medium(
        kind="image",
        front=ImageFront(side=16),
        encoder=VIT,
        connector=PooledToTokensConfig(num_tokens=3, out_width=WIDTH),
    )
    video = Medium(
        kind="video",
        front=FramesFront(side=16, frames=2),
        encoder=VIT,
        encoder_name="image",
        connector=PooledToTokensConfig(num_tokens=3, out_width=WIDTH),
        connector_name="image",
        merge=MergeConfig(kind="concat_tokens", positions=2),
    )
    mel = MelConfig(sample_rate=8000, n_fft=256, hop=128, mels=16, fmax=4000.0, frames=16)
    sound = Medium(
        kind="audio",
        front=MelFront(mel=mel, clips=2),
        encoder=WhisperConfig(mels=16, width=16, num_heads=2, num_layers=1, mlp_dim=32, num_positions=8),
        connector=PooledToTokensConfig(num_tokens=2, out_width=WIDTH),
    )
    return ConnectedLMConfig(
        dataclasses.replace(LANGUAGE, **language),
        (ChatInput(**CHAT), image, video, sound),
        (ChatTarget(**CHAT),),
    )


def sensing_config() -> ConnectedLMConfig:
    """Returns a model that also reads points in space and motion."""
    spread = PooledToTokensConfig(num_tokens=2, out_width=WIDTH)
    points = Medium(
        kind="point_cloud",
        front=PointsFront(points=16),
        encoder=PointBertConfig(
            width=16,
            num_heads=2,
            num_layers=1,
            mlp_dim=16,
            num_groups=4,
            group_size=4,
            group_dim=8,
            projection_dim=8,
        ),
        connector=spread,
    )
    motion = Medium(
        kind="imu",
        front=MotionFront(seconds=0.2),
        encoder=ImageBindImuConfig(width=16, num_heads=2, num_layers=1, output_dim=8, steps=40),
        connector=spread,
    )
    config = connected_config()
    return dataclasses.replace(config, inputs=(*config.inputs, points, motion))
