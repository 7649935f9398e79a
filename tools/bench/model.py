"""The base model, as it is or with other widths, and parameters for it. Sequence lengths stay those of base."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from unified_io import pytree
from unified_io.model import UnifiedIOConfig, parameter_shapes
from unified_io.vocab import Vocabulary

_CPU = {"DTYPE": '"float32"', "REMAT": '"none"'}
# Every part costs about as large a share of a padded example as in the base model: MLPs are wide because narrow
# attention would cost too much beside narrow matrices.
NARROW: Mapping[str, Any] = _CPU | {
    "EMB_DIM": 128,
    "NUM_HEADS": 1,
    "MLP_DIM": 1536,
    "NUM_ENCODER_LAYERS": 2,
    "NUM_DECODER_LAYERS": 2,
    "VOCABULARY_PIECES": 1024,
    "TEXT_VOCAB_SIZE": 2688,
    "VIT_WIDTH": 160,
    "VIT_HEADS": 2,
    "VIT_LAYERS": 2,
    "VIT_MLP_DIM": 640,
    "AST_WIDTH": 160,
    "AST_HEADS": 2,
    "AST_LAYERS": 2,
    "AST_MLP_DIM": 640,
    "RESAMPLER_WIDTH": 128,
    "RESAMPLER_HEADS": 2,
    "RESAMPLER_LAYERS": 1,
    "RESAMPLER_MLP_DIM": 512,
    "VQGAN_CHANNELS": 16,
    "VQGAN_GROUPS": 8,
    "VQGAN_CODES": 1280,
    "IMAGE_VOCAB_SIZE": 1344,
    "AUDIO_VQ_WIDTH": 96,
    "AUDIO_VQ_HEADS": 2,
    "AUDIO_VQ_HEAD_DIM": 48,
    "AUDIO_VQ_LAYERS": 2,
    "AUDIO_VQ_MLP_DIM": 384,
    "AUDIO_VQ_CODES": 640,
    "AUDIO_VOCAB_SIZE": 672,
}
# Half as wide, and every stack as shallow as it can be: it compiles fast.
NARROWER: Mapping[str, Any] = NARROW | {
    "EMB_DIM": 64,
    "HEAD_DIM": 32,
    "NUM_ENCODER_LAYERS": 1,
    "NUM_DECODER_LAYERS": 1,
    "vit.VitConfig.second_feature": 0,
    "VIT_LAYERS": 1,
    "VIT_WIDTH": 96,
    "VIT_MLP_DIM": 384,
    "ast.AstConfig.second_feature": 0,
    "AST_LAYERS": 1,
    "AST_WIDTH": 96,
    "AST_MLP_DIM": 384,
    "RESAMPLER_WIDTH": 64,
    "RESAMPLER_HEADS": 1,
    "RESAMPLER_MLP_DIM": 256,
    "VQGAN_CHANNELS": 8,
    "VQGAN_RES_BLOCKS": 1,
    "VQGAN_ATTENTION": "()",
    "AUDIO_VQ_WIDTH": 64,
    "AUDIO_VQ_HEAD_DIM": 32,
    "AUDIO_VQ_LAYERS": 1,
    "AUDIO_VQ_MLP_DIM": 256,
}


class Numbers(Vocabulary):
    """Reads a text that says how many tokens it has, EOS included: "12" is eleven ids."""

    @property
    def used_size(self) -> int:
        """All of the table: there are no words in it."""
        return self.size

    def encode(self, text: str) -> list[int]:
        """Returns that many ids, less one for EOS."""
        return np.resize(np.arange(3, self.size), int(text) - 1).tolist()


def base(widths: Mapping[str, Any]) -> UnifiedIOConfig:
    """Builds gin_configs/model/base.gin with other numbers for some of its macros."""
    from unified_io.gin_edge import session  # where there is no gin, a model can be put together by hand

    bindings = [f"{name}={value}" for name, value in widths.items()]
    return session.build_macro(session.parse(["model/base.gin"], bindings), "MODEL")


def numbered(config: UnifiedIOConfig) -> UnifiedIOConfig:
    """Returns the model with `Numbers` for its vocabulary."""

    def read_numbers(modality: Any) -> Any:
        if not hasattr(modality, "vocabulary"):
            return modality
        return dataclasses.replace(modality, vocabulary=Numbers(None, 0, modality.vocabulary.size))

    inputs, targets = (tuple(map(read_numbers, side)) for side in (config.inputs, config.targets))
    return dataclasses.replace(config, inputs=inputs, targets=targets)


def shapes(config: UnifiedIOConfig) -> Any:
    """Shapes of the parameters."""
    return nn.unbox(parameter_shapes(config))


def random_params(shapes: Any, seed: int) -> Any:
    """Draws parameters fast: norm scales 1, everything else normal with deviation 0.02. For speed only."""
    rng = np.random.default_rng(seed)

    def draw(name: str, leaf: Any) -> jax.Array:
        if name.endswith("scale"):
            return jnp.ones(leaf.shape, leaf.dtype)
        return jnp.asarray(rng.standard_normal(leaf.shape, np.float32) * np.float32(0.02))

    return pytree.map_named(draw, shapes)
