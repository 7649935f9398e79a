"""A job that trains one encoder alone to tell classes of whole media, by the common loop. Knows no medium."""

import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from unified_io.nn.dense import Dense
from unified_io.train.media_job import MediaJob
from unified_io.train.state import TrainState
from unified_io.train.step import make_train_step


class Classified(NamedTuple):
    """Media as an encoder reads them, and what each is.

    Attributes:
      values: One medium an entry.
      labels: The class of a medium in every question that is asked of it.
    """

    values: Float[np.ndarray, "N *shape"]
    labels: Int[np.ndarray, "N questions"]


class ClassifierNetwork(nn.Module):
    """An encoder, and a linear layer on its pooled vector (the mean of its tokens where it has none).

    Attributes:
      encoder: The encoder.
      classes: Of every question.
    """

    encoder: nn.Module
    classes: tuple[int, ...]

    @nn.compact
    def __call__(self, values: Float[Array, "B *shape"]) -> list[Float[Array, "B classes"]]:
        found = self.encoder(values)
        mask = found.mask[..., None]
        # Connectors read tokens or the pooled vector, so both have to tell.
        vectors = jnp.sum(found.tokens * mask, axis=1) / jnp.maximum(mask.sum(axis=1), 1)
        if found.pooled is not None:
            vectors = jnp.concatenate([vectors, found.pooled], axis=-1)
        logits = Dense(sum(self.classes), ("image_patch", "embed"), use_bias=True, name="head")(vectors)
        return jnp.split(logits, np.cumsum(self.classes)[:-1], axis=-1)


@dataclasses.dataclass(frozen=True)
class ClassifierJob(MediaJob):
    """How an encoder is trained; its media are `Classified`, and the encoder alone is the result."""

    def _start(self, network: ClassifierNetwork, batch: dict[str, Any]) -> tuple[TrainState, Any]:
        values = batch["values"]
        optimizer = self._optimizer(network, values[:1])

        @jax.jit
        def init() -> TrainState:
            params = network.init(jax.random.key(self.seed), values[:1])["params"]
            return TrainState.create(nn.unbox(params), optimizer)

        def loss(params: Any, batch: dict[str, jax.Array], rng: jax.Array) -> Any:
            del rng
            logits = network.apply({"params": params}, batch["values"])
            labels = batch["labels"].T
            losses = [
                optax.softmax_cross_entropy_with_integer_labels(a, b).mean()
                for a, b in zip(logits, labels, strict=True)
            ]
            right = {
                f"right_{i}": jnp.mean(a.argmax(-1) == b)
                for i, (a, b) in enumerate(zip(logits, labels, strict=True))
            }
            return sum(losses), right

        return init(), make_train_step(loss, optimizer, seed=self.seed)

    def _batches(self, media: Classified, start_step: int) -> Iterator[dict[str, Any]]:
        for step in itertools.count(start_step):
            chosen, _ = self._drawn(len(media.labels), step)
            yield {"values": media.values[chosen], "labels": media.labels[chosen]}

    def _result(self, state: TrainState) -> Any:
        return super()._result(state)["encoder"]
