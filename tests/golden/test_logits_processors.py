"""Guidance and constrained decoding of the released runners. They write -10000 where ours writes -inf."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

from unified_io.generation import constraints
from unified_io.generation.decode import guided
from unified_io.vocab import EOS, Vocabulary

RELEASED = Vocabulary(None, 32000, 33280)
IDS = np.arange(RELEASED.size)


@pytest.fixture(scope="module")
def fixture(golden):
    folder = golden("logits_processors")
    arrays = {**np.load(folder / "inputs.npz"), **np.load(folder / "outputs.npz")}
    return arrays, json.loads((folder / "config.json").read_text())


def test_guidance(fixture):
    arrays, config = fixture

    def step(state, ids, index):
        return jnp.asarray(state), state

    logits, _ = guided(step, config["guidance_alpha"])(arrays["guidance/scores"], jnp.zeros(1, jnp.int32), 0)
    np.testing.assert_allclose(logits, arrays["guidance/out"][:1], atol=3e-5)


@pytest.mark.parametrize("case", ["boxes_low", "boxes_high"])
@pytest.mark.parametrize("step, required", [(1, 0), (1, 1), (3, 1)])
def test_boxes(fixture, case, step, required):
    """The released step counts the start token, so its first is 1."""
    arrays, config = fixture
    scores = arrays[f"{case}/scores"]
    constraint = constraints.chain(
        constraints.prefer(RELEASED.is_location(IDS), config["thresh"]),
        constraints.forbid_before(required, IDS == EOS),
    )
    out = np.asarray(constraint(jnp.asarray(scores), step - 1))
    name = f"{case}/step{step}_req{required}"
    np.testing.assert_array_equal(np.flatnonzero(out != scores), arrays[f"{name}_changed"])
    assert out.argmax() == arrays[f"{name}_argmax"][0]


def test_keypoints(fixture):
    arrays, config = fixture
    scores = arrays["keypoints/scores"]
    masks = [RELEASED.is_location(IDS) if id < 0 else id == IDS for id in arrays["keypoints/forced"]]
    constraint = constraints.schedule(np.stack(masks))
    for step in config["keypoint_steps"]:
        out = np.asarray(constraint(jnp.asarray(scores), step))
        name = f"keypoints/step{step}"
        assert out.argmax() == arrays[f"{name}_argmax"][0]
        if (
            step >= len(masks) or masks[step].sum() > 1
        ):  # where a token is forced, the port changes all scores
            np.testing.assert_array_equal(np.flatnonzero(out != scores), arrays[f"{name}_changed"])
        else:
            np.testing.assert_array_equal(np.flatnonzero(np.isfinite(out)), arrays[f"{name}_argmax"])
