"""One tiny connected language model for all of these tests."""

import pytest

from unified_io.backbones.decoder_only import DecoderOnlyConfig
from unified_io.chat_vocab import ChatVocabulary
from unified_io.connected_lm import ConnectedLMConfig
from unified_io.connectors.linear import PooledToTokensConfig
from unified_io.connectors.merge import MergeConfig
from unified_io.dialog.formats import VICUNA
from unified_io.encoders.clip import ClipConfig
from unified_io.encoders.whisper import WhisperConfig
from unified_io.mel import MelConfig
from unified_io.modalities.connected.chat import ChatInput, ChatTarget
from unified_io.modalities.connected.fronts import FramesFront, ImageFront, MelFront
from unified_io.modalities.connected.medium import Medium

WIDTH = 32
CHAT = {"vocabulary": ChatVocabulary(), "format": VICUNA, "max_length": 96}
VIT = ClipConfig(width=16, num_heads=2, num_layers=2, mlp_dim=32, patch=8, grid=2, pooled=True)
LANGUAGE = DecoderOnlyConfig(
    vocab_size=2048, width=WIDTH, num_layers=2, num_heads=4, num_kv_heads=2, head_dim=8, mlp_dim=48
)


def config() -> ConnectedLMConfig:
    """Words, pictures, short videos and sounds in; words out."""
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
    return ConnectedLMConfig(LANGUAGE, (ChatInput(**CHAT), image, video, sound), (ChatTarget(**CHAT),))


@pytest.fixture(scope="session")
def model():
    """A random model that may answer."""
    from unified_io.api import loading

    return loading.from_config(config(), allow_random=True)
