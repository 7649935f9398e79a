"""A job that trains one encoder alone, on media in memory whose patches are labelled, by the common loop."""

import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any

import flax.linen as nn
import jax
import numpy as np

from unified_io.encoders.labels import Labelled, LabelledEncoder, LabelObjective, spread
from unified_io.train.media_job import MediaJob
from unified_io.train.state import TrainState
from unified_io.train.step import make_train_step


@dataclasses.dataclass(frozen=True)
class EncoderJob(MediaJob):
    """How an encoder is trained; its media are `Labelled`, and the encoder alone is the result.

    Attributes:
      objective: Weights of the losses.
    """

    objective: LabelObjective = LabelObjective()

    def _start(self, network: LabelledEncoder, batch: dict[str, Any]) -> tuple[TrainState, Any]:
        patches, mask = batch["patches"], batch["mask"]
        optimizer = self._optimizer(network, patches[:1], mask[:1])

        @jax.jit
        def init() -> TrainState:
            params = network.init(jax.random.key(self.seed), patches[:1], mask[:1])["params"]
            return TrainState.create(nn.unbox(params), optimizer)

        def loss(params: Any, batch: dict[str, jax.Array], rng: jax.Array) -> Any:
            del rng
            return self.objective(network.apply({"params": params}, batch["patches"], batch["mask"]), batch)

        return init(), make_train_step(loss, optimizer, seed=self.seed)

    def _batches(self, media: Labelled, start_step: int) -> Iterator[dict[str, Any]]:
        mean, deviation = spread(media.numbers)
        for step in itertools.count(start_step):
            chosen, _ = self._drawn(len(media.mask), step)
            yield {
                "patches": media.patches[chosen].astype(np.float32),
                "mask": media.mask[chosen],
                "words": media.words[chosen],
                "numbers": (media.numbers[chosen].astype(np.float32) - mean) / deviation,
            }

    def _result(self, state: TrainState) -> Any:
        return super()._result(state)["encoder"]
