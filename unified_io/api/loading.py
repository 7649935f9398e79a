"""Models from folders into the hands of a user: where the folder is, and what makes its sound."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from unified_io.api.model import UnifiedIO
from unified_io.backbones.frozen import held
from unified_io.connected_lm import ConnectedLMConfig
from unified_io.convert import families, folders, growth, stream, systems
from unified_io.convert import vocoder as vocoders
from unified_io.errors import CheckpointError, ConfigError
from unified_io.model import UnifiedIOConfig
from unified_io.tokenizers.hifigan import HiFiGAN

INT8, BACKBONE = "int8", r"^(encoder|decoder|language_model)/"


def from_pretrained(
    path: str | Path,
    *,
    dtype: str | None = "float32",
    vocoder: str | Path | None = None,
    allow_random: bool = False,
    allow_pickle: bool = False,
    hub: bool = False,
    new_tokens: Sequence[str] = (),
    **options: Any,
) -> UnifiedIO:
    """Loads a model that `save_pretrained` or a training job wrote, or a released one; also LLaVA and InstructBLIP.

        model = UnifiedIO.from_pretrained("uio2-large", tokenizer="llama/tokenizer.model", targets=["text"])

    Args:
      path: A folder of ours or of the PyTorch port (`config.json` and safetensors, sharded or not; a job's folder has
        it under `model/`), or a T5X checkpoint (then give `config`).
      dtype: "float32"; "bfloat16" keeps and computes the main model in it (feature encoders and tokenizers stay
        float32); "mixed" keeps float32 and computes in bfloat16, as the released models were trained; "int8" holds the
        matrices of the encoder and decoder in eight bits, a quarter of the memory, and computes in float32.
      vocoder: HiFi-GAN weights, or the folder of a vocoder that was trained; without, sound is made by Griffin-Lim.
      allow_random: Let a model with parameters that no file gave generate all the same.
      allow_pickle: Also read PyTorch's pickles; nothing in them is run.
      hub: Where there is no such folder, download it from the Hugging Face hub (needs `unified-io[hub]`).
      new_tokens: Tokens to add to the vocabulary of a connected model, see `convert.growth`; for training.
      options: `inputs` and `targets` (modalities to keep), `config`, `tokenizer`, `expect_missing`: see
        `convert.folders.load`.

    Raises:
      CheckpointError: There is no model, a file is damaged, or its parameters are not those of its config.
      ConfigError: An unknown modality or dtype.
    """
    kept = "float32" if dtype == INT8 else dtype
    folder = _folder(path, hub)
    if (system := systems.load(folder)) is not None:
        return _system(*system, dtype, new_tokens)
    loaded = folders.load(folder, dtype=kept, allow_pickle=allow_pickle, **options)
    if any(getattr(getattr(m, "vocabulary", None), "path", None) == "" for m in loaded.config.targets):
        print(
            f"no {families.TOKENIZER_FILE} beside the model: it can not read or write words until one is given"
        )
    speak = _vocoder(vocoder, loaded.config, allow_pickle) if vocoder else None
    config, params = _grown(loaded.config, loaded.params, new_tokens)
    params = held(params, BACKBONE, INT8) if dtype == INT8 else params
    return UnifiedIO(config, params, speak, loaded.uninitialised, allow_random)


def _system(
    config: ConnectedLMConfig, params: Any, dtype: str | None, new_tokens: Sequence[str]
) -> UnifiedIO:
    """A connected system; in int8 the matrices of its language model are."""
    if dtype not in (None, "float32", INT8):
        raise ConfigError(f"dtype {dtype!r} of a connected system; give 'float32' or {INT8!r}")
    config, params = _grown(config, params, new_tokens)
    return UnifiedIO(config, held(params, BACKBONE, INT8) if dtype == INT8 else params)


def _grown(config: Any, params: Any, new_tokens: Sequence[str]) -> tuple[Any, Any]:
    config.check()
    return growth.with_tokens(config, params, new_tokens) if new_tokens else (config, params)


def from_config(config: UnifiedIOConfig, *, seed: int = 0, allow_random: bool = False) -> UnifiedIO:
    """Makes a model with random parameters; it does not generate unless told `allow_random=True`."""
    params = folders.random_params(config, seed=seed)
    return UnifiedIO(config, params, None, tuple(stream.shapes_of(config)), allow_random)


def _folder(path: str | Path, hub: bool) -> Path:
    folder = Path(path)
    if not folder.exists() and hub:
        try:
            from huggingface_hub import snapshot_download
        except ImportError as error:
            raise ConfigError('hub=True needs the hub client: pip install "unified-io[hub]"') from error
        return Path(snapshot_download(str(path)))
    if not folder.is_dir():
        raise CheckpointError(
            f"no folder {str(path)!r}; train a model first (unified-io train --gin_file=gin_configs/run/digits.gin "
            f"--model_dir={path}), or download one: from_pretrained({str(path)!r}, hub=True)"
        )
    return folder


def _vocoder(
    path: str | Path, model: UnifiedIOConfig, allow_pickle: bool
) -> Callable[[np.ndarray], np.ndarray]:
    """Returns a vocoder as a function: natural-log mel [frames, mels] -> waveform."""
    config, params = vocoders.load(path, allow_pickle=allow_pickle)
    for mel in (m.mel for m in model.targets if hasattr(m, "mel")):
        if (mel.mels, mel.hop) != (config.mels, config.total_stride):
            raise ConfigError(
                f"the vocoder speaks {config.mels} mel bands, {config.total_stride} samples a frame; the model writes "
                f"{mel.mels} bands, {mel.hop} samples a frame; leave it out (Griffin-Lim speaks anything)"
            )
    run = jax.jit(lambda log_mel: HiFiGAN(config).apply({"params": params}, log_mel[None])[0])
    return lambda log_mel: np.asarray(run(np.asarray(log_mel, np.float32)))
