"""Which kinds of fixtures the reference computes."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from reference import model_fixtures, part_fixtures
from reference.part_fixtures import Arrays, Config, Outputs
from reference.weights import Weights

KINDS: Mapping[str, Callable[[Config, Weights, Arrays], Outputs]] = {
    "image_encoder": part_fixtures.image_encoder,
    "audio_encoder": part_fixtures.audio_encoder,
    "image_resampler": part_fixtures.history_resampler,
    "audio_resampler": part_fixtures.history_resampler,
    "image_vqgan": part_fixtures.image_vqgan,
    "audio_vqgan": part_fixtures.audio_vqgan,
    "hifigan": part_fixtures.hifigan,
    "encoder": model_fixtures.encoder,
    "full_forward": model_fixtures.full_forward,
    "decode": model_fixtures.decode,
}


def compute(config: Config, tensors: Arrays, inputs: Arrays, dtype: Any = np.float64) -> Outputs:
    """Returns all arrays that a fixture with this `config.json`, these weights and these inputs can hold."""
    return KINDS[config["fixture"]](config, Weights(tensors, dtype), inputs)
