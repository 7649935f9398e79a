"""Feed-forward parts and the dense layer under them."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified_io.errors import ConfigError
from unified_io.nn.dense import Dense
from unified_io.nn.mlp import ACTIVATIONS, GatedMlp, Mlp, activation


def test_gelu_is_exact_and_gelu_tanh_is_not():
    x = 1.5
    exact = x * 0.5 * (1 + math.erf(x / math.sqrt(2)))
    tanh = 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    assert activation("gelu")(x) == pytest.approx(exact, abs=1e-6)
    assert activation("gelu_tanh")(x) == pytest.approx(tanh, abs=1e-6)
    assert abs(exact - tanh) > 1e-4


def test_unknown_activation_suggests_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'silu'"):
        activation("siluu")


def test_gated_mlp(rng):
    x = jnp.float32(rng.normal(size=(2, 3, 4)))
    params = nn.meta.unbox(jax.jit(GatedMlp(6).init)(jax.random.key(0), x))["params"]
    assert jax.tree.map(jnp.shape, params) == {
        "wi_0": {"kernel": (4, 6)},
        "wi_1": {"kernel": (4, 6)},
        "wo": {"kernel": (6, 4)},
    }
    w0, w1, wo = (np.asarray(params[name]["kernel"]) for name in ("wi_0", "wi_1", "wo"))
    gate = np.asarray(x) @ w0
    wanted = gate / (1 + np.exp(-gate)) * (np.asarray(x) @ w1) @ wo
    np.testing.assert_allclose(GatedMlp(6).apply({"params": params}, x), wanted, atol=1e-6)


def test_gated_mlp_drops_the_same_hidden_units_for_all_tokens_of_a_row():
    x = jnp.ones((3, 5, 4))  # equal tokens stay equal within a row, rows differ
    mlp = GatedMlp(32, dropout_rate=0.5)

    @jax.jit
    def run(key):
        return mlp.apply(mlp.init(key, x), x, deterministic=False, rngs={"dropout": key})

    out = run(jax.random.key(0))
    np.testing.assert_allclose(out, np.broadcast_to(out[:, :1], out.shape), atol=1e-6)
    assert np.abs(out[0] - out[1]).max() > 1e-3


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_mlp(rng, name):
    x = jnp.float32(rng.normal(size=(3, 4)))
    mlp = Mlp(6, name, use_bias=True, names=("fc1", "fc2"))
    shapes = nn.meta.unbox(jax.eval_shape(mlp.init, jax.random.key(0), x))
    params = jax.tree.map(lambda leaf: jnp.float32(rng.normal(size=leaf.shape)), shapes)
    fc1, fc2 = params["params"]["fc1"], params["params"]["fc2"]
    wanted = ACTIVATIONS[name](x @ fc1["kernel"] + fc1["bias"]) @ fc2["kernel"] + fc2["bias"]
    np.testing.assert_allclose(mlp.apply(params, x), wanted, atol=1e-5)


def test_a_dense_kernel_is_float32_and_names_its_axes():
    boxed = Dense(6, ("embed", "mlp"), use_bias=True, dtype="bfloat16").init(
        jax.random.key(0), jnp.ones((2, 4))
    )
    kernel, bias = boxed["params"]["kernel"], boxed["params"]["bias"]
    assert (kernel.names, kernel.value.shape, kernel.value.dtype) == (("embed", "mlp"), (4, 6), jnp.float32)
    assert (bias.names, bias.value.shape, bias.value.dtype) == (("mlp",), (6,), jnp.float32)
    assert Dense(6, ("embed", "mlp"), dtype="bfloat16").apply(
        {"params": {"kernel": kernel}}, jnp.ones(4)
    ).dtype == (jnp.bfloat16)
