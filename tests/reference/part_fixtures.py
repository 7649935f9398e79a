"""Everything a fixture of one part holds: the media encoders, the resamplers, the codecs, the vocoder."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from reference import audio_codec, image_codec, vocoder
from reference.inputs import frame_tokens, lay_out_frames, record
from reference.layers import gelu, gelu_tanh
from reference.resampler import resampler
from reference.vit import audio_vit, image_vit
from reference.weights import Trace, Weights

Arrays = Mapping[str, np.ndarray]
Config = Mapping[str, Any]


class Output(NamedTuple):
    """An array, and which of its leading places mean something (None: all)."""

    value: np.ndarray
    real: np.ndarray | None = None


Outputs = dict[str, Output]

VARIANT, PERCEIVER = "self_attention_variant.", "resampler.perceiver."


def image_encoder(config: Config, w: Weights, inputs: Arrays) -> Outputs:
    """The ViT, case by case: another grid, another choice of patches."""
    found = {}
    for case, settings in config["cases"].items():
        mask = inputs[f"{case}/mask"] > 0
        seen = Trace()
        features = image_vit(
            w,
            config["config"]["image_vit_cfg"],
            inputs[f"{case}/input"],
            mask,
            inputs[f"{case}/pos_ids"],
            tuple(settings["patch_num"]),
            seen,
        )
        found |= _encoder_case(case, features, seen, mask)
    return found


def audio_encoder(config: Config, w: Weights, inputs: Arrays) -> Outputs:
    """The AST, case by case, with and without the renumbering of its places."""
    found = {}
    for case, settings in config["cases"].items():
        mask = inputs[f"{case}/mask"] > 0
        seen = Trace()
        features = audio_vit(
            w,
            config["config"]["audio_vit_cfg"],
            inputs[f"{case}/input"],
            mask,
            inputs[f"{case}/pos_ids"],
            seen,
            settings["transpose_input"],
        )
        found |= _encoder_case(case, features, seen, mask)
    return found


def _encoder_case(
    case: str, features: tuple[np.ndarray, np.ndarray], seen: Trace, mask: np.ndarray
) -> Outputs:
    found = {f"{case}/x": Output(features[0], mask), f"{case}/x1": Output(features[1], mask)}
    for name, value in seen.values.items():
        if name.startswith("block") or name == "pre_ln":
            extra = value.shape[1] - mask.shape[1]
            real = np.pad(mask, ((0, 0), (extra, 0)), constant_values=True)
            found[f"{case}/{name}"] = Output(value, real)
        else:
            found[f"{case}/{name}"] = Output(value)
    return found


def history_resampler(config: Config, w: Weights, inputs: Arrays) -> Outputs:
    """The resampler alone, and a history's embedder with nothing in front of it."""
    found = {}
    for case, changes in config["cases"].items():
        settings = {**config["config"]["resampler_cfg"], **changes}
        activation = gelu_tanh if "tanh" in case + changes.get("note", "") else gelu
        weights = _of_variant(w, settings)
        alone = Trace()
        mask = inputs["features_mask"] > 0
        features = inputs["features"].astype(w.dtype)
        resampler(weights.under("resampler"), settings, features, mask, activation, alone)
        found |= {f"{case}/resampler/{name}": Output(value) for name, value in alone.values.items()}

        mask = inputs["mask"] > 0
        per_example = changes.get("max_images_per_example")
        chosen = _chosen(mask, per_example)
        frames, of_frames = (x.reshape(-1, *x.shape[2:])[chosen] for x in (inputs["input"], mask))
        seen = Trace()
        tokens = frame_tokens(weights, settings, frames, of_frames, activation, seen)
        spread = np.zeros((mask.shape[0] * mask.shape[1], *tokens.shape[1:]), tokens.dtype)
        spread[chosen] = tokens
        laid_out = lay_out_frames(weights, config["config"]["t5_config"]["head_dim"], spread, mask)
        record(seen, laid_out)
        real = {
            "resampler_out": of_frames.any(axis=1),
            "post_projection": of_frames.any(axis=1),
            "embed": laid_out.mask,
        }
        if per_example is not None:  # frames that were left out have no place in the grid
            kept = np.isin(np.arange(len(spread)), chosen)
            real["position_embed"] = np.repeat(kept, settings["latents_size"]).reshape(laid_out.mask.shape)
        for name, value in seen.values.items():
            found[f"{case}/embedder/{name}"] = Output(value, real.get(name))
    return found


def _of_variant(w: Weights, settings: Config) -> Weights:
    """Layers of self-attention have weights apart from those of the layers they stand for."""
    tensors = dict(w.tensors)
    for i in set(range(settings["num_layers"])) - set(settings["xattention_index"]):
        prefix = f"{VARIANT}layers_{i}."
        tensors |= {
            PERCEIVER + n.removeprefix(VARIANT): v for n, v in w.tensors.items() if n.startswith(prefix)
        }
    return Weights(tensors, w.dtype)


def _chosen(mask: np.ndarray, per_example: float | None) -> np.ndarray:
    """Indices of the frames of a batch that are run: all, or the first so many that have something to show."""
    real = mask.any(axis=2).reshape(-1)
    if per_example is None:
        return np.arange(len(real))
    return np.flatnonzero(real)[: round(per_example * len(mask))]


def image_vqgan(config: Config, w: Weights, inputs: Arrays) -> Outputs:
    """Images to codes; other codes to images; the images' own codes to images."""
    encoding, decoding = Trace(), Trace()
    codes = image_codec.encode(w, config["config"], inputs["image"], encoding)
    image_codec.decode(w, config["config"], inputs["codes"], decoding.under("decode"))
    roundtrip = image_codec.decode(w, config["config"], codes, Trace())
    arrays = encoding.values | decoding.values | {"roundtrip_image": roundtrip}
    return {name: Output(value) for name, value in arrays.items()}


def audio_vqgan(config: Config, w: Weights, inputs: Arrays) -> Outputs:
    """Spectrograms to codes; other codes to spectrograms; the spectrograms' own codes to spectrograms."""
    encoding, decoding = Trace(), Trace()
    codes = audio_codec.encode(w, config["config"], inputs["spectrogram"], encoding)
    at = decoding.under("decode")
    at["spectrogram"] = audio_codec.decode(w, config["config"], inputs["codes"], at)[:, None]
    roundtrip = audio_codec.decode(w, config["config"], codes, Trace())[:, None]
    arrays = encoding.values | decoding.values | {"roundtrip": roundtrip}
    return {name: Output(value) for name, value in arrays.items()}


def hifigan(config: Config, w: Weights, inputs: Arrays) -> Outputs:
    """A spectrogram to sound."""
    seen = Trace()
    vocoder.waveform(w, config["config"], inputs["spectrogram"][..., 0], seen)
    for name in ("ups.0", "conv_post"):
        seen[f"folded_{name.replace('.', '_')}_weight"] = vocoder.folded(w.under(name))
    return {name: Output(value) for name, value in seen.values.items()}
