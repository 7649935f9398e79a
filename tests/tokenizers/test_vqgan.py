"""The image tokenizer: sizes, names, and that encoding, decoding and training see the same codes."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util

from unified_io.errors import ConfigError, DataError
from unified_io.tokenizers.vqgan import VQGAN, Downsample, Upsample, VQGANConfig

TINY = VQGANConfig(
    channels=4,
    channel_multipliers=(1, 2),
    res_blocks=1,
    attention_resolutions=(4,),
    resolution=8,
    z_channels=3,
    code_dim=2,
    codebook_size=16,
    groups=2,
)

# Code that runs once is not worth optimising.
UNOPTIMIZED = {"xla_backend_optimization_level": 0}


@pytest.fixture(scope="module")
def tiny():
    model = VQGAN(TINY)
    images = np.random.default_rng(0).uniform(-1, 1, (2, 8, 8, 3)).astype(np.float32)
    return model, jax.jit(model.init, compiler_options=UNOPTIMIZED)(jax.random.key(0), images), images


@pytest.fixture(scope="module")
def released():
    images = jax.ShapeDtypeStruct((1, 256, 256, 3), jnp.float32)
    params = jax.eval_shape(VQGAN(VQGANConfig()).init, jax.random.key(0), images)["params"]
    return {name: leaf.shape for name, leaf in traverse_util.flatten_dict(params, sep="/").items()}


def test_released_parameter_count(released):
    assert sum(map(math.prod, released.values())) == 67_717_295


def test_released_names_and_shapes(released):
    expected = {
        "quantize/embedding": (16384, 4),
        "quant_conv/kernel": (1, 1, 4, 4),
        "post_quant_conv/bias": (4,),
        "encoder/conv_in/kernel": (3, 3, 3, 128),
        "encoder/down_0_block_1/norm2/scale": (128,),
        "encoder/down_1_block_0/nin_shortcut/kernel": (1, 1, 128, 256),
        "encoder/down_3_block_0/nin_shortcut/bias": (512,),
        "encoder/down_3_attn_1/proj_out/kernel": (1, 1, 512, 512),
        "encoder/down_2_downsample/conv/kernel": (3, 3, 256, 256),
        "encoder/mid_attn_1/q/kernel": (1, 1, 512, 512),
        "encoder/mid_attn_1/norm/bias": (512,),
        "encoder/norm_out/scale": (512,),
        "encoder/conv_out/kernel": (3, 3, 512, 4),
        "decoder/conv_in/kernel": (3, 3, 4, 512),
        "decoder/mid_block_2/conv2/kernel": (3, 3, 512, 512),
        "decoder/up_0_attn_2/v/bias": (512,),
        "decoder/up_1_block_0/nin_shortcut/kernel": (1, 1, 512, 256),
        "decoder/up_2_upsample/conv/kernel": (3, 3, 256, 256),
        "decoder/up_3_block_0/nin_shortcut/kernel": (1, 1, 256, 128),
        "decoder/norm_out/scale": (128,),
        "decoder/conv_out/kernel": (3, 3, 128, 3),
    }
    assert {name: released.get(name) for name in expected} == expected
    blocks = {"/".join(name.split("/")[:2]) for name in released}
    shortcuts = {name.split("/")[1] for name in released if "nin_shortcut" in name}
    assert shortcuts == {"down_1_block_0", "down_3_block_0", "up_1_block_0", "up_3_block_0"}
    assert not {"encoder/down_3_downsample", "encoder/down_2_attn_0", "decoder/up_3_upsample"} & blocks
    assert "decoder/up_3_block_3/conv1/kernel" not in released


def test_training_sees_what_encode_and_decode_do(tiny):
    model, params, images = tiny
    out = jax.jit(model.apply)(params, images)
    codes = jax.jit(lambda p, x: model.apply(p, x, method=model.encode))(params, images)
    media = jax.jit(lambda p, c: model.apply(p, c, method=model.decode))(params, codes)
    assert codes.shape == (2, 16)
    assert codes.dtype == jnp.int32
    assert out.z.shape == (2, 16, 2)
    assert media.shape == images.shape
    np.testing.assert_array_equal(out.codes, codes)
    np.testing.assert_allclose(out.media, media, atol=1e-5)
    assert len(np.unique(codes)) > 1


def test_constant_images_give_numbers(tiny):
    model, params, _ = tiny

    def loss(params, images):
        out = model.apply(params, images)
        return jnp.mean(jnp.square(out.media - images)) + out.codebook_loss + out.commitment_loss

    for value in (-1.0, 0.0):
        found = jax.jit(jax.value_and_grad(loss), compiler_options=UNOPTIMIZED)(
            params, jnp.full((1, 8, 8, 3), value)
        )
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(found))


def test_downsampling_sees_zeros_at_the_bottom_and_right():
    """Ones under a kernel of ones count the pixels each output sees; 9 where none is missing."""
    x = jnp.ones((1, 4, 4, 1))
    params = {"params": {"conv": {"kernel": jnp.ones((3, 3, 1, 1)), "bias": jnp.zeros(1)}}}
    np.testing.assert_array_equal(Downsample().apply(params, x)[0, :, :, 0], [[9, 6], [6, 4]])


def test_upsampling_repeats_pixels():
    """The kernel that keeps the centre shows what the convolution is given."""
    x = jnp.array([[1.0, 2.0], [3.0, 4.0]]).reshape(1, 2, 2, 1)
    kernel = jnp.zeros((3, 3, 1, 1)).at[1, 1].set(1.0)
    out = Upsample().apply({"params": {"conv": {"kernel": kernel, "bias": jnp.zeros(1)}}}, x)
    np.testing.assert_array_equal(out[0, :, :, 0], [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]])


def test_errors_say_what_to_do(tiny):
    model, params, _ = tiny
    with pytest.raises(DataError, match="2x2 pixels"):
        model.apply(params, jnp.zeros((1, 7, 8, 3)), method=model.encode)
    with pytest.raises(DataError, match="no square"):
        model.apply(params, jnp.zeros((1, 15), jnp.int32), method=model.decode)
    with pytest.raises(ConfigError, match="set groups"):
        VQGANConfig(channels=16)
    with pytest.raises(ConfigError, match="fewer levels"):
        VQGANConfig(resolution=100)


def test_config_knows_its_grid():
    assert VQGANConfig().grid == (32, 32)
    assert VQGANConfig().stride == 8
    assert TINY.grid == (4, 4)
