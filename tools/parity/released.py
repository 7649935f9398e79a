"""The tiny model of the official JAX code: its sizes as a config of ours, its checkpoint, its batch."""

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from parity.batches import Rows, chosen, lay_out
from parity.fixture import Compared, Fixture
from unified_io.convert import stores, stream, uio2
from unified_io.convert.port import config as port_config
from unified_io.model import UnifiedIOConfig


def model_config(sizes: Mapping[str, Any]) -> UnifiedIOConfig:
    """Returns the model of a JAX fixture: its sizes, and what all released models share."""
    encoder = {
        key: sizes["vit"][key] for key in ("emb_dim", "num_heads", "head_dim", "num_layers", "mlp_dim")
    }
    image, history, audio = sizes["image_input_size"], sizes["image_history_size"], sizes["audio_size"]
    patch = 16
    places = {"image": int(np.prod(image)) // patch**2, "audio": int(np.prod(audio)) // patch**2}
    codes = (sizes["image_target_size"][0] // 2 ** (len(sizes["image_vqgan"]["ch_mult"]) - 1)) ** 2
    resampler = {key: sizes["resampler"][key] for key in encoder} | {
        "xattention_index": sizes["resampler"]["cross_attention_layers"],
        "xattn_qk_norm": True,
        "xattn_scaled_cosine": False,
    }
    sound = sizes["audio_vqgan"]
    t5 = (
        "emb_dim",
        "num_heads",
        "head_dim",
        "mlp_dim",
        "num_encoder_layers",
        "num_decoder_layers",
        "qk_norm",
    )
    port = {
        "t5_config": {
            **{key: sizes[key] for key in (*t5, "vocab_size", "image_vocab_size", "audio_vocab_size")},
            **{
                key: sizes[key]
                for key in ("mlp_activations", "logits_via_embedding", "float32_attention_logits")
            },
            "dropout_rate": 0.0,
            "encoder_max_text_length": 512,
            "decoder_max_text_length": 512,
            "encoder_max_image_length": places["image"],
            "decoder_max_image_length": codes,
            "default_image_vit_size": image,
            "default_image_history_vit_size": history,
            "default_audio_vit_size": audio,
            "default_audio_history_vit_size": audio,
            "image_vit_patch_size": patch,
            "audio_vit_patch_size": patch,
        },
        "image_history_cfg": {**resampler, "latents_size": sizes["resampler"]["image_latents"]},
        "audio_history_cfg": {**resampler, "latents_size": sizes["resampler"]["audio_latents"]},
        "image_vit_cfg": {**encoder, "num_pos": 197},
        "audio_vit_cfg": {**encoder, "default_input_size": audio, "patch_size": patch},
        # the JAX code does not read embed_dim: a code has as many numbers as z_channels
        "image_vqgan": {**sizes["image_vqgan"], "embed_dim": sizes["image_vqgan"]["z_channels"]},
        "audio_vqgan": {
            **{key: value for key, value in sound.items() if key.startswith("encoder_")},
            **{
                key.replace("encoder_", "decoder_"): value
                for key, value in sound.items()
                if key.startswith("encoder_")
            },
            "proj_dim": sound["proj_dim"],
            "vocab_size": sound["codebook"],
            "patch_size": sound["patch"],
            "default_input_size": sound["input"],
        },
        "input_modalities": port_config.INPUTS,
        "target_modalities": port_config.TARGETS,
        "sequence_length": {"num_frames": 4},
    }
    return port_config.from_port(port)


def checkpoint_of(fixture: Fixture) -> Path:
    """Returns the folder of the checkpoint fixture: this one, or the one beside it."""
    for folder in (fixture.folder, *sorted(fixture.folder.parent.iterdir())):
        if (folder / "parameters.json").is_file():
            return folder
    raise FileNotFoundError(f"no t5x_checkpoint fixture beside {fixture.folder}; its weights are needed")


def batch_of(fixture: Fixture) -> dict[str, np.ndarray]:
    """Returns the batch of a fixture, or that of the train_loss fixture beside it; bytes become numbers in [-1, 1]."""
    for folder in (fixture.folder, *sorted(fixture.folder.parent.iterdir())):
        if (folder / "batch.npz").is_file() and "inputs/image/input" in (
            arrays := np.load(folder / "batch.npz")
        ):
            break
    else:
        raise FileNotFoundError(f"no batch.npz beside {fixture.folder}; put the train_loss fixture there")
    own = fixture.folder / "batch.npz"
    found = {key: _pixels(value) for key, value in arrays.items()}
    if folder == fixture.folder or not own.is_file():
        return found
    mine = dict(np.load(own))
    rows = mine.pop("note_rows_of_train_loss_batch")
    return {key: mine[key] if key in mine else value[rows] for key, value in found.items()}


def _pixels(value: np.ndarray) -> np.ndarray:
    return value.astype(np.float32) / np.float32(127.5) - np.float32(1) if value.dtype == np.uint8 else value


@functools.lru_cache(maxsize=2)
def _load(folder: Path) -> tuple[UnifiedIOConfig, Any]:
    config = model_config(Fixture.open(folder).config)
    store = stores.open_store(next(path for path in sorted(folder.iterdir()) if stores.is_t5x(path)))
    return config, stream.load(store, uio2.T5X, config, quiet=True)[0]


def load(fixture: Fixture) -> tuple[UnifiedIOConfig, Any]:
    """Returns the model of the checkpoint fixture and its parameters."""
    return _load(checkpoint_of(fixture))


def laid_out(config: UnifiedIOConfig, batch: Mapping[str, np.ndarray]) -> Rows:
    """Lays out a whole batch, one example a row."""
    return lay_out(config, chosen(batch, "inputs/"), chosen(batch, "targets/"))


def every(expected: Mapping[str, np.ndarray], items: Iterator[Compared]) -> Iterator[Compared]:
    """Compares with arrays of another file: those it holds, and every one of them."""
    left = dict(expected)
    for item in items:
        if item.expected is not None:
            yield item
        elif item.name in left:
            yield dataclasses.replace(item, expected=left.pop(item.name))
    for name, value in left.items():
        yield Compared(name, None, expected=value)
