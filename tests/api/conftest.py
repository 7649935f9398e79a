"""The models that the tests of the capabilities share: random numbers, so what they answer means nothing."""

import numpy as np
import pytest
from tiny import tiny_model

from unified_io import api

HEIGHT, WIDTH = 9, 21


@pytest.fixture(scope="session")
def model() -> api.UnifiedIO:
    """Reads and writes everything."""
    return tiny_model()


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
