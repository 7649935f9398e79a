"""DINOv2 against transformers, its weights through a folder on disk."""

import jax
import numpy as np
import pytest

from unified_io.convert import vision
from unified_io.encoders.dinov2 import Dinov2, Dinov2Config

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

SETTINGS = {"hidden_size": 16, "mlp_ratio": 3, "num_hidden_layers": 3, "num_attention_heads": 2}
SETTINGS |= {"image_size": 12, "patch_size": 4}


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "gated"])
def dinov2(request, tmp_path_factory):
    model = transformers.Dinov2Model(transformers.Dinov2Config(**SETTINGS, use_swiglu_ffn=request.param))
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            torch.nn.init.normal_(parameter, mean=float("norm" in name and "weight" in name), std=0.3)
    folder = tmp_path_factory.mktemp("dinov2")
    model.eval().save_pretrained(folder)
    return model, folder


def images(side=12):
    return np.random.default_rng(0).normal(size=(2, side, side, 3)).astype(np.float32)


def theirs(model, pixels, **arguments):
    with torch.no_grad():
        return model(torch.from_numpy(pixels).permute(0, 3, 1, 2), **arguments)


def ours(folder, pixels, **features):
    config, params = vision.load(folder, **features)
    assert isinstance(config, Dinov2Config)
    return jax.jit(Dinov2(config).apply)({"params": params}, pixels)


def test_normed_tokens_and_pooled(dinov2):
    model, folder = dinov2
    wanted, found = theirs(model, images()), ours(folder, images(), pooled=True)
    np.testing.assert_allclose(found.tokens, wanted.last_hidden_state.numpy(), atol=1e-5, rtol=1e-5)
    np.testing.assert_allclose(found.pooled, wanted.pooler_output.numpy(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("layer", [-1, -2])
def test_hidden_states(dinov2, layer):
    model, folder = dinov2
    wanted = theirs(model, images(), output_hidden_states=True).hidden_states[layer]
    found = ours(folder, images(), layer=layer, final_norm=False, keep_class=False)
    np.testing.assert_allclose(found.tokens, wanted[:, 1:].numpy(), atol=1e-5, rtol=1e-5)


def test_another_resolution(dinov2):
    model, folder = dinov2
    wanted = theirs(model, images(20)).last_hidden_state
    np.testing.assert_allclose(ours(folder, images(20)).tokens, wanted.numpy(), atol=1e-5, rtol=1e-5)
