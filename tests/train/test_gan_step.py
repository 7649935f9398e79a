"""Two networks against each other in one step: it repeats itself, keeps a mean, waits its turn, and stays finite."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from unified_io.tokenizers.adversary import Adversary
from unified_io.tokenizers.discriminators import PatchConfig
from unified_io.tokenizers.quantizer import Quantizer
from unified_io.train.optimizer import OptimizerConfig, ScheduleConfig, build
from unified_io.train.tokenizer import init_tokenizer_state, make_tokenizer_step

ADVERSARY = Adversary(PatchConfig(channels=4, layers=1, groups=2), feature_weight=0.1)
OPTIMIZER, JUDGE = optax.adam(1e-2), optax.adam(1e-3)


@dataclasses.dataclass(frozen=True)
class Config:
    codebook_size: int = 8


class Pixels(nn.Module):
    """Quantizes every pixel [B, h, w, 2] as it stands, and draws it through one layer."""

    config: Config = Config()

    @nn.compact
    def __call__(self, media):
        entries, out = Quantizer(self.config.codebook_size, 2, name="quantize")(
            media.reshape(len(media), -1, 2)
        )
        return out._replace(media=nn.Dense(2, name="draw")(entries).reshape(media.shape))


NETWORKS = (Pixels(), ADVERSARY.discriminator.build())
BLANK = jnp.zeros((4, 8, 8, 2))


def pictures(seed):
    return {"media": jnp.asarray(np.random.default_rng(seed).normal(size=(4, 8, 8, 2)), jnp.float32)}


def options(adversary=ADVERSARY, ema_decay=0.9, judge=JUDGE):
    return {"adversary": adversary, "judge_optimizer": judge if adversary else None, "ema_decay": ema_decay}


def run(steps, batch=pictures, interrupted=None, optimizer=OPTIMIZER, **chosen):
    chosen = options(**chosen)
    state = init_tokenizer_state(Pixels(), optimizer, batch(0), seed=3, **chosen)
    step, seen = make_tokenizer_step(Pixels(), optimizer, seed=3, **chosen), []
    for number in range(steps):
        if number == interrupted:
            state = jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)), state)
            step = make_tokenizer_step(Pixels(), optimizer, seed=3, **chosen)
        state, metrics = step(state, batch(number))
        seen.append((jax.device_get(state.params), {name: float(x) for name, x in metrics.items()}))
    return jax.device_get(state), seen


def equal(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


def test_a_resumed_run_is_the_same_run():
    whole, metrics = run(6)
    parts, again = run(6, interrupted=3)
    equal(whole, parts)
    assert metrics[-1][1] == again[-1][1]


def test_before_its_start_the_judge_changes_nothing():
    late = dataclasses.replace(ADVERSARY, start=4)
    alone, _ = run(4, adversary=None)
    state, seen = run(5, adversary=late)
    equal(seen[3][0], alone.params)
    first = init_tokenizer_state(Pixels(), OPTIMIZER, pictures(0), seed=3, **options())
    waiting, _ = run(4, adversary=late)
    equal(waiting.extra["judge"], jax.device_get(first.extra["judge"]))
    moved = jax.tree.map(lambda a, b: np.abs(a - b).max(), state.extra["judge"], waiting.extra["judge"])
    assert max(jax.tree.leaves(moved)) > 0


def test_the_mean_is_that_of_the_parameters_behind_each_step():
    state, seen = run(5)
    mean = jax.device_get(init_tokenizer_state(Pixels(), OPTIMIZER, pictures(0), seed=3, **options()).params)
    for number, (params, _) in enumerate(seen):
        decay = min(0.9, (number + 1) / (number + 10))
        mean = jax.tree.map(lambda m, p, d=decay: d * m + (1 - d) * p, mean, params)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), state.extra["ema"], mean
    )


def test_the_judge_learns_to_tell():
    # Who draws noise as noise of another size is found out.
    _, seen = run(150, optimizer=optax.sgd(0.0), judge=optax.adam(1e-2))
    assert np.mean([metrics["judge/accuracy"] for _, metrics in seen[-10:]]) > 0.9
    assert seen[-1][1]["judge/loss"] < 0.5 * seen[0][1]["judge/loss"]


@pytest.mark.parametrize("value", [0.0, 1.0, 1e4, 1e30])
def test_nothing_becomes_nan_on_what_is_constant_silent_or_extreme(value):
    config = OptimizerConfig(learning_rate=ScheduleConfig(factors="constant", base=1e-2))
    guarded = [
        build(config, jax.eval_shape(lambda n=n: n.init(jax.random.key(0), BLANK)["params"]))
        for n in NETWORKS
    ]

    def batch(number):
        return {"media": jnp.full((4, 8, 8, 2), value)} if number % 2 else pictures(number)

    state, seen = run(8, batch=batch, optimizer=guarded[0], judge=guarded[1])
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((state.params, state.extra["ema"])))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state.extra["judge"]))
    assert np.isfinite(seen[6][1]["loss"]) and np.isfinite(seen[6][1]["judge/loss"])
