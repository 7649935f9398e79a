"""The image tokenizer, the audio tokenizer and the vocoder beside the port's.

The port's arrays are [B, C, h, w] and its spectrograms [B, mel, time]; its audio codes run mel band by mel band.
"""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from safetensors.numpy import load_file

from parity.fixture import Compared, Fixture
from parity.run import traced
from unified_io.convert import uio2, vocoder
from unified_io.convert.port import tokenizers
from unified_io.modalities.audio import AudioTarget
from unified_io.tokenizers.hifigan import HiFiGAN, HiFiGANConfig
from unified_io.tokenizers.objectives import TokenizerObjective
from unified_io.tokenizers.quantizer import squared_distances, unit
from unified_io.tokenizers.vit_vqgan import ViTVQGAN, sincos_table
from unified_io.tokenizers.vqgan import VQGAN


def _channels_first(x: np.ndarray) -> np.ndarray:
    """[B, h, w, C] or [B, n, C] with the channels on the second axis."""
    return np.moveaxis(np.asarray(x), -1, 1)


def _nearest(z: np.ndarray, codebook: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances of all vectors to all entries, and by how much the nearest is nearer than the second."""
    distances = np.asarray(squared_distances(jnp.asarray(z.reshape(-1, z.shape[-1])), jnp.asarray(codebook)))
    best = np.sort(distances, axis=1)
    return distances, best[:, 1] - best[:, 0]


def image_vqgan(fixture: Fixture) -> Iterator[Compared]:
    """Encodes images part by part, decodes codes, and goes there and back."""
    model = VQGAN(tokenizers.vqgan(fixture.config["config"]))
    params = uio2.part(load_file(fixture.folder / "weights.safetensors"), "target_embedders.image.vqgan")
    out, parts = traced(model, params, fixture.inputs["image"])
    for name in fixture.outputs:
        stem = name.removesuffix("_out")
        part = next((path for path in (f"encoder/{stem}", stem) if path in parts), None)
        if name.endswith("_out") and part is not None:
            yield Compared(name, _channels_first(parts[part]))
    z = np.asarray(parts["quant_conv"])
    distances, margin = _nearest(z, params["quantize"]["embedding"])
    yield Compared("distances", distances)
    yield Compared("indices", out.codes)
    yield Compared("margin", margin)
    yield Compared("quantized", _channels_first(np.asarray(parts["quantize"][0]).reshape(z.shape)))
    weights = TokenizerObjective()
    loss = weights.codebook_weight * out.codebook_loss + weights.commitment_weight * out.commitment_loss
    yield Compared("emb_loss", loss)

    images, parts = traced(model, params, fixture.inputs["codes"], method="decode")
    yield Compared("decode/post_quant_conv_out", _channels_first(parts["post_quant_conv"]))
    yield Compared("decode/mid_out", _channels_first(parts["decoder/mid_block_2"]))
    kind = "attn" if model.config.attends(len(model.config.widths) - 1) else "block"
    yield Compared(
        "decode/up_0_out", _channels_first(parts[f"decoder/up_0_{kind}_{model.config.res_blocks}"])
    )
    yield Compared("decode/image", images)
    images, _ = traced(model, params, out.codes, method="decode")
    yield Compared("roundtrip_image", images)


def audio_vqgan(fixture: Fixture) -> Iterator[Compared]:
    """Encodes spectrograms part by part, decodes codes, and goes there and back."""
    config = tokenizers.vit_vqgan(fixture.config["config"])
    model = ViTVQGAN(config)
    params = uio2.part(load_file(fixture.folder / "weights.safetensors"), "target_embedders.audio.vqgan")
    time, mel = config.grid

    def time_major(codes: np.ndarray) -> np.ndarray:
        return codes.reshape(-1, mel, time).swapaxes(1, 2).reshape(codes.shape)

    def mel_major(codes: np.ndarray) -> np.ndarray:
        return codes.reshape(-1, time, mel).swapaxes(1, 2).reshape(codes.shape)

    def theirs(spectrograms: jax.Array) -> np.ndarray:
        return np.asarray(spectrograms).transpose(0, 3, 2, 1)

    yield Compared("position_embedding", sincos_table(mel, time, config.width))
    codes, parts = traced(model, params, fixture.inputs["spectrogram"].swapaxes(1, 2), method="encode")
    block = "encoder/Transformer_0/encoderblock_0"
    for name, path in {
        "patch_embedding": "encoder/embedding",
        "block0_attn_out": f"{block}/MultiHeadDotProductAttention_0",
        "block0_out": block,
        "transformer_out": "encoder/Transformer_0",
        "proj_out": "encoder/encoder_proj",
        "encoder_out": "encoder",
    }.items():
        yield Compared(name, parts[path])
    distances, margin = _nearest(
        np.asarray(unit(parts["encoder"])), np.asarray(unit(params["quantize"]["embedding"]))
    )
    yield Compared("distances", distances)
    yield Compared("indices", mel_major(np.asarray(codes)))
    yield Compared("margin", margin)

    spectrograms, parts = traced(model, params, time_major(fixture.inputs["codes"]), method="decode")
    yield Compared("decode/codebook_rows", parts["quantize.decode"])
    yield Compared("decode/proj_out", parts["decoder/decoder_proj"])
    yield Compared("decode/transformer_out", parts["decoder/Transformer_0"])
    yield Compared("decode/spectrogram", theirs(spectrograms))
    spectrograms, _ = traced(model, params, codes, method="decode")
    yield Compared("roundtrip", theirs(spectrograms))


def hifigan(fixture: Fixture) -> Iterator[Compared]:
    """Folds the weight norm, undoes the normalisation of the spectrogram and makes it sound."""
    port = fixture.config["config"]
    config = HiFiGANConfig(
        upsample_rates=port["upsample_rates"],
        upsample_kernels=port["upsample_kernel_sizes"],
        channels=port["upsample_initial_channel"],
        resblock_kernels=port["resblock_kernel_sizes"],
        resblock_dilations=port["resblock_dilation_sizes"],
        mels=len(fixture.inputs["spectrogram"]),
    )
    params = vocoder.fold(load_file(fixture.folder / "weights.safetensors"))
    yield Compared("folded_ups_0_weight", params["ups_0"]["kernel"][::-1].transpose(1, 2, 0))
    yield Compared("folded_conv_post_weight", params["conv_post"]["kernel"].transpose(2, 1, 0))

    log_mel = AudioTarget().detokenize(fixture.inputs["spectrogram"].swapaxes(0, 1))
    yield Compared("mel", log_mel.T)
    waveform, parts = traced(HiFiGAN(config), params, log_mel[None])
    blocks = len(config.resblock_kernels)
    for name in fixture.outputs:
        stem = name.removesuffix("_out")
        if stem.startswith("stage"):
            stage, branch = map(int, stem.removeprefix("stage").split("_branch"))
            stem = f"resblocks_{stage * blocks + branch}"
        if stem in parts:
            yield Compared(name, parts[stem][0].T)
    yield Compared("waveform", waveform[0])
