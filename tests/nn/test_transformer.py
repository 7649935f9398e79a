"""Stacks: scanned equals unrolled, recomputed equals kept, and the two trees turn into each other."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified_io.errors import CheckpointError, ConfigError
from unified_io.nn.transformer import BlockConfig, stack, stack_layers, unstack_layers

NUM_LAYERS = 3


class Layer(nn.Module):
    @nn.compact
    def __call__(self, x, factor):
        weight = self.param("w", nn.with_logical_partitioning(nn.initializers.normal(1.0), ("embed",)), (4,))
        return nn.Dropout(0.5)(jnp.sin(x * weight * factor), deterministic=not self.has_rng("dropout"))


class Tower(nn.Module):
    scan: bool
    remat: str = "none"

    def setup(self):
        self.layers = Layer() if self.scan else [Layer() for _ in range(NUM_LAYERS)]

    def __call__(self, x, factors):
        def body(layer, x, factor):
            x = layer(x, factor)
            return x, x.sum()

        return stack(self.layers, body, x, factors, num_layers=NUM_LAYERS, remat=self.remat)


X, FACTORS = jnp.linspace(0.1, 1.0, 4)[None], jnp.array([1.0, 2.0, 0.5])


@pytest.fixture(scope="module")
def stacked():
    return nn.meta.unbox(Tower(True).init(jax.random.key(0), X, FACTORS))


def run(scan, remat, params):
    def loss(params):
        x, sums = Tower(scan, remat).apply(params, X, FACTORS)
        return x.sum(), sums

    (_, sums), gradient = jax.jit(jax.value_and_grad(loss, has_aux=True))(params)
    return sums, gradient


def test_all_four_ways_are_one(stacked):
    wanted_sums, wanted = run(True, "none", stacked)
    unrolled = {"params": unstack_layers(stacked["params"])}
    assert sorted(unrolled["params"]) == ["layers_0", "layers_1", "layers_2"]
    for scan, remat in ((True, "full"), (False, "none"), (False, "full")):
        sums, gradient = run(scan, remat, stacked if scan else unrolled)
        gradient = gradient["params"] if scan else stack_layers(gradient["params"])
        np.testing.assert_allclose(sums, wanted_sums, rtol=1e-6)
        np.testing.assert_allclose(gradient["layers"]["w"], wanted["params"]["layers"]["w"], rtol=1e-5)


def test_every_layer_starts_and_drops_differently(stacked):
    weights = np.asarray(stacked["params"]["layers"]["w"])
    assert len(np.unique(weights)) == weights.size
    ones = {"params": {"layers": {"w": jnp.ones((NUM_LAYERS, 4))}}}
    _, sums = Tower(True).apply(ones, X, jnp.ones(3), rngs={"dropout": jax.random.key(1)})
    kept = Tower(True).apply(ones, X, jnp.ones(3))[1]
    assert not np.allclose(sums, kept)


def test_stacked_parameters_name_their_first_axis():
    boxed = jax.eval_shape(Tower(True).init, jax.random.key(0), X, FACTORS)
    assert boxed["params"]["layers"]["w"].names == ("layers", "embed")


def test_stacking_is_undone_by_unstacking():
    tree = {f"layers_{i}": {"a": {"kernel": np.full((2, 2), i)}} for i in range(11)} | {"norm": np.ones(2)}
    stacked = stack_layers(tree)
    assert isinstance(stacked["layers"]["a"]["kernel"], np.ndarray)
    np.testing.assert_array_equal(
        stacked["layers"]["a"]["kernel"][:, 0, 0], np.arange(11)
    )  # 10 after 9, not after 1
    back = unstack_layers(stacked)
    assert sorted(back) == sorted(tree)
    jax.tree.map(np.testing.assert_array_equal, back, tree)


def test_a_gap_between_layers_is_an_error():
    with pytest.raises(CheckpointError, match="without a gap"):
        stack_layers({"layers_0": {}, "layers_2": {}})
    with pytest.raises(CheckpointError, match="no stacked 'layers'"):
        unstack_layers({"layers_0": {}})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"attention_impl": "chunky"}, "did you mean 'chunked'"),
        ({"dtype": "bfloat"}, "did you mean 'bfloat16'"),
        ({"head_dim": 6}, "multiple of 4"),
    ],
)
def test_impossible_blocks(wrong, message):
    with pytest.raises(ConfigError, match=message):
        BlockConfig(**({"emb_dim": 8, "num_heads": 2, "head_dim": 4, "mlp_dim": 8} | wrong))
