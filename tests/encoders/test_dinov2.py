"""DINOv2: what its config says. What it computes is compared in tests/parity."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp

from unified_io.encoders.dinov2 import Dinov2, Dinov2Config, gated_dim


def test_hidden_units_of_the_giant():
    assert gated_dim(4 * 1536) == 4096
    assert gated_dim(100) == 72


def test_the_tree():
    config = Dinov2Config(width=8, num_heads=2, num_layers=1, mlp_dim=16, activation="swiglu", grid=2)
    params = jax.eval_shape(Dinov2(config).init, jax.random.key(0), jnp.zeros((1, 28, 28, 3)))
    params = nn.meta.unbox(params["params"])
    assert set(params) == {"patch", "positions", "class_token", "blocks_0", "norm"}
    assert set(params["blocks_0"]["mlp"]) == {"wi_0", "wi_1", "wo"}
    assert params["blocks_0"]["attention_scale"].shape == params["blocks_0"]["mlp_scale"].shape == (8,)


def test_layer_scale_of_zero_makes_a_block_do_nothing():
    config = Dinov2Config(width=8, num_heads=2, num_layers=1, mlp_dim=16, grid=2, final_norm=False)
    pixels = jax.random.normal(jax.random.key(1), (1, 28, 28, 3))
    params = nn.meta.unbox(Dinov2(config).init(jax.random.key(0), pixels))["params"]
    block = params["blocks_0"]
    assert not jnp.array_equal(*(run(config, params, pixels, layer) for layer in (0, 1)))
    scales = {name: jnp.zeros_like(block[name]) for name in ("attention_scale", "mlp_scale")}
    idle = {**params, "blocks_0": {**block, **scales}}
    assert jnp.array_equal(*(run(config, idle, pixels, layer) for layer in (0, 1)))


def run(config, params, pixels, layer):
    return Dinov2(dataclasses.replace(config, layer=layer)).apply({"params": params}, pixels).tokens
