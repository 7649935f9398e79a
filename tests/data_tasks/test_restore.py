"""Restoring a picture or a sound: the decoder is told what the encoder was not shown, and may make use of it."""

import flax.linen as nn
import jax
import numpy as np
import pytest

from data_tasks.formats.restore import RestorePatches
from tests.tiny import MEL, featurize, tiny_batch, tiny_config
from unified_io.loss import total_loss
from unified_io.model import Network, parameter_shapes

FORMATS = {
    "image": RestorePatches("denoise_image", "image", cells=(2, 2)),
    "audio": RestorePatches("denoise_audio", "audio", cells=(4, 4), stretches=0.5),
}


def restored(medium, seed, with_hidden=True):
    rng = np.random.default_rng(seed)
    raw = {
        "image": rng.random((16, 16, 3), np.float32),
        "image_target": rng.random((8, 8, 3), np.float32),
        "audio": rng.normal(-4, 1, (MEL.frames, MEL.mels)).astype(np.float32),
        "label": np.array([3]),
        "id": "one",
    }
    fields = FORMATS[medium](raw, np.random.default_rng(seed + 100))
    assert fields.keys() == {*FORMATS[medium].writes}
    return fields if with_hidden else {k: v for k, v in fields.items() if "hidden" not in k}


@pytest.mark.parametrize("medium", FORMATS)
def test_what_is_hidden_of_the_target_is_what_is_hidden_of_the_input(medium):
    for seed in range(20):
        fields = restored(medium, seed)
        keep, hidden = fields[f"{medium}_input_masks"], fields[f"{medium}_target_hidden_masks"]
        target = fields[f"{medium}_targets"]
        assert hidden.shape == target.shape[:2] and hidden.any() and not hidden.all()
        across = keep.shape[0] // hidden.shape[0]
        np.testing.assert_array_equal(np.kron(hidden, np.ones((across, across), bool)), ~keep)


def test_only_dynamic_masking_makes_use_of_it():
    layers = {"num_encoder_layers": 1, "num_decoder_layers": 1}
    told, untold = (
        [restored(medium, seed, with_hidden) for medium in FORMATS for seed in range(2)]
        for with_hidden in (True, False)
    )
    rng, losses = np.random.default_rng(0), {}
    shapes = nn.unbox(parameter_shapes(tiny_config(**layers)))
    params = jax.tree.map(lambda leaf: rng.normal(0, 0.1, leaf.shape).astype(leaf.dtype), shapes)
    for dynamic in (False, True):
        config = tiny_config(dynamic_masking=dynamic, **layers)
        module = Network(config)
        batches = [tiny_batch(config, featurize(config, fields)) for fields in (told, untold)]
        loss = jax.jit(lambda p, batch, module=module: total_loss(module.apply({"params": p}, batch))[0])
        losses[dynamic] = [float(loss(params, batch)) for batch in batches]
    assert losses[False][0] == losses[False][1] == pytest.approx(losses[True][1], abs=1e-6)
    assert abs(losses[True][0] - losses[True][1]) > 1e-4
