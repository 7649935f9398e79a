"""What maker and judge want of each other, against plain NumPy, and the weight that keeps them level."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified_io.errors import ConfigError
from unified_io.tokenizers.adversary import Adversary
from unified_io.tokenizers.discriminators import Verdict

RNG = np.random.default_rng(0)
REAL, MADE = RNG.normal(size=(2, 4, 4, 1)), RNG.normal(size=(2, 4, 4, 1)) + 0.5
STEP = jnp.array(10)


def judge(media):
    """Two judges: the places themselves, and their squares."""
    return Verdict((media - 0.2, media**2), (2 * media, media + 1))


def others(media):
    return jnp.mean((media - REAL) ** 2)


def told(adversary, step=STEP):
    return adversary.to_tell(judge, MADE, REAL, step)


def test_the_hinge_counts_what_lies_within_the_margin():
    real, made = (REAL - 0.2, REAL**2), (MADE - 0.2, MADE**2)
    expected = sum(
        (np.maximum(1 - r, 0).mean() + np.maximum(1 + m, 0).mean()) / 2
        for r, m in zip(real, made, strict=True)
    )
    loss, metrics = told(Adversary())
    assert loss == pytest.approx(expected / 2, rel=1e-5)
    right = [((r > 0).mean() + (m < 0).mean()) / 2 for r, m in zip(real, made, strict=True)]
    assert metrics["judge/accuracy"] == pytest.approx(np.mean(right), rel=1e-6)


def test_least_squares_are_those_of_hifi_gan():
    adversary = Adversary(kind="squares", adaptive=False, weight=1.0, feature_weight=2.0)
    real, made = (REAL - 0.2, REAL**2), (MADE - 0.2, MADE**2)
    expected = sum(((1 - r) ** 2).mean() + (m**2).mean() for r, m in zip(real, made, strict=True))
    assert told(adversary)[0] == pytest.approx(expected, rel=1e-5)
    loss, _ = adversary.to_pass(judge, MADE, REAL, others, STEP)
    passed = sum(((1 - m) ** 2).mean() for m in made)
    features = 3 * np.abs(MADE - REAL).mean()
    assert loss == pytest.approx(passed + 2 * features, rel=1e-5)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_the_adaptive_weight_pulls_as_strongly_as_the_rest(scale):
    adversary = Adversary(weight=0.5)
    made = jnp.asarray(MADE, jnp.float32)

    def loud(media):
        return Verdict(tuple(scale * logits for logits in judge(media).logits), ())

    added = jax.grad(lambda media: adversary.to_pass(loud, media, REAL, others, STEP)[0])(made)
    rest = jax.grad(others)(made)
    assert jnp.linalg.norm(added) == pytest.approx(0.5 * float(jnp.linalg.norm(rest)), rel=1e-2)


def test_before_its_start_it_neither_counts_nor_learns():
    adversary = Adversary(start=11)
    loss, _ = adversary.to_pass(judge, MADE, REAL, others, STEP)
    assert loss == 0 and told(adversary)[0] == 0
    assert told(adversary, STEP + 1)[0] > 0
    assert adversary.to_pass(judge, MADE, REAL, others, STEP + 1)[0] != 0


def test_what_the_judge_says_does_not_move_what_was_made():
    gradient = jax.grad(lambda made: Adversary().to_tell(judge, made, REAL, STEP)[0])(jnp.asarray(MADE))
    assert not np.asarray(gradient).any()


def test_nothing_to_pull_at_stays_finite():
    still = jnp.zeros((1, 4, 4, 1))
    flat = lambda media: Verdict((0 * media,), ())  # noqa: E731
    loss, metrics = Adversary().to_pass(flat, still, still, lambda media: 0 * media.sum(), STEP)
    assert np.isfinite(loss) and np.isfinite(metrics["adversary/share"])


def test_impossible_adversaries_are_refused():
    with pytest.raises(ConfigError, match="hinge"):
        Adversary(kind="hing")
    with pytest.raises(ConfigError, match="0 or more"):
        Adversary(weight=-1.0)
