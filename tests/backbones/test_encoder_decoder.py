"""Laws of the backbone: masked tokens change nothing, decoding equals the full forward, however layers are run."""

import dataclasses
import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified_io.backbones.encoder_decoder import BackboneConfig, Decoder, Encoder
from unified_io.errors import ConfigError
from unified_io.nn import masks, rope
from unified_io.nn.transformer import stack_layers, unstack_layers

CONFIG = BackboneConfig(
    emb_dim=8,
    num_heads=2,
    head_dim=4,
    num_encoder_layers=2,
    num_decoder_layers=2,
    mlp_dim=12,
    scan_layers=False,
)
B, S, T = 2, 6, 5


@dataclasses.dataclass(frozen=True)
class Inputs:
    x: jax.Array
    y: jax.Array
    real: jax.Array
    x_angles: jax.Array
    y_angles: jax.Array


@pytest.fixture(scope="module")
def inputs() -> Inputs:
    rng = np.random.default_rng(0)
    angles = lambda *shape: rope.angles_1d(jnp.asarray(rng.integers(0, 9, shape)), CONFIG.head_dim)  # noqa: E731
    return Inputs(
        x=jnp.float32(rng.normal(size=(B, S, 8))),
        y=jnp.float32(rng.normal(size=(B, T, 8))),
        real=jnp.ones((B, S), bool).at[0, 4:].set(False),
        x_angles=angles(B, S),
        y_angles=angles(B, T),
    )


def encode(config, params, inputs, **kwargs):
    mask = masks.padding(inputs.real, inputs.real)
    run = jax.jit(functools.partial(Encoder(config).apply, **kwargs))
    return run({"params": params}, inputs.x, mask=mask, angles=inputs.x_angles)


def decoder_arguments(inputs):
    return {
        "self_mask": masks.causal(T)[None, None],
        "cross_mask": inputs.real[:, None, None],
        "angles": inputs.y_angles,
        "encoded_angles": inputs.x_angles,
    }


def decode(config, params, inputs, encoded, **kwargs):
    return Decoder(config).apply({"params": params}, inputs.y, encoded, **decoder_arguments(inputs), **kwargs)


@pytest.fixture(scope="module")
def params(inputs):
    """Encoder and decoder parameters, unrolled, moved away from where norms do nothing."""

    @jax.jit
    def initialise(x, y):
        mask = masks.padding(inputs.real, inputs.real)
        encoder = Encoder(CONFIG).init(jax.random.key(0), x, mask=mask, angles=inputs.x_angles)
        decoder = Decoder(CONFIG).init(jax.random.key(1), y, x, **decoder_arguments(inputs))
        return nn.meta.unbox({"encoder": encoder["params"], "decoder": decoder["params"]})

    leaves, tree = jax.tree.flatten(initialise(inputs.x, inputs.y))
    rng = np.random.default_rng(1)
    return tree.unflatten([leaf + jnp.float32(0.1 * rng.normal(size=leaf.shape)) for leaf in leaves])


def variant(params, **changes):
    """The config with changes, and the same parameters in its layout."""
    config = dataclasses.replace(CONFIG, **changes)
    return config, {name: stack_layers(tree) if config.scan_layers else tree for name, tree in params.items()}


def forward(config, params, inputs, **kwargs):
    encoded = encode(config, params["encoder"], inputs)
    return decode(config, params["decoder"], inputs, encoded, **kwargs)


@pytest.fixture(scope="module")
def wanted(params, inputs):
    def loss(params):
        hidden = forward(CONFIG, params, inputs)
        return jnp.sum(jnp.sin(hidden)), hidden

    (_, hidden), gradient = jax.jit(jax.value_and_grad(loss, has_aux=True))(params)
    return hidden, gradient


@pytest.mark.parametrize(
    "changes",
    [
        {"scan_layers": True},
        {"scan_layers": True, "remat": "full", "attention_impl": "chunked"},
    ],
    ids=str,
)
def test_however_the_layers_are_run(params, inputs, wanted, changes):
    config, params = variant(params, **changes)

    @jax.jit
    @functools.partial(jax.value_and_grad, has_aux=True)
    def loss(params):
        hidden = forward(config, params, inputs)
        return jnp.sum(jnp.sin(hidden)), hidden

    (_, hidden), gradient = loss(params)
    np.testing.assert_allclose(hidden, wanted[0], atol=1e-5)
    if config.scan_layers:
        gradient = {name: unstack_layers(tree) for name, tree in gradient.items()}
    jax.tree.map(functools.partial(np.testing.assert_allclose, atol=2e-5), gradient, wanted[1])


def decode_one_by_one(config, params, inputs, encoded, columns=None):
    """All tokens by cached decoding, the cache a little longer than needed."""
    decoder = Decoder(config)

    @jax.jit
    def run(params):
        variables = {"params": params}

        def step(cache, t):
            line = lambda x, axis: jax.lax.dynamic_slice_in_dim(x, t, 1, axis)  # noqa: E731
            hidden, cache = decoder.apply(
                variables,
                line(inputs.y, 1),
                cache,
                t,
                cross_mask=inputs.real[:, None, None],
                angles=line(inputs.y_angles, 1),
                pattern_keys=None if columns is None else masks.sparse_keys(t, columns, T),
                method="decode_step",
            )
            return cache, hidden[:, 0]

        cache = decoder.apply(variables, encoded, inputs.x_angles, T + 1, method="start_cache")
        cache, hidden = jax.lax.scan(step, cache, jnp.arange(T))
        return hidden.swapaxes(0, 1), cache

    return run(params)


@pytest.mark.parametrize("scan", [False, True])
def test_cached_decoding_equals_the_full_forward(params, inputs, wanted, scan):
    config, params = variant(params, scan_layers=scan)
    encoded = encode(config, params["encoder"], inputs)
    hidden, cache = decode_one_by_one(config, params["decoder"], inputs, encoded)
    np.testing.assert_allclose(hidden, wanted[0], atol=1e-5)
    assert [own["k"].shape for own in cache["self"]] == 2 * [(B * 2, 4, T + 1)]
    assert [cross["v"].shape for cross in cache["cross"]] == 2 * [(B * 2, S, 4)]
    assert not any(own["k"][..., T].any() for own in cache["self"])


@pytest.mark.parametrize("scan", [False, True])
def test_sparse_patterns_reach_the_layers_they_belong_to(params, inputs, wanted, scan):
    """Two layers: row and convolution. Planes that say nothing change nothing, each plane counts, decoding agrees."""
    config, params = variant(params, scan_layers=scan, sparse_patterns=True)
    encoded = encode(config, params["encoder"], inputs)
    run = jax.jit(lambda planes: decode(config, params["decoder"], inputs, encoded, pattern_masks=planes))
    everything, oneself = jnp.ones((3, 1, 1, T, T), bool), jnp.eye(T, dtype=bool)
    np.testing.assert_allclose(run(everything), wanted[0], atol=1e-5)
    changes = [np.abs(run(everything.at[plane].set(oneself)) - wanted[0]).max() for plane in range(3)]
    assert [change > 1e-3 for change in changes] == [name != "column" for name in masks.PATTERNS]
    planes = masks.sparse(jnp.arange(T), jnp.arange(T), 2)[:, None, None]
    hidden, _ = decode_one_by_one(config, params["decoder"], inputs, encoded, columns=2)
    np.testing.assert_allclose(hidden, run(planes), atol=1e-5)


def test_patterns_and_their_switch_go_together(params, inputs):
    planes = jnp.ones((3, 1, 1, T, T), bool)
    with pytest.raises(ConfigError, match="sparse_patterns is False but some were given"):
        decode(CONFIG, params["decoder"], inputs, inputs.x, pattern_masks=planes)
    with pytest.raises(ConfigError, match="sparse_patterns is True but none were given"):
        decode(dataclasses.replace(CONFIG, sparse_patterns=True), params["decoder"], inputs, inputs.x)


def test_masked_inputs_and_later_targets_change_nothing(params, inputs, wanted):
    run = jax.jit(lambda inputs: forward(CONFIG, params, Inputs(**inputs)))
    fields = vars(inputs)
    changed = fields | {"x": inputs.x.at[0, 4:].set(7.0), "x_angles": inputs.x_angles.at[0, 4:].set(1.0)}
    np.testing.assert_array_equal(run(changed), run(fields))
    later = run(fields | {"y": inputs.y.at[:, 3:].set(7.0)})
    np.testing.assert_allclose(later[:, :3], wanted[0][:, :3], atol=1e-6)
    assert np.abs(later[:, 3:] - wanted[0][:, 3:]).min(axis=(0, 2)).max() > 1e-4


def test_positions_count_in_every_attention(params, inputs, wanted):
    run = jax.jit(lambda inputs: forward(CONFIG, params, Inputs(**inputs)))
    fields = vars(inputs)
    assert (
        np.abs(run(fields | {"y_angles": inputs.y_angles + 1.0}) - wanted[0]).max() > 1e-3
    )  # against the encoder's
    assert np.abs(run(fields | {"x_angles": inputs.x_angles * 2.0}) - wanted[0]).max() > 1e-3


def test_bfloat16(params, inputs, wanted):
    config, params = variant(params, scan_layers=True, dtype="bfloat16")
    hidden = jax.jit(lambda params: forward(config, params, inputs))(params)
    assert hidden.dtype == jnp.bfloat16
    assert np.sqrt(np.mean((hidden.astype(jnp.float32) - wanted[0]) ** 2)) < 0.05
    encoded = encode(config, params["encoder"], inputs)
    steps, cache = decode_one_by_one(config, params["decoder"], inputs, encoded)
    assert {leaf.dtype for leaf in jax.tree.leaves(cache)} == {jnp.dtype("bfloat16")}
    assert np.sqrt(np.mean((steps - hidden).astype(jnp.float32) ** 2)) < 0.05


def test_dropout_is_on_only_when_asked(params, inputs):
    config, params = variant(params, scan_layers=True, dropout_rate=0.5)

    @jax.jit
    def run(key):
        return encode(config, params["encoder"], inputs, deterministic=False, rngs={"dropout": key})

    a, b = run(jax.random.key(0)), run(jax.random.key(1))
    assert np.abs(a - b).max() > 1e-2
    np.testing.assert_array_equal(a, run(jax.random.key(0)))
    undropped = dataclasses.replace(config, dropout_rate=0.0)
    kept, wanted = (jax.jit(lambda c=c: encode(c, params["encoder"], inputs))() for c in (config, undropped))
    np.testing.assert_array_equal(kept, wanted)


SIZES = {
    "large": (1024, 16, 64, 2816, 308_334_592, 409_025_536),
    "xl": (2048, 16, 128, 5120, 1_157_734_400, 1_560_442_880),
    "xxl": (3072, 24, 128, 8192, 2_718_065_664, 3_624_115_200),
}


def count(tree) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


@pytest.mark.parametrize(("size", "scan"), [("large", False), ("large", True), ("xl", True), ("xxl", True)])
def test_released_sizes(size, scan):
    width, heads, head_dim, mlp_dim, in_encoder, in_decoder = SIZES[size]
    config = BackboneConfig(
        emb_dim=width,
        num_heads=heads,
        head_dim=head_dim,
        num_encoder_layers=24,
        num_decoder_layers=24,
        mlp_dim=mlp_dim,
        dtype="bfloat16",
        scan_layers=scan,
    )
    x, angles = jnp.zeros((1, 2, width)), jnp.zeros((1, 2, head_dim // 2))
    mask = jnp.ones((1, 1, 2, 2), bool)
    key = jax.random.key(0)
    encoder = jax.eval_shape(lambda: Encoder(config).init(key, x, mask=mask, angles=angles))
    decoder = jax.eval_shape(
        lambda: Decoder(config).init(
            key, x, x, self_mask=mask, cross_mask=mask, angles=angles, encoded_angles=angles
        )
    )
    assert (count(encoder), count(decoder)) == (in_encoder, in_decoder)
    last = decoder["params"]["layers" if scan else "layers_23"]
    assert sorted(last) == sorted(
        ["pre_self_attention_layer_norm", "self_attention", "pre_cross_attention_layer_norm"]
        + ["encoder_decoder_attention", "pre_mlp_layer_norm", "mlp"]
    )


def test_unknown_remat_suggests_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'full'"):
        dataclasses.replace(CONFIG, remat="ful")
