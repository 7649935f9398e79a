"""The one small model and job of the drills: text, pictures and sound in, text and pictures out, in seconds."""

import dataclasses
from pathlib import Path
from typing import Any

from unified_io.backbones.encoder_decoder import BackboneConfig
from unified_io.data.budgets import Budgets
from unified_io.encoders.ast import AstConfig
from unified_io.encoders.vit import VitConfig
from unified_io.modalities.audio import AudioInput
from unified_io.modalities.image import ImageInput, ImageTarget
from unified_io.modalities.text import TextInput, TextTarget
from unified_io.model import UnifiedIOConfig
from unified_io.reliability.drills.world import CAPTIONS, MEL, MIXTURE, World
from unified_io.tokenizers.vqgan import VQGANConfig
from unified_io.train.job import TrainJob
from unified_io.train.optimizer import OptimizerConfig, ScheduleConfig

STEPS, SAVED, REPORTED, EVALUATED = 12, 4, 2, 6
"""Steps of the job, and after how many it saves, reports and evaluates."""

BUDGETS = Budgets(2, 40, 28, {"text": 64, "image": 4, "audio": 4}, {"text": 48, "image": 3})
_SIDE, _PATCH = 16, 8
_GRID = (_SIDE // _PATCH, _SIDE // _PATCH)


def model(**backbone: Any) -> UnifiedIOConfig:
    """Returns the model; `backbone` overrides numbers of the backbone."""
    numbers = {
        "emb_dim": 16,
        "num_heads": 2,
        "head_dim": 8,
        "mlp_dim": 32,
        "num_encoder_layers": 1,
        "num_decoder_layers": 1,
        "scan_layers": False,
    }
    small = {"width": 16, "num_heads": 2, "num_layers": 2, "mlp_dim": 32, "grid": _GRID, "second_feature": 0}
    vqgan = VQGANConfig(
        channels=8,
        channel_multipliers=(1, 2),
        res_blocks=1,
        attention_resolutions=(),
        resolution=8,
        codebook_size=32,
        groups=4,
    )
    return UnifiedIOConfig(
        BackboneConfig(**{**numbers, **backbone}),
        (
            TextInput(max_length=24),
            ImageInput(resolution=_SIDE, patch=_PATCH, vit=VitConfig(**small), frozen=False),
            AudioInput(mel=MEL, patch=_PATCH, ast=AstConfig(**small, num_positions=8), frozen=False),
        ),
        (TextTarget(max_length=16), ImageTarget(vocab_size=40, vqgan=vqgan, input_resolution=_SIDE)),
    )


def job(model_dir: Path, world: World, quick: bool = False, **changes: Any) -> TrainJob:
    """Returns the job: it reports, saves and evaluates more than once.

    Args:
      model_dir: Where it lives.
      world: What it reads.
      quick: Learn captions of pictures alone, which compiles in half the time.
      changes: Override its fields.
    """
    frozen = () if quick else ("/tokenizer/",)
    numbers = {
        **(_captions() if quick else {"model": model(), "mixture": MIXTURE, "budgets": BUDGETS}),
        "optimizer": OptimizerConfig("adamw", ScheduleConfig("constant", base=0.003), frozen=frozen),
        "total_steps": STEPS,
        "checkpoint_period": SAVED,
        "report_period": REPORTED,
        "eval_period": EVALUATED,
        "eval_examples": 6,
        "source": world,
    }
    return TrainJob(str(model_dir), **{**numbers, **changes})


def _captions() -> dict[str, Any]:
    whole = model()
    return {
        "model": dataclasses.replace(whole, inputs=whole.inputs[:2], targets=whole.targets[:1]),
        "mixture": CAPTIONS,
        "budgets": Budgets(2, 40, 28, {"text": 64, "image": 4}, {"text": 48}),
    }
