"""The published systems at their full size, by shape alone; numbers are those of the papers or derived from them."""

import math
from collections import Counter

import flax.linen as nn
import jax
import pytest

from unified_io import pytree
from unified_io.gin_edge import session
from unified_io.model import blank_batch, parameter_shapes
from unified_io.reliability.memory import component

# In millions, rounded as the sources give them.
PARTS = {
    "anymal": {"language_model": 13016 + 250, "shared_imu_encoder": 0.85},
    "x_instructblip": {
        "language_model": 6738,
        "shared_image_encoder": 986,
        "shared_image_connector": 188.8,
        "shared_audio_connector": 182.9,
        "shared_point_cloud_connector": 180.6,
    },
    "lynx": {"language_model": 6738 + 268.7, "shared_image_connector": 419.8, "shared_image_encoder": 986},
    "s3": {"shared_image_connector": 71.3, "shared_audio_connector": 71.3},
}
SOFT = {
    "anymal": {"image": 64, "video": 32, "audio": 32, "imu": 32},
    "x_instructblip": {"image": 32, "video": 160, "audio": 64, "point_cloud": 32},
    "lynx": {"image": 32, "video": 32},
    "s3": {"image": 4, "audio": 4},
}


@pytest.mark.parametrize("name", PARTS)
def test_a_published_system_has_its_parameters_and_soft_tokens(name):
    config = session.build_macro(session.parse([f"model/{name}.gin"], []), "MODEL")
    shapes = parameter_shapes(config)
    counts: Counter[str] = Counter()
    for path, leaf in pytree.named_leaves(nn.unbox(shapes)).items():
        counts[component(path)] += math.prod(leaf.shape) / 1e6
    for part, expected in PARTS[name].items():
        assert counts[part] == pytest.approx(expected, rel=2e-3), part
    assert {m.name: m.slot_size for m in config.inputs if m.name != "text"} == SOFT[name]
    scored = jax.eval_shape(
        lambda params, batch: config.network().apply({"params": params}, batch),
        nn.unbox(shapes),
        blank_batch(config),
    )
    assert scored["text"].logits.shape[-1] == config.backbone.vocab_size
