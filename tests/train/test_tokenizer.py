"""The training step of a tokenizer: it learns, repeats itself, and keeps its codebook alive."""

import dataclasses
import time

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from unified_io.checkpoint import PARAMS_FOLDER
from unified_io.errors import ConfigError
from unified_io.tokenizers.objectives import TokenizerObjective
from unified_io.tokenizers.quantizer import Quantizer
from unified_io.tokenizers.vit_vqgan import ViTVQGAN, ViTVQGANConfig
from unified_io.train.codebook import Codebook
from unified_io.train.optimizer import guard
from unified_io.train.tokenizer import init_tokenizer_state, make_tokenizer_step
from unified_io.train.tokenizer_job import TokenizerJob
from unified_io.train.watchdog import Stalled


@dataclasses.dataclass(frozen=True)
class PointConfig:
    codebook_size: int = 32


class Points(nn.Module):
    """The least tokenizer there is: every point of a medium [B, L, 2] is quantized as it stands."""

    config: PointConfig = PointConfig()

    @nn.compact
    def __call__(self, media):
        entries, out = Quantizer(self.config.codebook_size, 2, name="quantize")(media)
        return out._replace(media=entries)


SGD = optax.sgd(0.1)


def points(seed, spread=1.0):
    rng = np.random.default_rng(seed)
    return {"media": jnp.asarray(rng.normal(size=(4, 16, 2)) * spread, jnp.float32)}


def entries(state):
    return np.asarray(state.params["quantize"]["embedding"])


def are_rows_of(rows, array):
    return np.array([(np.abs(array - row).max(-1) < 1e-7).any() for row in rows])


def test_the_first_step_takes_its_codebook_from_the_data():
    state = init_tokenizer_state(Points(), SGD, points(0), seed=0)
    state, metrics = make_tokenizer_step(Points(), SGD, seed=0)(state, points(0))
    vectors = np.asarray(points(0)["media"]).reshape(-1, 2)
    assert are_rows_of(entries(state), vectors).all()
    assert len(np.unique(entries(state), axis=0)) == 32
    assert float(metrics["codes_reset"]) == 32
    np.testing.assert_array_equal(state.extra["code_usage"], np.ones(32))
    assert int(state.step) == 1


def test_only_dead_codes_are_reset_and_only_when_it_is_time():
    step = make_tokenizer_step(
        Points(), optax.sgd(0.0), codebook=Codebook(reset_every=3, reset_below=0.6, usage_decay=0.5), seed=0
    )
    state = init_tokenizer_state(Points(), SGD, points(0), seed=0)
    state, _ = step(state, points(0))
    # Nothing is near the first half of the codebook any more, and everything near the second.
    moved = entries(state) + np.array([100.0, 0.0]) * (np.arange(32) < 16)[:, None]
    state = state.replace(params={"quantize": {"embedding": jnp.asarray(moved)}})
    state, metrics = step(state, points(1))
    np.testing.assert_array_equal(entries(state), moved.astype(np.float32))
    assert float(metrics["codes_reset"]) == 0
    usage = np.asarray(state.extra["code_usage"])
    state, metrics = step(state, points(2))
    reset = (entries(state) != moved.astype(np.float32)).any(-1)
    assert reset[:16].all()
    assert float(metrics["codes_reset"]) == reset.sum()
    assert not reset[usage > 1.2].any()
    assert are_rows_of(entries(state)[reset], np.asarray(points(2)["media"]).reshape(-1, 2)).all()


def test_a_collapsed_codebook_comes_back_to_life():
    step = make_tokenizer_step(Points(), SGD, codebook=Codebook(reset_every=5), seed=0)
    state = init_tokenizer_state(Points(), SGD, points(0), seed=0)
    state, _ = step(state, points(0))
    state = state.replace(params={"quantize": {"embedding": jnp.full((32, 2), 50.0)}})
    for i in range(200):
        state, metrics = step(state, points(i))
    assert float(metrics["usage"]) > 0.6
    assert float(metrics["average_usage"]) > 0.9
    assert float(metrics["average_perplexity"]) > 16


def test_a_batch_of_nan_does_not_reach_the_codebook():
    optimizer = guard(SGD, lambda _: 0.1, clip_norm=None)
    step = make_tokenizer_step(Points(), optimizer, codebook=Codebook(reset_every=2, usage_decay=0.0), seed=0)
    state = init_tokenizer_state(Points(), optimizer, points(0), seed=0)
    state, _ = step(state, points(0))
    before = entries(state)
    state, metrics = step(state, {"media": points(0)["media"].at[0, 0].set(jnp.nan)})
    assert float(metrics["skipped_steps"]) == 1
    np.testing.assert_array_equal(entries(state), before)


def test_a_resumed_run_is_the_same_run():
    step = make_tokenizer_step(Points(), SGD, codebook=Codebook(reset_every=2), seed=3)
    runs = []
    for interrupted in (False, True):
        state = init_tokenizer_state(Points(), SGD, points(0), seed=3)
        for i in range(6):
            state, metrics = step(state, points(i))
            if interrupted and i == 2:
                state = jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)), state)
                step = make_tokenizer_step(Points(), SGD, codebook=Codebook(reset_every=2), seed=3)
        runs.append((state, metrics))
    jax.tree.map(np.testing.assert_array_equal, *runs)


def test_entries_are_means_of_the_vectors_they_stand_for():
    codebook = Codebook(reset_every=1000, mean_decay=0.0)
    objective = TokenizerObjective(codebook_weight=0.0)
    step = make_tokenizer_step(Points(), SGD, objective=objective, codebook=codebook, seed=0)
    state = init_tokenizer_state(Points(), SGD, points(0), codebook=codebook, seed=0)
    state, _ = step(state, points(0))
    before = entries(state)
    state, _ = step(state, points(1))
    vectors = np.asarray(points(1)["media"]).reshape(-1, 2)
    codes = np.argmin(((vectors[:, None] - before) ** 2).sum(-1), axis=1)
    for code in range(32):
        mine = vectors[codes == code]
        expected = mine.mean(0) if len(mine) else before[code]
        np.testing.assert_allclose(entries(state)[code], expected, atol=1e-5)


def test_means_bring_entries_nearer_than_they_were():
    codebook, objective = Codebook(mean_decay=0.9), TokenizerObjective(codebook_weight=0.0)
    step = make_tokenizer_step(Points(), SGD, objective=objective, codebook=codebook, seed=0)
    state = init_tokenizer_state(Points(), SGD, points(0), codebook=codebook, seed=0)
    errors = []
    for i in range(120):
        state, metrics = step(state, points(i))
        errors.append(float(metrics["squared_error"]))
    assert np.mean(errors[-20:]) < 0.9 * np.mean(errors[1:11])
    assert float(metrics["average_usage"]) > 0.9


def test_a_tokenizer_learns():
    config = ViTVQGANConfig(
        width=16, num_heads=2, head_dim=8, num_layers=1, mlp_dim=32,
        patch=4, codebook_size=16, code_dim=4, frames=8, mels=8,
    )  # fmt: skip
    tokenizer, optimizer = ViTVQGAN(config), optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(1e-2))
    # Four patterns a patch: sixteen codes are more than enough.
    rng = np.random.default_rng(0)
    patterns = rng.normal(size=(4, 4, 4)).astype(np.float32)

    def batch():
        choice = patterns[rng.integers(0, 4, (8, 2, 2))]
        return {"media": jnp.asarray(choice.transpose(0, 1, 3, 2, 4).reshape(8, 8, 8, 1))}

    state = init_tokenizer_state(tokenizer, optimizer, batch(), seed=0)
    step = make_tokenizer_step(tokenizer, optimizer, codebook=Codebook(reset_every=10), seed=0)
    state, first = step(state, batch())
    for _ in range(150):
        state, last = step(state, batch())
    assert float(last["squared_error"]) < 0.1 * float(first["squared_error"])
    assert all(np.shape(value) == () for value in last.values())


@dataclasses.dataclass(frozen=True)
class StuckJob(TokenizerJob):
    """A job whose second batch never comes."""

    def _batches(self, media, start_step):
        yield {"media": media}
        time.sleep(600)


def test_a_job_that_stops_moving_ends_with_an_error(tmp_path):
    with pytest.raises(Stalled, match="waited 2 s for"):
        StuckJob(3, watchdog_s=2.0).train(Points(), np.asarray(points(0)["media"]), tmp_path)


def test_a_job_is_for_one_process(tmp_path, monkeypatch):
    monkeypatch.setattr(jax, "process_count", lambda: 4)
    media = np.asarray(points(0)["media"])
    with pytest.raises(
        ConfigError, match=r"trained by one process; this is one of 4\. Start the same command as"
    ):
        TokenizerJob(3).train(Points(), media, tmp_path)
    (tmp_path / PARAMS_FOLDER).mkdir()
    assert TokenizerJob(3).train(Points(), media, tmp_path) == tmp_path / PARAMS_FOLDER


@pytest.mark.slow
def test_digits_can_still_be_read_after_the_image_tokenizer():
    from sklearn.datasets import load_digits
    from sklearn.svm import SVC

    from unified_io.tokenizers.vqgan import VQGAN, VQGANConfig

    digits, labels = load_digits(return_X_y=True)
    digits = (digits / 16).reshape(-1, 8, 8).astype(np.float32)
    pixels = digits.repeat(2, 1).repeat(2, 2)[..., None].repeat(3, -1) * 2 - 1
    tokenizer = VQGAN(VQGANConfig(16, (1, 2, 2), 1, (), 16, 8, 8, 256, 8))
    rate = optax.warmup_cosine_decay_schedule(0.0, 8e-3, 40, 400)
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(rate, b2=0.99))
    rng = np.random.default_rng(0)
    batch = lambda: {"media": pixels[rng.integers(0, 1258, 16)]}  # noqa: E731
    state = init_tokenizer_state(tokenizer, optimizer, batch(), seed=0)
    step = make_tokenizer_step(tokenizer, optimizer, seed=0)
    for _ in range(400):
        state, metrics = step(state, batch())
    assert float(metrics["average_usage"]) > 0.6

    seen = jax.jit(tokenizer.apply)({"params": state.params}, pixels[1528:]).media
    error = np.mean(np.square(np.clip(seen, -1, 1) - pixels[1528:]))
    assert 10 * np.log10(4 / error) > 22
    drawn = (np.clip(np.asarray(seen), -1, 1).mean(-1) + 1).reshape(-1, 8, 2, 8, 2).mean((2, 4)) / 2
    judge = SVC(C=10).fit(digits[:1258].reshape(1258, -1), labels[:1258])
    original, redrawn = (judge.score(x.reshape(len(x), -1), labels[1528:]) for x in (digits[1528:], drawn))
    assert redrawn > original - 0.02
