"""What holds for every connector, whatever it is made of."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified_io.connectors.base import Instruction
from unified_io.connectors.linear import (
    Linear,
    LinearConfig,
    Mlp,
    MlpConfig,
    PooledToTokens,
    PooledToTokensConfig,
)
from unified_io.connectors.qformer import QFormer, QFormerConfig
from unified_io.connectors.resampler import Resampler, ResamplerConfig

C, D, S = 8, 6, 5

SMALL = {"width": C, "num_heads": 2, "head_dim": 4, "mlp_dim": 12, "num_latents": 3, "out_width": D}
CONNECTORS = {
    "linear": Linear(LinearConfig(out_width=D, pre_norm=True)),
    "llava": Mlp(MlpConfig(out_width=D, hidden_dim=D)),
    "lynx's mlp": Mlp(MlpConfig(out_width=D, hidden_dim=2 * C, hidden_norm=True, pre_norm=True)),
    "anymal's sounds": PooledToTokens(PooledToTokensConfig(num_tokens=4, out_width=D)),
    "s3": PooledToTokens(
        PooledToTokensConfig(
            num_tokens=4, out_width=D, pool="given", unit_length=True, hidden_dim=7, dropout_rate=0.1
        )
    ),
    "x-instructblip's linear": PooledToTokens(PooledToTokensConfig(num_tokens=4, out_width=D, token_width=5)),
    "unified-io 2": Resampler(ResamplerConfig(**SMALL)),
    "flamingo": Resampler(
        ResamplerConfig(**SMALL, qk_norm=False, keys="media+latents", norm="layer", shared_context_norm=False)
    ),
    "q-former": QFormer(
        QFormerConfig(
            out_width=D,
            num_queries=3,
            width=12,
            num_heads=3,
            num_layers=3,
            mlp_dim=16,
            vocab_size=11,
            max_positions=7,
        )
    ),
}


@dataclasses.dataclass(frozen=True)
class Inputs:
    tokens: jax.Array
    mask: jax.Array
    pooled: jax.Array
    instruction: Instruction

    def given(self) -> tuple[tuple, dict]:
        return (self.tokens, self.mask), {"pooled": self.pooled, "instruction": self.instruction}


def rows(inputs: Inputs, which) -> Inputs:
    return Inputs(*jax.tree.map(lambda x: x[which], tuple(vars(inputs).values())))


@pytest.fixture(scope="module")
def inputs():
    rng = np.random.default_rng(0)
    return Inputs(
        tokens=jnp.float32(rng.normal(size=(2, S, C))),
        mask=jnp.ones((2, S), bool).at[0, 3:].set(False),
        pooled=jnp.float32(rng.normal(size=(2, 9))),
        instruction=Instruction(
            jnp.int32(rng.integers(0, 11, (2, 4))), jnp.ones((2, 4), bool).at[1, 2:].set(False)
        ),
    )


@pytest.fixture(scope="module", params=CONNECTORS)
def connector(request):
    return CONNECTORS[request.param]


@pytest.fixture(scope="module")
def variables(connector, inputs):
    args, kwargs = inputs.given()
    shapes = nn.meta.unbox(jax.eval_shape(lambda: connector.init(jax.random.key(0), *args, **kwargs)))
    rng = np.random.default_rng(1)
    return jax.tree.map(lambda leaf: jnp.float32(rng.normal(0.0, 0.5, leaf.shape)), shapes)


@pytest.fixture(scope="module")
def run(connector, variables):
    @jax.jit
    def apply(tokens, mask, pooled, instruction):
        return connector.apply(variables, tokens, mask, pooled=pooled, instruction=instruction)

    return lambda inputs: apply(*vars(inputs).values())


def test_soft_tokens_are_as_many_as_the_config_says(connector, inputs, run):
    config = connector.config
    soft, mask = run(inputs), config.soft_mask(inputs.mask)
    assert soft.shape == (2, config.soft_tokens(S), D)
    assert mask.shape == soft.shape[:2]
    assert mask.any(axis=1).all() and not config.soft_mask(jnp.zeros((1, S), bool)).any()


def test_masked_tokens_change_nothing_real(connector, inputs, run):
    changed = dataclasses.replace(inputs, tokens=inputs.tokens.at[0, 3:].set(9.0))
    real = connector.config.soft_mask(inputs.mask)[..., None]
    np.testing.assert_array_equal(jnp.where(real, run(changed), 0), jnp.where(real, run(inputs), 0))


def test_rows_do_not_know_each_other(inputs, run):
    both = run(inputs)
    for row in (slice(0, 1), slice(1, 2)):
        np.testing.assert_allclose(run(rows(inputs, row)), both[row], atol=1e-5)


def test_the_order_of_tokens_changes_nothing(connector, inputs, run):
    turned = dataclasses.replace(inputs, tokens=inputs.tokens[:, ::-1], mask=inputs.mask[:, ::-1])
    soft = run(turned)
    if connector.config.soft_tokens(S) == S:
        soft = soft[:, ::-1]
    np.testing.assert_allclose(soft, run(inputs), atol=1e-5)


def test_what_each_reads(connector, inputs, run):
    """The table of `Connector`: what is read changes the soft tokens, what is ignored does not."""
    config = connector.config
    wanted = run(inputs)
    given = getattr(config, "pool", "") == "given"
    words = inputs.instruction._replace(ids=(inputs.instruction.ids + 1) % 11)
    for changes, read in (
        ({"tokens": inputs.tokens.at[:, 0, 0].add(1.0)}, not given),
        ({"pooled": inputs.pooled.at[:, 0].add(1.0)}, given),
        ({"instruction": words}, isinstance(config, QFormerConfig)),
    ):
        difference = np.abs(run(dataclasses.replace(inputs, **changes)) - wanted).max()
        assert (difference > 1e-3) == read, changes.keys()


def test_compute_dtype_and_storage(connector, inputs):
    connector = connector.clone(config=dataclasses.replace(connector.config, dtype="bfloat16"))
    args, kwargs = inputs.given()
    soft, params = jax.eval_shape(lambda: connector.init_with_output(jax.random.key(0), *args, **kwargs))
    assert soft.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype("float32")}


def test_dropout_is_on_only_when_asked(connector, variables, inputs, run):
    """One that drops nothing needs no key for it, whatever it is told."""
    args, kwargs = inputs.given()
    rngs = {"dropout": jax.random.key(0)} if getattr(connector.config, "dropout_rate", 0.0) else {}
    soft = jax.jit(lambda: connector.apply(variables, *args, **kwargs, deterministic=False, rngs=rngs))()
    assert bool(np.abs(soft - run(inputs)).max() > 1e-3) == bool(rngs)
