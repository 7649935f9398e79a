"""Labels a patch: what is read off an encoder, and how far that is from the truth."""

import jax
import jax.numpy as jnp
import numpy as np

from unified_io.encoders.labels import Labelled, LabelledEncoder, LabelObjective, Reading, spread
from unified_io.encoders.vit import Vit, VitConfig

B, P, W, M = 3, 4, 5, 2


def drawn(seed=0):
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=(B, P, M)).astype(np.float32)
    numbers[rng.random(numbers.shape) < 0.3] = np.nan
    batch = {
        "mask": rng.random((B, P)) < 0.7,
        "words": rng.random((B, P, W)) < 0.4,
        "numbers": numbers,
    }
    read = Reading(*(jnp.float32(rng.normal(scale=2, size=(B, P, n))) for n in (W, M)))
    return read, batch


def test_the_loss_is_the_one_written_down():
    read, batch = drawn()
    loss, metrics = LabelObjective(number_weight=0.5)(read, batch)
    logits, numbers = (np.asarray(part, np.float64) for part in read)
    total, squares, known, said, true, both = 0.0, 0.0, 0, 0, 0, 0
    for b, p in np.argwhere(batch["mask"]):
        for w in range(W):
            z, y = logits[b, p, w], batch["words"][b, p, w]
            total -= np.log(1 / (1 + np.exp(-z if y else z)))
            said, true, both = said + (z > 0), true + y, both + (y and z > 0)
        for m in range(M):
            if not np.isnan(batch["numbers"][b, p, m]):
                squares += (numbers[b, p, m] - batch["numbers"][b, p, m]) ** 2
                known += 1
    real = batch["mask"].sum()
    np.testing.assert_allclose(loss, total / real + 0.5 * squares / real, rtol=1e-5)
    expected = {
        "words_found": both / true,
        "words_true": both / said,
        "numbers_explained": 1 - squares / known,
    }
    for name, value in expected.items():
        np.testing.assert_allclose(metrics[name], value, rtol=1e-5)


def test_what_is_no_patch_and_what_nobody_knows_moves_nothing():
    read, batch = drawn()
    slopes = jax.grad(lambda read: LabelObjective()(read, batch)[0])(read)
    assert np.isfinite(slopes.words).all() and np.isfinite(slopes.numbers).all()
    assert (np.asarray(slopes.words)[~batch["mask"]] == 0).all()
    assert (np.asarray(slopes.numbers)[np.isnan(batch["numbers"])] == 0).all()
    assert (np.asarray(slopes.words)[batch["mask"]] != 0).all()


def test_the_reading_sees_both_features():
    config = VitConfig(width=8, num_heads=2, num_layers=3, mlp_dim=12, grid=(2, 2))
    network = LabelledEncoder(Vit(config), (2, 2), W, M)
    patches, mask = jnp.ones((B, P, 6)), jnp.ones((B, P), bool)
    params = network.init(jax.random.key(0), patches, mask)["params"]
    assert set(params) == {"encoder", "head"} and params["head"]["kernel"].unbox().shape == (16, W + M)
    read = network.apply({"params": params}, patches, mask)
    assert read.words.shape == (B, P, W) and read.numbers.shape == (B, P, M)


def test_the_spread_of_numbers_is_that_of_the_known_ones():
    numbers = np.full((2, 3, 3), np.nan, np.float16)
    numbers[0, :, 0], numbers[1, 0, 1] = (1, 2, 6), 5
    mean, deviation = spread(numbers)
    np.testing.assert_allclose(mean, [3, 5, 0])
    np.testing.assert_allclose(deviation, [np.std([1, 2, 6]), 1, 1], rtol=1e-6)


def test_halves_lose_little():
    one = Labelled(np.full((P, 6), 0.3), np.ones(P, bool), np.zeros((P, W), bool), np.full((P, M), 2.7))
    stacked = Labelled.stacked([one.halved, one.halved])
    assert stacked.patches.shape == (2, P, 6) and stacked.patches.dtype == np.float16
    np.testing.assert_allclose(stacked.numbers, 2.7, rtol=1e-3)
