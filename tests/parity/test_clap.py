"""CLAP's audio side against Hugging Face's, out of the folders it saves."""

import jax
import numpy as np
import pytest

from unified_io.convert import hearing
from unified_io.encoders.clap import Clap
from unified_io.errors import CheckpointError

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

SIZES = {
    "spec_size": 64,
    "num_mel_bins": 32,
    "patch_size": 4,
    "patch_stride": [4, 4],
    "patch_embeds_hidden_size": 8,
    "hidden_size": 32,
    "depths": [2, 2, 2],
    "num_hidden_layers": 3,
    "num_attention_heads": [2, 2, 4],
    "window_size": 4,
    "mlp_ratio": 2.0,
    "projection_dim": 12,
}


def perturbed(model, seed=0):
    """The model with all numbers random: no zero, one or mean of zero hides a name in the wrong place."""
    torch.manual_seed(seed)
    for name, value in (*model.named_parameters(), *model.named_buffers()):
        if value.is_floating_point():
            value.data.copy_(0.3 * torch.randn_like(value) + value)
            if name.endswith("running_var"):
                value.data.copy_(value.abs() + 0.2)
    return model.eval()


@pytest.fixture(scope="module")
def models():
    config = transformers.ClapAudioConfig(**SIZES)
    return {
        "plain": perturbed(transformers.ClapAudioModel(config)),
        "projected": perturbed(transformers.ClapAudioModelWithProjection(config)),
    }


# 128 frames fill the square; fewer are stretched.
@pytest.mark.parametrize(("kind", "frames"), [("plain", 128), ("plain", 101), ("projected", 128)])
def test_tokens_and_the_vector_are_theirs(models, tmp_path, kind, frames):
    models[kind].save_pretrained(tmp_path)
    mel = np.random.default_rng(0).normal(-20.0, 15.0, (2, frames, 32)).astype(np.float32)
    with torch.no_grad():
        theirs = models[kind](torch.from_numpy(mel)[:, None])
    config, params = hearing.load_clap(tmp_path)
    ours = jax.jit(Clap(config).apply)({"params": params}, mel)
    tokens = theirs.last_hidden_state.numpy().reshape(2, 32, -1).swapaxes(1, 2)
    assert np.abs(tokens).std() > 0.1
    np.testing.assert_allclose(ours.tokens, tokens, atol=2e-5)
    pooled = theirs.audio_embeds if kind == "projected" else theirs.pooler_output
    np.testing.assert_allclose(ours.pooled, pooled.numpy(), atol=2e-5)
    assert ours.mask.shape == ours.tokens.shape[:2] and bool(ours.mask.all())


def test_a_whole_clap_is_read_without_its_text(tmp_path):
    text = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    config = transformers.ClapConfig(
        text_config={**text, "vocab_size": 20, "max_position_embeddings": 8},
        audio_config=SIZES,
        projection_dim=12,
    )
    model = perturbed(transformers.ClapModel(config))
    model.save_pretrained(tmp_path)
    mel = np.random.default_rng(0).normal(-20.0, 15.0, (1, 128, 32)).astype(np.float32)
    with torch.no_grad():
        theirs = model.audio_model(torch.from_numpy(mel)[:, None])
        pooled = model.audio_projection(theirs.pooler_output).numpy()
    ours, params = hearing.load_clap(tmp_path)
    read = jax.jit(Clap(ours).apply)({"params": params}, mel)
    np.testing.assert_allclose(read.pooled, pooled, atol=2e-5)


def test_what_is_missing_in_a_folder_is_named(models, tmp_path):
    from safetensors.numpy import load_file, save_file

    models["plain"].save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    del tensors["audio_encoder.batch_norm.running_mean"]
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match="mel_norm/mean"):
        hearing.load_clap(tmp_path)
