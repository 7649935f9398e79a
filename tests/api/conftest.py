"""The models that the tests of the capabilities share: random numbers, so what they answer means nothing."""

import dataclasses

import flax.linen as nn
import jax
import numpy as np
import pytest
from tiny import tiny_config

from unified_io import api
from unified_io.model import Network, UnifiedIOConfig, blank_batch

HEIGHT, WIDTH = 9, 21


def with_text_of(length: int, config: UnifiedIOConfig) -> UnifiedIOConfig:
    """The config with room for prompts and answers of so many tokens."""
    text, *inputs = config.inputs
    written, *targets = config.targets
    return dataclasses.replace(
        config,
        inputs=(dataclasses.replace(text, max_length=length), *inputs),
        targets=(dataclasses.replace(written, max_length=length), *targets),
    )


@pytest.fixture(scope="session")
def model() -> api.UnifiedIO:
    """Reads and writes everything."""
    config = with_text_of(80, tiny_config())
    params = jax.jit(Network(config).init)(jax.random.key(0), blank_batch(config))["params"]
    return api.UnifiedIO(config, nn.unbox(params))


@pytest.fixture(scope="session")
def picture() -> np.ndarray:
    """More than twice as wide as high."""
    return np.random.default_rng(0).random((HEIGHT, WIDTH, 3), np.float32)


class Told:
    """A model's `_run` that writes what it is told, and keeps what it was asked."""

    def __init__(self, model: api.UnifiedIO, answers):
        self.asked, self.answers, self._model = [], list(answers), model

    def __call__(self, params, fields, start, target, options):
        self.asked += [{"output": target.name, **example} for example in fields]
        count = len(fields) * options.samples
        given, self.answers = self.answers[:count], self.answers[count:]
        if target.name == "text":
            ids = [[*target.vocabulary.encode(text), 1] for text in given]
            return np.array([row + [0] * (max(map(len, ids)) - len(row)) for row in ids])
        assert len(given) == count, "not told enough"
        return np.stack([np.asarray(x, np.float32) for x in given])


@pytest.fixture
def told(model, monkeypatch):
    """Returns `told(*answers)`: from now on the network writes these texts or paints these arrays."""

    def tell(*answers) -> Told:
        script = Told(model, answers)
        monkeypatch.setattr(model, "_run", script)
        return script

    return tell
