"""The image ViT of CLIP and its kin: published sizes, features, laws."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified_io import pytree
from unified_io.encoders.clip import EVA_G, ClipConfig, ClipVit
from unified_io.encoders.dinov2 import Dinov2, Dinov2Config, gated_dim
from unified_io.errors import ConfigError

TINY = ClipConfig(width=8, num_heads=2, num_layers=3, mlp_dim=12, patch=4, grid=3)
BIG_G = ClipConfig(
    width=1664, num_layers=48, mlp_dim=8192, activation="gelu", pooled=True, projection_dim=1280
)
GIANT = Dinov2Config(
    width=1536, num_heads=24, num_layers=40, mlp_dim=gated_dim(4 * 1536), activation="swiglu"
)


def shapes(module, config, side):
    variables = jax.eval_shape(module(config).init, jax.random.key(0), jnp.zeros((1, side, side, 3)))
    return {
        name: leaf.shape for name, leaf in pytree.named_leaves(nn.meta.unbox(variables["params"])).items()
    }


# Counted by hand from the published shapes: patches, class token, positions, blocks, norms, projection.
@pytest.mark.parametrize(
    ("module", "config", "side", "millions"),
    [
        (ClipVit, EVA_G, 224, 986),
        (ClipVit, ClipConfig(pooled=True, projection_dim=768), 224, 304),
        (ClipVit, BIG_G, 224, 1845),
        (Dinov2, Dinov2Config(), 518, 304),
        (Dinov2, GIANT, 518, 1136),
    ],
    ids=["eva_g", "clip_l", "openclip_bigg", "dinov2_l", "dinov2_g"],
)
def test_published_sizes(module, config, side, millions):
    count = sum(int(np.prod(shape)) for shape in shapes(module, config, side).values())
    assert round(count / 1e6) == millions


def test_the_tree_of_eva():
    names = shapes(ClipVit, EVA_G, 224)
    assert names["patch/kernel"] == (588, 1408) and names["positions"] == (257, 1408)
    assert names["blocks_38/mlp/wi/kernel"] == (1408, 6144)
    assert "blocks_0/attention/value/bias" in names and "blocks_0/attention/key/bias" not in names
    assert not any(name.startswith(("norm", "pre_norm", "blocks_39")) for name in names)


@pytest.fixture(scope="module")
def pixels():
    return jnp.asarray(np.random.default_rng(0).normal(size=(2, 12, 12, 3)), jnp.float32)


def test_blocks_that_no_feature_needs_are_not_built():
    names = shapes(ClipVit, dataclasses.replace(TINY, layer=-2), 12)
    assert (
        "blocks_1/mlp/wo/bias" in names and "blocks_2/mlp/wo/bias" not in names and "norm/scale" not in names
    )
    names = shapes(ClipVit, dataclasses.replace(TINY, layer=-2, pooled=True, projection_dim=5), 12)
    assert "blocks_2/mlp/wo/bias" in names and names["projection/kernel"] == (8, 5)


def test_features_of_one_set_of_parameters(pixels):
    whole = dataclasses.replace(TINY, pooled=True, final_norm=True)
    params = ClipVit(whole).init(jax.random.key(0), pixels)
    run = lambda **changes: ClipVit(dataclasses.replace(whole, **changes)).apply(params, pixels)  # noqa: E731
    kept = run()
    assert kept.tokens.shape == (2, 10, 8) and kept.mask.dtype == bool and kept.mask.all()
    np.testing.assert_array_equal(kept.pooled, kept.tokens[:, 0])
    np.testing.assert_array_equal(run(keep_class=False).tokens, kept.tokens[:, 1:])
    np.testing.assert_array_equal(run(layer=3).tokens, kept.tokens)
    np.testing.assert_allclose(kept.tokens.mean(axis=-1), 0, atol=1e-5)
    assert np.abs(run(final_norm=False).tokens.mean(axis=-1)).max() > 1e-3
    assert np.abs(run(layer=-2).tokens - kept.tokens).max() > 1e-2


def test_images_do_not_see_each_other_and_every_pixel_counts(pixels):
    vit = ClipVit(dataclasses.replace(TINY, pooled=True))
    params = vit.init(jax.random.key(0), pixels)
    gradient = jax.jit(jax.grad(lambda x: vit.apply(params, x).pooled[0].sum()))(pixels)
    assert np.abs(gradient[0]).min() > 0
    assert np.abs(gradient[1]).max() == 0


def test_recomputing_blocks_changes_no_gradient(pixels):
    params = ClipVit(TINY).init(jax.random.key(0), pixels)

    def gradient(config):
        return jax.grad(lambda p: ClipVit(config).apply(p, pixels).tokens.sum())

    plain, again = gradient(TINY), gradient(dataclasses.replace(TINY, remat="full"))
    assert [" remat" in str(jax.make_jaxpr(g)(params)) for g in (plain, again)] == [False, True]
    compare = lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4, rtol=1e-5)  # noqa: E731
    jax.tree.map(compare, jax.jit(plain)(params), jax.jit(again)(params))


def test_bfloat16():
    config = dataclasses.replace(
        GIANT, width=8, num_heads=2, num_layers=1, mlp_dim=8, grid=2, dtype="bfloat16"
    )
    pixels = jnp.zeros((1, 28, 28, 3))
    out, params = jax.eval_shape(lambda: Dinov2(config).init_with_output(jax.random.key(0), pixels))
    assert out.tokens.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype("float32")}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 9}, "multiple of num_heads"),
        ({"layer": 4}, "hidden states are -4 to 3"),
        ({"projection_dim": 4}, "pooled=True"),
        ({"activation": "gelo"}, "did you mean 'gelu'"),
        ({"qkv_bias": "no_keys"}, "did you mean 'no_key'"),
        ({"remat": "half"}, "unknown remat"),
    ],
)
def test_bad_configs_are_errors(changes, message):
    with pytest.raises(ConfigError, match=message):
        dataclasses.replace(TINY, **changes)


def test_an_image_of_no_whole_patches_is_refused():
    with pytest.raises(ConfigError, match="image is 12x13 but a patch is 4x4"):
        ClipVit(TINY).init(jax.random.key(0), jnp.zeros((1, 12, 13, 3)))
