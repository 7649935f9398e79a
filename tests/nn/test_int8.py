"""Weights in eight bits: how far off they are, and that a model which has them says nearly the same."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny import tiny_model

from unified_io import api
from unified_io.backbones.frozen import held as hold
from unified_io.errors import ConfigError
from unified_io.nn.dense import Dense
from unified_io.nn.held import variables
from unified_io.nn.int8 import Rounded
from unified_io.pytree import named_leaves


def test_a_value_is_within_half_a_step():
    kernel = np.random.default_rng(0).normal(size=(3, 40, 7)).astype(np.float32)
    kernel[:, :, 2] = 0
    held = Rounded.of(jnp.asarray(kernel))
    off = np.abs(np.asarray(held.values) * np.asarray(held.scale)[:, None] - kernel)
    assert held.values.dtype == jnp.int8 and held.scale.shape == (3, 7)
    assert (off <= np.asarray(held.scale)[:, None] / 2 + 1e-7).all()
    np.testing.assert_allclose(np.abs(kernel).max(axis=1), np.asarray(held.scale) * 127, rtol=1e-6)


def test_a_product_is_that_of_the_rounded_matrix():
    dense = Dense(7, ("a", "b"), use_bias=True)
    x = jax.random.normal(jax.random.key(0), (2, 5, 40))
    params = {
        "layer": jax.tree.map(
            lambda p: p.value,
            dense.init(jax.random.key(1), x)["params"],
            is_leaf=lambda p: hasattr(p, "value"),
        )
    }
    held = hold(params, "layer", "int8")
    given = variables(held)
    made = dense.apply({name: tree["layer"] for name, tree in given.items()}, x)
    kernel = np.asarray(held["layer"]["kernel"].values, np.float64) * np.asarray(
        held["layer"]["kernel"].scale, np.float64
    )
    np.testing.assert_allclose(made, np.asarray(x, np.float64) @ kernel + params["layer"]["bias"], atol=1e-5)


def test_a_model_in_eight_bits_is_smaller_and_says_nearly_the_same(tmp_path):
    model = tiny_model()
    model.save_pretrained(tmp_path)
    small = api.from_pretrained(tmp_path, dtype="int8")
    kernels = {
        name
        for name in named_leaves(model.params)
        if name.startswith(("encoder/", "decoder/")) and name.endswith("/kernel")
    }
    held = {
        name.removesuffix("/values")
        for name, leaf in named_leaves(small.params).items()
        if leaf.dtype == jnp.int8
    }
    assert held == kernels and len(held) > 4
    answers = [f"answer {i}" for i in range(6)]
    exact, near = (m.score(answers, text="which of them?") for m in (model, small))
    assert 0 < np.abs(exact - near).max() < 0.02 * np.abs(exact).max()
    pictures = [m.generate("image", text="draw", temperature=0.0) for m in (model, small)]
    assert pictures[0].shape == pictures[1].shape
    with pytest.raises(ConfigError, match="held in int8"):
        small.save_pretrained(tmp_path / "again")
