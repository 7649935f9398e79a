"""The loss of a tokenizer, by hand."""

import jax.numpy as jnp
import numpy as np
import pytest

from unified_io.tokenizers.objectives import TokenizerObjective, psnr
from unified_io.tokenizers.quantizer import Reconstruction


def reconstruction(media):
    codes = jnp.array([[0, 1, 1, 0]], jnp.int32)
    return Reconstruction(media, codes, jnp.zeros((1, 4, 2)), jnp.float32(0.5), jnp.float32(0.25))


def test_the_loss_adds_up():
    media = jnp.zeros((1, 2, 2, 1))
    objective = TokenizerObjective(
        absolute_weight=3.0, squared_weight=5.0, codebook_weight=7.0, commitment_weight=11.0
    )
    loss, metrics = objective(reconstruction(media + 0.2), media, codebook_size=8)
    assert float(loss) == pytest.approx(3 * 0.2 + 5 * 0.04 + 7 * 0.5 + 11 * 0.25)
    assert float(metrics["loss"]) == float(loss)
    assert float(metrics["absolute_error"]) == pytest.approx(0.2)
    assert float(metrics["squared_error"]) == pytest.approx(0.04)
    assert float(metrics["psnr"]) == pytest.approx(20.0)
    assert float(metrics["usage"]) == 0.25
    assert float(metrics["perplexity"]) == pytest.approx(2.0)
    assert all(np.shape(value) == () and value.dtype == jnp.float32 for value in metrics.values())


def test_no_error_is_a_hundred_decibels():
    assert float(psnr(jnp.float32(0.0), 2.0)) == pytest.approx(100.0)
    assert float(psnr(jnp.float32(4.0), 2.0)) == pytest.approx(0.0)
