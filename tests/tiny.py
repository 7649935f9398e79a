"""The one small model the tests share: the whole architecture, histories included, with tiny numbers."""

import dataclasses

import flax.linen as nn
import jax
import numpy as np

from unified_io import api
from unified_io.backbones.encoder_decoder import BackboneConfig
from unified_io.connectors.resampler import ResamplerConfig
from unified_io.data.batch import assemble
from unified_io.data.budgets import Budgets
from unified_io.data.packing import measure, one_per_row, plan
from unified_io.encoders.ast import AstConfig
from unified_io.encoders.vit import VitConfig
from unified_io.mel import MelConfig
from unified_io.modalities.action import ActionInput, ActionTarget
from unified_io.modalities.audio import AudioInput, AudioTarget
from unified_io.modalities.history import History
from unified_io.modalities.image import ImageInput, ImageTarget
from unified_io.modalities.text import TextInput, TextTarget
from unified_io.model import Network, UnifiedIOConfig, blank_batch
from unified_io.tokenizers.vit_vqgan import ViTVQGANConfig
from unified_io.tokenizers.vqgan import VQGANConfig

MEL = MelConfig(sample_rate=8000, n_fft=256, hop=128, mels=16, fmax=4000.0, frames=16)
VIT = VitConfig(width=16, num_heads=2, num_layers=2, mlp_dim=32, grid=(2, 2), second_feature=0)
AST = AstConfig(
    width=16, num_heads=2, num_layers=2, mlp_dim=32, grid=(2, 2), second_feature=0, num_positions=8
)
RESAMPLER = ResamplerConfig(width=16, num_heads=2, head_dim=8, num_layers=1, mlp_dim=16, num_latents=3)
VQGAN = VQGANConfig(
    channels=8,
    channel_multipliers=(1, 2),
    res_blocks=1,
    attention_resolutions=(4,),
    resolution=8,
    codebook_size=32,
    groups=4,
)
VIT_VQGAN = ViTVQGANConfig(
    width=16,
    num_heads=2,
    head_dim=8,
    num_layers=1,
    mlp_dim=16,
    codebook_size=32,
    code_dim=4,
    frames=16,
    mels=16,
)


def tiny_config(**backbone) -> UnifiedIOConfig:
    """Every modality there is; `backbone` overrides numbers of the backbone."""
    numbers = {
        "emb_dim": 16,
        "num_heads": 2,
        "head_dim": 8,
        "mlp_dim": 32,
        "num_encoder_layers": 2,
        "num_decoder_layers": 2,
    }
    image = ImageInput(resolution=16, patch=8, vit=VIT, frozen=False)
    audio = AudioInput(mel=MEL, patch=8, ast=AST, frozen=False)
    return UnifiedIOConfig(
        BackboneConfig(**{**numbers, "scan_layers": False, **backbone}),
        (
            TextInput(max_length=24),
            image,
            History(image, RESAMPLER),
            audio,
            History(audio, RESAMPLER),
            ActionInput(max_length=16),
        ),
        (
            TextTarget(max_length=12),
            ImageTarget(vocab_size=40, vqgan=VQGAN),
            AudioTarget(vocab_size=40, mel=MEL, vit_vqgan=VIT_VQGAN),
            ActionTarget(max_length=16),
        ),
    )


def tiny_examples(seed: int = 0) -> list[dict]:
    """Raw examples that between them use every input and every target."""
    rng = np.random.default_rng(seed)
    image = lambda side: rng.random((side, side, 3), np.float32)  # noqa: E731
    sound = lambda frames: rng.normal(-4, 2, (frames, 16)).astype(np.float32)  # noqa: E731
    points = np.array([[0.1, 0.2, 0], [0.5, 0.5, 1], [0.9, 0.3, 1]], np.float32)
    return [
        {
            "text_inputs": "[Text] [S] which digit is this?",
            "image_inputs": image(16),
            "text_targets": "seven",
        },
        {"text_inputs": "[Image] [S] draw seven", "image_targets": image(8)},
        {"text_inputs": "[Audio] [S] say it", "action_inputs": points, "audio_targets": sound(16)},
        {"text_inputs": "[Text] [S] write it", "audio_inputs": sound(10), "action_targets": points},
        {
            "text_inputs": "[Text] [S] what changed?",
            "image_inputs": image(16),
            "image_history_inputs": np.stack([image(16), image(16)]),
            "audio_history_inputs": sound(16)[None],
            "text_targets": ["a box", "nothing at all"],
        },
    ]


def featurize(config: UnifiedIOConfig, examples: list[dict]) -> list[dict]:
    """Runs every modality's `preprocess`."""
    return [
        {
            side: {m.name: m.preprocess(x, seed=0, training=False) for m in modalities}
            for side, modalities in (("inputs", config.inputs), ("targets", config.targets))
        }
        for x in examples
    ]


def tiny_batch(config: UnifiedIOConfig, features: list[dict], *, packed: bool = False, rows: int = 5) -> dict:
    """Lays features out packed into few rows, or one a row."""
    lengths = [measure(f, config.inputs, config.targets) for f in features]
    budgets = Budgets(
        rows,
        96 if packed else 48,
        64 if packed else 32,
        {m.name: 6 if m.slot_size > 1 else 96 for m in config.inputs},
        {m.name: 4 if m.slot_size > 1 else 64 for m in config.targets},
    )
    return assemble(
        features, (plan if packed else one_per_row)(lengths, budgets), config.inputs, config.targets
    )


def with_text_of(length: int, config: UnifiedIOConfig) -> UnifiedIOConfig:
    """The config with room for prompts and answers of so many tokens."""
    text, *inputs = config.inputs
    written, *targets = config.targets
    return dataclasses.replace(
        config,
        inputs=(dataclasses.replace(text, max_length=length), *inputs),
        targets=(dataclasses.replace(written, max_length=length), *targets),
    )


def tiny_model() -> api.UnifiedIO:
    """Reads and writes everything; random numbers, so what it answers means nothing."""
    config = with_text_of(80, tiny_config())
    params = jax.jit(Network(config).init)(jax.random.key(0), blank_batch(config))["params"]
    return api.UnifiedIO(config, nn.unbox(params))
