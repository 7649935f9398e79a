"""BEATs against a restatement in NumPy from the published formulas, its size, and laws."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified_io.encoders.beats import Beats, BeatsConfig, buckets
from unified_io.errors import ConfigError

SIZES = {
    "mels": 8,
    "patch": 4,
    "patch_width": 6,
    "width": 12,
    "num_heads": 3,
    "num_layers": 2,
    "mlp_dim": 10,
    "position_window": 6,
    "position_groups": 2,
    "num_buckets": 8,
    "max_distance": 9,
}
CONFIG = BeatsConfig(**SIZES)
FRAMES = 20


@pytest.fixture(scope="module")
def mel():
    return np.random.default_rng(0).normal(size=(2, FRAMES, 8)).astype(np.float32)


@pytest.fixture(scope="module")
def mask():
    return np.arange(FRAMES) < np.array([[FRAMES], [10]])


@pytest.fixture(scope="module")
def params(mel):
    drawn = nn.meta.unbox(jax.jit(Beats(CONFIG).init)(jax.random.key(0), mel))["params"]
    rng = np.random.default_rng(1)
    return jax.tree.map(lambda leaf: np.float32(leaf + 0.3 * rng.normal(size=leaf.shape)), drawn)


@pytest.fixture(scope="module")
def run(params):
    return jax.jit(lambda mel, mask: Beats(CONFIG).apply({"params": params}, mel, mask))


def bucket(key, query):
    """The row of a pair, case by case."""
    away, half = abs(key - query), SIZES["num_buckets"] // 2
    later = half if key > query else 0
    exact = half // 2
    if away < exact:
        return later + away
    grown = math.log(away / exact) / math.log(SIZES["max_distance"] / exact) * (half - exact)
    return later + min(exact + int(grown), half - 1)


def norm(x, p):
    deviation = np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    return (x - x.mean(-1, keepdims=True)) / deviation * p["scale"] + p["bias"]


def dense(x, p):
    return x @ p["kernel"] + p.get("bias", 0.0)


def gelu(x):
    return x * 0.5 * (1.0 + np.vectorize(math.erf)(x / math.sqrt(2.0)))


def restated(p, mel, real_frames, config=CONFIG):
    """One sound, patch by patch and head by head, in float64."""
    p = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), p)
    mel = mel[:real_frames].astype(np.float64)
    mel = np.concatenate([mel, np.zeros((-real_frames % 4, 8))])
    stem = p["stem"]["kernel"][:, :, 0]
    patches = [
        np.einsum("tf,tfd->d", mel[t : t + 4, f : f + 4], stem) for t in range(0, len(mel), 4) for f in (0, 4)
    ]
    x = dense(norm(np.stack(patches), p["stem_norm"]), p["projection"])
    length = len(x)
    v, g = p["positions"]["direction"], p["positions"]["length"]
    kernel = np.stack([g[k] * v[k] / np.sqrt((v[k] ** 2).sum()) for k in range(6)])
    around = np.pad(x, ((3, 3), (0, 0)))
    moved = np.zeros_like(x)
    for s in range(length):
        for group in range(2):
            channels = slice(6 * group, 6 * group + 6)
            moved[s, channels] = sum(around[s + k, channels] @ kernel[k][:, channels] for k in range(6))
    x = norm(x + gelu(moved + p["positions"]["bias"]), p["norm"])
    alpha = (2 * config.num_layers) ** 0.25 if config.deep_norm else 1.0
    for i in range(config.num_layers):
        block = p[f"block_{i}"]
        own = block["self_attention"]
        q, k, v = (
            dense(x, own["attention"][name]).reshape(length, 3, 4) for name in ("query", "key", "value")
        )
        mixed = np.zeros((length, 3, 4))
        for h in range(3):
            for s in range(length):
                gate = 1.0
                if config.gated:
                    eight = dense(q[s, h], own["gate"])
                    a, b = (1.0 / (1.0 + math.exp(-part.sum())) for part in (eight[:4], eight[4:]))
                    gate = a * (b * own["gate_scale"][h] - 1.0) + 2.0
                bias = np.array([p["distance_bias"][bucket(t, s), h] for t in range(length)])
                logits = k[:, h] @ q[s, h] / 2.0 + gate * bias
                weights = np.exp(logits - logits.max())
                mixed[s, h] = weights / weights.sum() @ v[:, h]
        x = norm(
            alpha * x + dense(mixed.reshape(length, 12), own["attention"]["out"]), block["attention_norm"]
        )
        inner = gelu(dense(x, block["mlp"]["wi"]))
        x = norm(alpha * x + dense(inner, block["mlp"]["wo"]), block["mlp_norm"])
    return x


def test_tokens_are_those_of_the_formulas(mel, mask, params, run):
    ours = run(mel, mask)
    np.testing.assert_array_equal(ours.mask, [[True] * 10, [True] * 6 + [False] * 4])
    np.testing.assert_allclose(ours.tokens[0], restated(params, mel[0], FRAMES), atol=2e-5)
    np.testing.assert_allclose(ours.tokens[1, :6], restated(params, mel[1], 10), atol=2e-5)


@pytest.mark.parametrize("off", ["gated", "deep_norm"])
def test_switches_are_those_of_the_formulas(mel, params, off):
    config = BeatsConfig(**SIZES, **{off: False})
    own = params
    if off == "gated":
        own = {name: dict(value) if name.startswith("block") else value for name, value in params.items()}
        for name in ("block_0", "block_1"):
            own[name]["self_attention"] = {"attention": params[name]["self_attention"]["attention"]}
    ours = jax.jit(Beats(config).apply)({"params": own}, mel[:1])
    np.testing.assert_allclose(ours.tokens[0], restated(own, mel[0], FRAMES, config), atol=2e-5)


def test_masked_frames_change_nothing(mel, mask, run):
    changed = run(np.where(mask[..., None], mel, 9.0).astype(np.float32), mask)
    before = run(mel, mask)
    np.testing.assert_array_equal(before.tokens[before.mask], changed.tokens[changed.mask])
    assert np.isfinite(changed.tokens).all()


def test_no_mask_is_a_mask_of_real_frames(mel, params, run):
    bare = jax.jit(Beats(CONFIG).apply)({"params": params}, mel)
    np.testing.assert_allclose(bare.tokens, run(mel, np.ones((2, FRAMES), bool)).tokens, atol=1e-6)


def test_rows_of_the_bias_table():
    """Ten rows for each side; the drawn row is that of the first query at the released sizes."""
    ours = buckets(12, SIZES["num_buckets"], SIZES["max_distance"])
    np.testing.assert_array_equal(ours, [[bucket(k, q) for k in range(12)] for q in range(12)])
    released = buckets(1000, 320, 800)
    np.testing.assert_array_equal(released[0, :80], [0, *range(161, 240)])
    assert released[0, 999] == 319 and released[999, 0] == 159 and released[5, 5] == 0


def test_the_released_size():
    mel = jnp.zeros((1, 512, 128))
    params = nn.meta.unbox(jax.eval_shape(Beats().init, jax.random.key(0), mel))["params"]
    block = 4 * (768**2 + 768) + (768 * 3072 + 3072) + (3072 * 768 + 768) + 4 * 768 + (64 * 8 + 8) + 12
    stem = 256 * 512 + 2 * 512 + (512 * 768 + 768) + (128 * 48 * 768 + 128 + 768) + 2 * 768 + 320 * 12
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == stem + 12 * block
    features = jax.eval_shape(Beats().apply, {"params": params}, mel)
    assert features.tokens.shape == (1, 256, 768) and features.pooled is None


def test_bad_sizes_are_errors():
    with pytest.raises(ConfigError, match="multiple of 4 and"):
        Beats(CONFIG).init(jax.random.key(0), jnp.zeros((1, 18, 8)))
    with pytest.raises(ConfigError, match="position_groups 5"):
        BeatsConfig(position_groups=5)
    with pytest.raises(ConfigError, match="mels 100"):
        BeatsConfig(mels=100)
    with pytest.raises(ConfigError, match="max_distance 80 more"):
        BeatsConfig(max_distance=80)
