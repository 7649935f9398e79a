"""T5: buckets of distance, sizes of the released models, and laws of decoding."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified_io import pytree
from unified_io.backbones.t5 import T5, greedy
from unified_io.backbones.t5_block import T5Config, bucket
from unified_io.convert import t5
from unified_io.errors import ConfigError

CONFIG = T5Config(
    vocab_size=11,
    width=8,
    num_heads=2,
    head_dim=4,
    num_encoder_layers=2,
    num_decoder_layers=2,
    mlp_dim=12,
    buckets=8,
    max_distance=16,
)


def test_buckets_of_the_docstring():
    distance = jnp.array([-16, -6, -5, -2, -1, 0, 1, 2, 5, 6, 16])
    np.testing.assert_array_equal(bucket(distance, 8, 16, two_sided=True), [3, 3, 2, 2, 1, 0, 5, 6, 6, 7, 7])
    np.testing.assert_array_equal(bucket(distance, 8, 16, two_sided=False), [7, 5, 4, 2, 1, 0, 0, 0, 0, 0, 0])


# gated, head of its own, layers, width, heads, numbers in the MLP, parameters
SIZES = {
    "t5-small": (False, False, 6, 512, 8, 2048, 60_506_624),
    "flan-t5-small": (True, True, 8, 512, 6, 1024, 76_961_152),
    "flan-t5-xxl": (True, True, 24, 4096, 64, 10240, 11_135_332_352),
}


@pytest.mark.parametrize("name", SIZES)
def test_released_sizes(name):
    gated, own_head, layers, width, heads, mlp_dim, wanted = SIZES[name]
    config = T5Config(
        width=width,
        num_heads=heads,
        num_encoder_layers=layers,
        num_decoder_layers=layers,
        mlp_dim=mlp_dim,
        gated=gated,
        own_head=own_head,
    )
    assert sum(np.prod(leaf.shape, dtype=int) for leaf in t5.shapes(config).values()) == wanted
    if name == "flan-t5-xxl":
        assert config == T5Config()


@pytest.fixture(scope="module")
def variables():
    rng = np.random.default_rng(0)
    named = {
        name: jnp.float32(rng.normal(name.endswith("scale"), 0.3, leaf.shape))
        for name, leaf in t5.shapes(CONFIG).items()
    }
    return {"params": pytree.nested(named)}


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(1)
    mask = jnp.ones((2, 7), bool).at[1, 4:].set(False)
    return jnp.int32(rng.integers(2, 11, (2, 7))), mask, jnp.int32(rng.integers(2, 11, (2, 9)))


def test_cached_decoding_equals_the_full_forward(variables, batch):
    ids, mask, inputs = batch
    model = T5(CONFIG)

    @jax.jit
    def run():
        encoded = model.apply(variables, ids, mask, method="encode")
        cache = model.apply(variables, encoded, 10, method="start_cache")

        def step(cache, t):
            logits, cache = model.apply(variables, inputs[:, t], cache, t, mask=mask, method="decode_step")
            return cache, logits

        _, logits = jax.lax.scan(step, cache, jnp.arange(9))
        return logits.swapaxes(0, 1), model.apply(variables, ids, mask, inputs)

    steps, wanted = run()
    np.testing.assert_allclose(steps, wanted, atol=2e-5)


def test_padding_and_later_inputs_change_nothing(variables, batch):
    ids, mask, inputs = batch
    run = jax.jit(lambda ids, inputs: T5(CONFIG).apply(variables, ids, mask, inputs))
    wanted = run(ids, inputs)
    np.testing.assert_array_equal(run(ids.at[1, 4:].set(5), inputs)[1], wanted[1])
    assert np.abs(run(ids.at[1, 3].set(5), inputs) - wanted)[1].max() > 1e-3
    later = run(ids, inputs.at[:, 5:].set(2))
    np.testing.assert_allclose(later[:, :5], wanted[:, :5], atol=1e-5)


def test_greedy_takes_the_likeliest_of_the_full_forward(variables, batch):
    ids, mask, _ = batch
    tokens = np.asarray(jax.jit(lambda: greedy(CONFIG, variables, ids, mask, 6))())
    inputs = np.pad(tokens, ((0, 0), (1, 0)))[:, :-1]
    likeliest = jnp.argmax(jax.jit(lambda: T5(CONFIG).apply(variables, ids, mask, inputs))(), axis=-1)
    before_the_end = np.cumsum(inputs == 1, axis=1) == 0
    np.testing.assert_array_equal(tokens, np.where(before_the_end, likeliest, 0))


def test_bfloat16(batch):
    ids, mask, inputs = batch
    config = T5Config(**vars(CONFIG) | {"dtype": "bfloat16", "own_head": False, "scale_logits": True})
    logits, params = jax.eval_shape(lambda: T5(config).init_with_output(jax.random.key(0), ids, mask, inputs))
    assert logits.dtype == jnp.float32
    assert {leaf.dtype for leaf in pytree.named_leaves(params).values()} == {jnp.dtype("float32")}


def test_an_activation_that_is_none_is_refused():
    with pytest.raises(ConfigError, match="did you mean 'gelu'"):
        T5Config(activation="gellu")
