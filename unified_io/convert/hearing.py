"""Encoders of sound and motion out of files.

CLAP and Whisper are read out of folders that `save_pretrained` wrote; BEATs, ImageBind and IMU2CLIP as they were
published, once their tensors are saved as safetensors.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from unified_io import pytree
from unified_io.convert import hearing_names, hearing_settings, hf
from unified_io.convert.rules import Table
from unified_io.convert.stores import open_store
from unified_io.encoders.beats import Beats, BeatsConfig
from unified_io.encoders.clap import Clap, ClapConfig
from unified_io.encoders.imagebind import (
    ImageBindAudio,
    ImageBindAudioConfig,
    ImageBindImu,
    ImageBindImuConfig,
    ImageBindVision,
    ImageBindVisionConfig,
)
from unified_io.encoders.imu2clip import Imu2Clip, Imu2ClipConfig
from unified_io.encoders.whisper import Whisper, WhisperConfig
from unified_io.errors import CheckpointError

ImageBindConfig = ImageBindVisionConfig | ImageBindAudioConfig | ImageBindImuConfig


def load_clap(folder: str | Path) -> tuple[ClapConfig, dict[str, Any]]:
    """Reads the audio side of CLAP: its config, and parameters for `Clap`.

    Raises:
      CheckpointError: The folder holds something else.
      ConfigError: As `hearing_settings.clap`.
    """
    config = hearing_settings.clap(hf.settings(folder))
    ignore = (r"num_batches_tracked$", r"relative_position_index$", r"^text_", r"^logit_scale_[at]$")
    inputs = (1, config.frames, config.mels)
    return config, _parameters(folder, hearing_names.clap_table(config), Clap(config), inputs, ignore=ignore)


def load_whisper(folder: str | Path) -> tuple[WhisperConfig, dict[str, Any]]:
    """Reads the encoder of WhisperModel or WhisperForConditionalGeneration: its config, and parameters for `Whisper`.

    Raises:
      CheckpointError: The folder holds something else.
      ConfigError: As `hearing_settings.whisper`.
    """
    config = hearing_settings.whisper(hf.settings(folder))
    whole = any(name.startswith("model.encoder.") for name in open_store(folder).shapes())
    inputs = (1, 2 * config.num_positions, config.mels)
    prefix = "model.encoder." if whole else "encoder."
    return config, _parameters(folder, hearing_names.WHISPER, Whisper(config), inputs, prefix=prefix)


def load_beats(path: str | Path, config: BeatsConfig = BeatsConfig(), *, prefix: str = "") -> dict[str, Any]:
    """Reads parameters for `Beats`; those of a classifier on top are left out.

    Args:
      path: The published tensors, saved as safetensors.
      config: `hearing_settings.beats` of the `cfg` beside them.
      prefix: What comes before their names.

    Raises:
      CheckpointError: The file holds something else.
    """
    ignore = (r"^predictor\.", r"^encoder\.layers\.[1-9]\d*\.self_attn\.relative_attention_bias\.weight$")
    return _parameters(
        path, hearing_names.BEATS, Beats(config), (1, config.patch, config.mels), prefix=prefix, ignore=ignore
    )


def load_imagebind(path: str | Path, trunk: str, config: ImageBindConfig | None = None) -> dict[str, Any]:
    """Reads the parameters of one of ImageBind's trunks.

    Args:
      path: The published tensors, saved as safetensors.
      trunk: "vision", "audio" or "imu".
      config: Of `ImageBindVision`, `ImageBindAudio` or `ImageBindImu`; None is that of Huge.

    Raises:
      CheckpointError: The file holds something else, or a vector of another length than the config's `scale`.
      ConfigError: There is no such trunk here.
    """
    table = hearing_names.imagebind_table(trunk)
    module, inputs = _encoder(trunk, config)
    ignore = (rf"^modality_\w+\.(?!{trunk}\.)", r"^modality_postprocessors\.")
    store = open_store(path)
    name = f"modality_postprocessors.{trunk}.1.log_logit_scale"
    scale = np.exp(store.read(name)).item() if name in store.shapes() else 1.0
    if not np.isclose(scale, module.config.scale, rtol=1e-4):
        raise CheckpointError(
            f"{path}: vectors of {trunk} are {scale:g} long but the config says {module.config.scale:g}; "
            "set its `scale`"
        )
    return _parameters(path, table, module, inputs, ignore=ignore)


def load_imu2clip(
    path: str | Path, config: Imu2ClipConfig = Imu2ClipConfig(), *, steps: int = 1000, prefix: str = ""
) -> dict[str, Any]:
    """Reads parameters for `Imu2Clip`.

    Args:
      path: The published tensors, saved as safetensors.
      steps: Length of the windows that the config reads.
      prefix: What comes before their names.

    Raises:
      CheckpointError: The file holds something else.
    """
    return _parameters(
        path, hearing_names.IMU2CLIP, Imu2Clip(config), (1, steps, config.channels), prefix=prefix
    )


def _parameters(
    path: str | Path,
    table: Table,
    module: nn.Module,
    inputs: tuple[int, ...],
    *,
    prefix: str = "",
    ignore: Sequence[str] = (),
) -> dict[str, Any]:
    """Reads the parameters of an encoder.

    Args:
      path: A folder with safetensors, or such a file.
      table: Their names beside ours.
      module: The encoder.
      inputs: A shape that it reads.
      prefix: As `hf.read`, and so is `ignore`.

    Raises:
      CheckpointError: The files hold something else than the encoder wants.
    """
    named = hf.read(path, table, prefix=prefix, ignore=ignore)
    shape = jax.ShapeDtypeStruct(inputs, jnp.float32)
    wanted = nn.meta.unbox(jax.eval_shape(module.init, jax.random.key(0), shape))["params"]
    hf.check(path, named, pytree.named_leaves(wanted))
    return pytree.nested(named)


def _encoder(trunk: str, config: Any) -> tuple[nn.Module, tuple[int, ...]]:
    """The encoder of a trunk, and a shape that it reads."""
    if trunk == "vision":
        config = config or ImageBindVisionConfig()
        return ImageBindVision(config), (1, config.side, config.side, 3)
    if trunk == "audio":
        config = config or ImageBindAudioConfig()
        return ImageBindAudio(config), (1, config.frames, config.mels)
    config = config or ImageBindImuConfig()
    return ImageBindImu(config), (1, config.steps, config.channels)
