"""What the decoder is to write: tokens, what it reads meanwhile, and who may look at whom."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from reference import audio_codec, image_codec
from reference.inputs import Tokens
from reference.rotary import angles_1d, grid_angles
from reference.weights import Trace, Weights

ORDER = ("text", "image", "audio")
# Ids of image and audio below this are no codes: where a sequence begins, and one that is never used.
FIRST_CODE = 2


def codes_to_targets(codes: np.ndarray) -> np.ndarray:
    """Codes as ids."""
    return codes + FIRST_CODE


def targets_to_codes(ids: np.ndarray, codebook: int) -> np.ndarray:
    """Ids as codes; ids that are none become the nearest code."""
    return np.clip(ids - FIRST_CODE, 0, codebook - 1)


def shifted(targets: np.ndarray, segments: np.ndarray | None = None) -> np.ndarray:
    """What the decoder reads: the target before, 0 where a sequence, or one of several segments, begins."""
    inputs = np.pad(targets, ((0, 0), (1, 0)))[:, :-1]
    if segments is None:
        return inputs
    begins = np.diff(segments, axis=1, prepend=0) != 0
    return np.where(begins | (segments == 0), 0, inputs)


def image_targets(
    w: Weights, config: Mapping[str, Any], of: Mapping[str, np.ndarray], seen: Trace
) -> np.ndarray:
    """Ids of images [B, h, w, 3], row by row."""
    at = Trace()
    codes = image_codec.encode(
        w.under("target_embedders.image.vqgan"), config["image_vqgan"], of["image"], at
    )
    seen["code_margin"] = at["margin"]
    return codes_to_targets(codes)


def audio_targets(
    w: Weights, config: Mapping[str, Any], of: Mapping[str, np.ndarray], seen: Trace
) -> np.ndarray:
    """Ids of spectrograms [B, time, mel, 1], time by time although the codec goes mel band by mel band."""
    at = Trace()
    module = w.under("target_embedders.audio.vqgan")
    codes = audio_codec.encode(module, config["audio_vqgan"], of["audio"].swapaxes(1, 2), at)
    seen["code_margin"] = at["margin"]
    return codes_to_targets(time_major(codes, config))


def time_major(codes: np.ndarray, config: Mapping[str, Any]) -> np.ndarray:
    """Codes that run mel band by mel band as they run time by time."""
    mel, time = audio_codec.grid(config["audio_vqgan"])
    return codes.reshape(-1, mel, time).swapaxes(1, 2).reshape(codes.shape)


def mel_major(codes: np.ndarray, config: Mapping[str, Any]) -> np.ndarray:
    """The inverse of `time_major`."""
    mel, time = audio_codec.grid(config["audio_vqgan"])
    return codes.reshape(-1, time, mel).swapaxes(1, 2).reshape(codes.shape)


TOKENIZERS: Mapping[str, Callable[..., np.ndarray]] = {"image": image_targets, "audio": audio_targets}


def columns(config: Mapping[str, Any], name: str) -> int:
    """Columns of the grid that rotary positions of an image or a sound are taken from.

    Those of sound are taken from the grid of the codec, (mel, time), although tokens run time by time.
    """
    size, patch = config[f"{name}_vqgan"]["default_input_size"], config[f"{name}_vqgan"]["patch_size"]
    return size[1] // patch[1]


def embed(
    w: Weights,
    config: Mapping[str, Any],
    name: str,
    inputs: np.ndarray,
    positions: np.ndarray,
    mask: np.ndarray,
) -> Tokens:
    """Tokens that the decoder reads, at their places in the sequence."""
    head_dim = config["t5_config"]["head_dim"]
    places = positions.astype(w.dtype)
    if name == "text":
        angles = angles_1d(places, head_dim)
    else:
        angles = grid_angles(places, columns(config, name), head_dim)
    table = w[f"{name}_token_embedder.weight"]
    return Tokens(table[inputs] + w[f"target_embedders.{name}.modality_embedding"], mask, angles)


def patterns(
    config: Mapping[str, Any], name: str, hidden: np.ndarray | None, length: int, batch: int
) -> np.ndarray:
    """Planes [B, 4, length, length] that the released code draws and never uses: row, column, convolution, all.

    Hidden places (True in `hidden`, [B, length]) are seen by nobody but themselves. Text has nothing to hide.
    """
    if name == "text":
        return np.ones((batch, 4, length, length), bool)
    # Here the tokens' own order counts: sound runs (time, mel).
    width = columns(config, name) if name == "image" else audio_codec.grid(config["audio_vqgan"])[0]
    query, key = np.arange(length)[:, None], np.arange(length)[None]
    behind = query - key
    near = (abs(query // width - key // width) <= 5) & (abs(query % width - key % width) <= 5)
    planes = np.stack([behind <= width, behind % width == 0, near, behind >= 0]) & (behind >= 0)
    shown = np.pad(~hidden, ((0, 0), (1, 0)), constant_values=True)[:, :-1]
    seen = (shown[:, :, None] & shown[:, None, :]) | np.eye(length, dtype=bool)
    return planes[None] & seen[:, None]


def block_diagonal(blocks: Sequence[np.ndarray]) -> np.ndarray:
    """Squares [..., n, n] along the diagonal of a larger one, False elsewhere."""
    length = sum(block.shape[-1] for block in blocks)
    whole = np.zeros((*blocks[0].shape[:-2], length, length), bool)
    start = 0
    for block in blocks:
        end = start + block.shape[-1]
        whole[..., start:end, start:end] = block
        start = end
    return whole
