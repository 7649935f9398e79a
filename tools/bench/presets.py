"""Models to time one step of: text and pictures in and out, put together without gin."""

import dataclasses
from collections.abc import Mapping

from bench.model import Numbers
from unified_io.backbones.encoder_decoder import BackboneConfig
from unified_io.encoders.vit import VitConfig
from unified_io.modalities.image import ImageInput, ImageTarget
from unified_io.modalities.text import TextInput, TextTarget
from unified_io.model import UnifiedIOConfig
from unified_io.tokenizers.vqgan import VQGANConfig

TEXT_LENGTH, TEXT_IDS = 512, 33280
PARTS = ("encode", "forward", "gradients", "step")


@dataclasses.dataclass(frozen=True)
class Preset:
    """Sizes of a model, and what to time of it.

    Attributes:
      backbone: Sizes of the backbone.
      parts: Names of `parts.PARTS` that are timed.
      lengths: A name of `batches.LENGTHS`.
      rows: Rows of a batch.
      vit: The image encoder.
      vqgan: The image tokenizer.
    """

    backbone: Mapping[str, int]
    parts: tuple[str, ...] = PARTS
    lengths: str = "drawn"
    rows: int = 2
    vit: VitConfig = VitConfig()
    vqgan: VQGANConfig = VQGANConfig()

    def model(self, *, dtype: str, remat: str, attention: str) -> UnifiedIOConfig:
        """Text and pictures: 512 + 576 places of an example in, 512 + 1,024 out."""
        backbone = BackboneConfig(**self.backbone, dtype=dtype, remat=remat, attention_impl=attention)
        vocabulary = Numbers(None, 0, TEXT_IDS)
        return UnifiedIOConfig(
            backbone,
            (TextInput(vocabulary, TEXT_LENGTH), ImageInput(vit=self.vit, position_scale=4 / 3)),
            (TextTarget(vocabulary, TEXT_LENGTH), ImageTarget(vqgan=self.vqgan)),
        )


def sizes(width: int, heads: int, head_dim: int, mlp: int, layers: int) -> dict[str, int]:
    """Sizes of a backbone with as many layers on either side."""
    numbers = {"emb_dim": width, "num_heads": heads, "head_dim": head_dim, "mlp_dim": mlp}
    return {**numbers, "num_encoder_layers": layers, "num_decoder_layers": layers}


PRESETS = {
    "reduced": Preset(sizes(512, 8, 64, 2048, 6), lengths="full"),
    "large": Preset(sizes(1024, 16, 64, 2816, 24), parts=("step",), rows=16),
    "quick": Preset(
        sizes(64, 2, 32, 128, 2),
        parts=("forward", "step"),
        vit=VitConfig(width=64, num_heads=2, num_layers=2, mlp_dim=128),
        vqgan=VQGANConfig(
            channels=32, channel_multipliers=(1, 1, 1, 1), res_blocks=1, attention_resolutions=()
        ),
    ),
}


def deep(layers: int, *, dtype: str, remat: str, attention: str) -> UnifiedIOConfig:
    """A narrow model of text alone, in which nothing but the layers takes time to compile."""
    backbone = BackboneConfig(
        **sizes(64, 2, 32, 128, layers), dtype=dtype, remat=remat, attention_impl=attention
    )
    vocabulary = Numbers(None, 0, TEXT_IDS)
    return UnifiedIOConfig(
        backbone, (TextInput(vocabulary, TEXT_LENGTH),), (TextTarget(vocabulary, TEXT_LENGTH),)
    )
