"""The resampler against the one of Idefics, which looks at media and latents as Flamingo's does."""

from types import SimpleNamespace

import jax
import numpy as np
import pytest

from unified_io import pytree
from unified_io.connectors.resampler import Resampler, ResamplerConfig
from unified_io.convert import hf
from unified_io.convert.rules import TRANSPOSED, Rule, Table

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

CONFIG = ResamplerConfig(
    width=12,
    num_heads=3,
    head_dim=5,
    num_layers=2,
    mlp_dim=48,
    num_latents=4,
    qk_norm=False,
    activation="relu",
    keys="media+latents",
    norm="layer",
    shared_context_norm=False,
    latent_scale=1.0,
)


def norm(theirs, ours):
    return Rule(f"{theirs}.weight", f"{ours}/scale"), Rule(f"{theirs}.bias", f"{ours}/bias")


def dense(theirs, ours):
    return Rule(f"{theirs}.weight", f"{ours}/kernel", TRANSPOSED)


TABLE = Table(
    "Idefics' resampler",
    (
        Rule("latents", "resampler_latents"),
        *norm("layer_norm", "perceiver_norm"),
        *norm("blocks.{i}.0.context_layer_norm", "layers_{i}/context_norm"),
        *norm("blocks.{i}.0.latents_layer_norm", "layers_{i}/pre_xattention_layer_norm"),
        dense("blocks.{i}.0.q_proj", "layers_{i}/xattention/query"),
        dense("blocks.{i}.0.k_proj", "layers_{i}/xattention/key"),
        dense("blocks.{i}.0.v_proj", "layers_{i}/xattention/value"),
        dense("blocks.{i}.0.output_proj", "layers_{i}/xattention/out"),
        *norm("blocks.{i}.1.ln", "layers_{i}/pre_mlp_layer_norm"),
        dense("blocks.{i}.1.fc", "layers_{i}/mlp/wi"),
        dense("blocks.{i}.1.c_proj", "layers_{i}/mlp/wo"),
    ),
)


@pytest.fixture(scope="module")
def theirs():
    from transformers.models.idefics.perceiver import IdeficsPerceiverResampler

    torch.manual_seed(0)
    config = SimpleNamespace(
        perceiver_config=SimpleNamespace(qk_layer_norms_perceiver=False),
        vision_config=SimpleNamespace(embed_dim=CONFIG.width),
    )
    model = IdeficsPerceiverResampler(
        config, CONFIG.width, CONFIG.num_layers, CONFIG.num_heads, CONFIG.head_dim, CONFIG.num_latents
    )
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.3)
    return model.eval()


@pytest.fixture(scope="module")
def variables(theirs, tmp_path_factory):
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("perceiver")
    save_file(theirs.state_dict(), folder / "model.safetensors")
    return {"params": pytree.nested(hf.read(folder, TABLE))}


def test_soft_tokens(theirs, variables):
    tokens = np.float32(np.random.default_rng(0).normal(size=(2, 7, CONFIG.width)))
    with torch.no_grad():
        wanted = theirs(torch.tensor(tokens))
        of_the_first = theirs(torch.tensor(tokens[:, :4]))
    run = jax.jit(lambda *a: Resampler(CONFIG).apply(variables, *a))
    np.testing.assert_allclose(run(tokens, np.ones((2, 7), bool)), wanted, atol=1e-5)
    # What is masked might as well be cut off; theirs knows no masks.
    np.testing.assert_allclose(run(tokens, np.arange(7)[None].repeat(2, 0) < 4), of_the_first, atol=1e-5)
