"""A job that trains one tokenizer on arrays in memory, by the common loop."""

import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any

import flax.linen as nn
import numpy as np

from unified_io.tokenizers.objectives import TokenizerObjective
from unified_io.train.codebook import Codebook
from unified_io.train.media_job import MediaJob
from unified_io.train.perceptual import VggFeatures, VitFeatures
from unified_io.train.state import TrainState
from unified_io.train.tokenizer import init_tokenizer_state, make_tokenizer_step


@dataclasses.dataclass(frozen=True)
class TokenizerJob(MediaJob):
    """How a tokenizer is trained; its media are normalised pictures or spectrograms, float32 [N, ...].

    Attributes:
      objective: Weights of the losses.
      codebook: How dead codes come back to life, and whether entries are means.
      perceptual: Features by which pictures must look alike, too; None for none.
    """

    objective: TokenizerObjective = TokenizerObjective()
    codebook: Codebook = Codebook()
    perceptual: VitFeatures | VggFeatures | None = None

    def _start(self, network: nn.Module, batch: dict[str, Any]) -> tuple[TrainState, Any]:
        media = batch["media"][:1]
        optimizer = self._optimizer(network, media)
        shared = {"codebook": self.codebook, "seed": self.seed, **self._beside(media)}
        state = init_tokenizer_state(network, optimizer, batch, **shared)
        likeness = self.perceptual and self.perceptual.load()
        return state, make_tokenizer_step(
            network, optimizer, objective=self.objective, likeness=likeness, **shared
        )

    def _batches(self, media: np.ndarray, start_step: int) -> Iterator[dict[str, Any]]:
        for step in itertools.count(start_step):
            chosen, _ = self._drawn(len(media), step)
            yield {"media": media[chosen]}
