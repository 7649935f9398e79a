"""The trainer, by what gin files bind."""

from tests.t5x_compat import stand_in


class Trainer:
    def __init__(self, model, batch, rng_seed, num_microbatches=None, learning_rate_fn=None):
        self._trainer = stand_in.Trainer(model, batch, learning_rate_fn, rng_seed)
        assert not num_microbatches

    @property
    def optimizer(self):
        return self._trainer.optimizer

    def train(self, batch):
        return stand_in.computed(self._trainer.train(batch))
