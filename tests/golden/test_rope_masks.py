"""Rotary tables and attention masks against the released model's."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified_io.nn import masks, rope


@pytest.fixture(scope="module")
def fixture(golden):
    folder = golden("rope_masks")
    arrays = {name: jnp.asarray(value) for name, value in np.load(folder / "inputs.npz").items()}
    return json.loads((folder / "config.json").read_text()), arrays | dict(np.load(folder / "outputs.npz"))


def table(angles):
    """Cosine and sine of every angle side by side, as the fixtures hold them."""
    return np.stack([np.cos(angles), np.sin(angles)], axis=-1).reshape(len(angles), -1)


@pytest.mark.parametrize("name", ["text_real", "tiny"])
def test_positions_of_text(fixture, name):
    config, arrays = fixture
    angles = rope.angles_1d(jnp.arange(config["rope1d"][name]["length"]), config["rope1d"][name]["head_dim"])
    np.testing.assert_allclose(table(angles), arrays[f"rope1d/{name}"], atol=1e-4)


@pytest.mark.parametrize(
    "name", ["image_input", "audio_input", "image_target", "audio_target", "image_history", "tiny_rect"]
)
def test_positions_on_a_grid(fixture, name):
    config, arrays = fixture
    grid = config["rope2d"][name]
    height, width = (side // grid["patch_size"] for side in grid["input_size"])
    index = jnp.arange(height * width)
    rows, cols = index // width * grid["resolution"], index % width * grid["resolution"]
    angles = jax.jit(rope.angles_2d, static_argnums=2)(rows, cols, grid["head_dim"])
    np.testing.assert_allclose(table(angles), arrays[f"rope2d/{name}"], atol=2e-5)


def test_rotation(fixture):
    _, arrays = fixture
    angles = rope.angles_1d(arrays["rotary/pos_ids"], arrays["rotary/x"].shape[-1])
    np.testing.assert_allclose(rope.rotate(arrays["rotary/x"], angles), arrays["rotary/out"], atol=1e-5)


SPARSE = jax.jit(masks.sparse, static_argnums=2)
NAMES = {"row": "row", "column": "col", "convolution": "conv"}


@pytest.mark.parametrize("grid", ["small", "square", "image", "audio"])
def test_sparse_patterns(fixture, grid):
    config, arrays = fixture
    height, width = (config["grids"] | config["packed_grids"])[grid]
    index = jnp.arange(height * width)
    for name, plane in zip(masks.PATTERNS, SPARSE(index, index, width), strict=True):
        if grid in config["grids"]:
            wanted = arrays[f"pattern/{grid}/{NAMES[name]}"]
        else:
            wanted = np.unpackbits(arrays[f"pattern_bits/{grid}/{NAMES[name]}"], axis=-1)
        np.testing.assert_array_equal(plane, wanted.astype(bool))


def test_padding_causal_and_segments(fixture):
    _, arrays = fixture
    out = masks.padding(arrays["attention_mask/query"] > 0, arrays["attention_mask/key"] > 0)
    np.testing.assert_array_equal(out, arrays["attention_mask/out"].astype(bool))
    mask, ids = arrays["decoder_mask/mask"] > 0, arrays["decoder_mask/segments"]
    causal = masks.padding(mask, mask) & masks.causal(mask.shape[1])
    np.testing.assert_array_equal(causal, arrays["decoder_mask/causal"].astype(bool))
    segments = jnp.where(mask, ids + 1, 0)
    segmented = masks.segments(segments, segments) & masks.causal(mask.shape[1])
    np.testing.assert_array_equal(segmented, arrays["decoder_mask/segmented"].astype(bool))


def test_dynamic_masking_of_released_targets(golden):
    folder = golden("attention_patterns")
    arrays = dict(np.load(folder / "patterns.npz"))
    for kind, (height, width) in {"image": (32, 32), "audio": (32, 16)}.items():
        hidden = jnp.asarray(arrays[f"{kind}_task_mask"] > 0)
        index = jnp.arange(height * width)
        planes = SPARSE(index, index, width)
        joined = planes[None] & masks.denoising(hidden)[:, None]
        wanted = np.unpackbits(arrays[f"{kind}_with_task_mask"], axis=-1).astype(bool)
        assert hidden.any()
        np.testing.assert_array_equal(joined, wanted[:, :3])
