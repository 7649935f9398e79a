"""Whisper's encoder against Hugging Face's, out of the folders it saves."""

import jax
import numpy as np
import pytest

from unified_io.convert import hearing
from unified_io.encoders.whisper import Whisper

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

SIZES = {
    "d_model": 16,
    "encoder_layers": 2,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 24,
    "decoder_layers": 1,
    "decoder_attention_heads": 2,
    "decoder_ffn_dim": 8,
    "num_mel_bins": 10,
    "max_source_positions": 12,
    "max_target_positions": 8,
    "vocab_size": 30,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
}


@pytest.mark.parametrize("kind", ["WhisperModel", "WhisperForConditionalGeneration"])
def test_tokens_are_theirs(tmp_path, kind):
    torch.manual_seed(0)
    model = getattr(transformers, kind)(transformers.WhisperConfig(**SIZES)).eval()
    for value in model.parameters():
        value.data.add_(0.3 * torch.randn_like(value))
    model.save_pretrained(tmp_path)
    mel = np.random.default_rng(0).normal(size=(2, 24, 10)).astype(np.float32)
    with torch.no_grad():
        theirs = model.get_encoder()(torch.from_numpy(mel.swapaxes(1, 2))).last_hidden_state.numpy()
    config, params = hearing.load_whisper(tmp_path)
    ours = jax.jit(Whisper(config).apply)({"params": params}, mel)
    assert theirs.std() > 0.1
    np.testing.assert_allclose(ours.tokens, theirs, atol=1e-5)


def test_positions_start_as_theirs():
    from unified_io.encoders.whisper import sinusoids

    theirs = transformers.WhisperModel(transformers.WhisperConfig(**SIZES)).encoder.embed_positions.weight
    np.testing.assert_allclose(sinusoids(12, 16), theirs.detach().numpy(), atol=1e-6)
