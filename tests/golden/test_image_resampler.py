"""The perceiver resampler of the image history against the released model's."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified_io.connectors.resampler import Resampler, ResamplerConfig

RENAMES = {r"(pre_\w+)_norm": r"\1_layer_norm", r"^latents": "resampler_latents"}
# The port's GELU is the exact one; "qk_norm_tanh_gelu" is what the released model was trained with.
CASES = {
    "qk_norm": {"activation": "gelu"},
    "qk_norm_tanh_gelu": {},
    "scaled_cosine": {"activation": "gelu", "qk_norm": False, "scaled_cosine": True},
}
UNUSED = {"qk_norm": ("logit_scale",), "scaled_cosine": ("query_norm", "key_norm")}


@pytest.fixture(scope="module")
def fixture(golden, from_port):
    folder = golden("image_resampler")
    cfg = json.loads((folder / "config.json").read_text())["config"]["resampler_cfg"]
    fields = {
        "width": cfg["emb_dim"],
        "num_heads": cfg["num_heads"],
        "head_dim": cfg["head_dim"],
        "num_layers": cfg["num_layers"],
        "mlp_dim": cfg["mlp_dim"],
        "num_latents": cfg["latents_size"],
    }
    arrays = dict(np.load(folder / "inputs.npz")) | dict(np.load(folder / "outputs.npz"))
    return fields, arrays, from_port(folder, "resampler.perceiver", RENAMES)


def trimmed(params, unused):
    """The weights without those that another case of the same file needs."""
    return {k: trimmed(v, unused) if isinstance(v, dict) else v for k, v in params.items() if k not in unused}


@pytest.mark.parametrize("case", CASES)
def test_soft_tokens(fixture, case):
    fields, arrays, params = fixture
    config = ResamplerConfig(**fields, **CASES[case])
    params = trimmed(params, UNUSED[case.removesuffix("_tanh_gelu")])
    run = jax.jit(lambda *inputs: Resampler(config).apply({"params": params}, *inputs))
    out = run(arrays["features"], arrays["features_mask"] > 0)
    np.testing.assert_allclose(
        out, arrays[f"{case}/resampler/latents"], atol=1e-4 if "cosine" in case else 2e-5
    )
    # Within the history embedder frames are rows; those without a real patch mean nothing.
    mask = arrays["mask"].reshape(-1, arrays["mask"].shape[-1]) > 0
    out = run(jnp.asarray(arrays[f"{case}/embedder/pre_projection"]), mask)
    real = mask.any(axis=1)
    wanted = arrays[f"{case}/embedder/resampler_out"]
    np.testing.assert_allclose(out[real], wanted[real], atol=2e-4 if "cosine" in case else 3e-5)
