"""The video transformer against VideoMAE of transformers, its weights through a folder on disk."""

import jax
import numpy as np
import pytest

from unified_io.convert import vision
from unified_io.encoders.video_transformer import VideoTransformer

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

SETTINGS = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
SETTINGS |= {"image_size": 12, "patch_size": 4, "num_frames": 6, "tubelet_size": 2}


def frames(count=6):
    return np.random.default_rng(0).normal(size=(2, count, 12, 12, 3)).astype(np.float32)


def saved(model, folder):
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            torch.nn.init.normal_(parameter, mean=float("norm" in name and "weight" in name), std=0.3)
    model.eval().save_pretrained(folder)
    return model


def ours(folder):
    config, params = vision.load(folder)
    return jax.jit(VideoTransformer(config).apply)({"params": params}, frames())


def theirs(model):
    with torch.no_grad():
        return model(torch.from_numpy(frames()).permute(0, 1, 4, 2, 3))


@pytest.mark.parametrize(
    "settings", [{}, {"use_mean_pooling": False}, {"qv_bias": False}], ids=["mean", "norm", "no_bias"]
)
def test_hidden_states(tmp_path, settings):
    settings = transformers.VideoMAEConfig(**SETTINGS, **settings)
    model = saved(transformers.VideoMAEModel(settings), tmp_path)
    found, wanted = ours(tmp_path), theirs(model).last_hidden_state.numpy()
    np.testing.assert_allclose(found.tokens, wanted, atol=1e-5, rtol=1e-5)
    np.testing.assert_allclose(found.pooled, wanted.mean(axis=1), atol=1e-5, rtol=1e-5)


def test_inside_a_classifier(tmp_path):
    model = saved(
        transformers.VideoMAEForVideoClassification(transformers.VideoMAEConfig(**SETTINGS)), tmp_path
    )
    wanted = theirs(model.videomae).last_hidden_state.numpy()
    np.testing.assert_allclose(ours(tmp_path).tokens, wanted, atol=1e-5, rtol=1e-5)
