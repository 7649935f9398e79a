"""The losses of a model on a split that it does not learn from. Knows no task."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax

from unified_io.data.budgets import Budgets
from unified_io.loss import merged, total_loss
from unified_io.model import UnifiedIOConfig
from unified_io.nn.held import variables
from unified_io.train import mesh as meshes
from unified_io.train.step import LossFn, make_eval_step

COUNTS = "counts"
"""Under this key a part of a batch carries the tokens of every target in the whole batch."""


def loss_of(
    config: UnifiedIOConfig, z_loss: float, target_weights: Mapping[str, float] | None = None
) -> LossFn:
    """Returns the loss of a model as a train step takes it; the weights are those of `loss.total_loss`."""
    model = config.network()
    drops = config.drops

    def loss_fn(params, batch, rng):
        outputs = model.apply(variables(params), batch, deterministic=not drops, rngs={"dropout": rng})
        loss, metrics = total_loss(outputs, z_loss, counts=batch.get(COUNTS), target_weights=target_weights)
        return loss, {**metrics, "examples": batch["encoder"]["segment_ids"].max(axis=-1).sum()}

    return loss_fn


@dataclasses.dataclass(frozen=True)
class Validation:
    """Computes losses of one model on the first examples of a split, always the same ones.

    Attributes:
      model: The model.
      budgets: Shape of a batch, for one shard of the mesh.
      examples: How many examples are read.
      z_loss: Weight of the z-loss.
      split: A split of the sources.
    """

    model: UnifiedIOConfig
    budgets: Budgets
    examples: int
    z_loss: float
    split: str = "validation"

    def losses(self, bound: Any, mesh: jax.sharding.Mesh, params: Any) -> dict[str, float]:
        """Returns the metrics of `loss.total_loss` over all examples at once.

        Args:
          bound: A task or mixture that is bound to the model.
          mesh: On which the parameters lie.
          params: The parameters.
        """
        from unified_io.data.sweep import sweep

        batches = sweep(
            bound,
            self.model.inputs,
            self.model.targets,
            self.budgets,
            self.examples,
            split=self.split,
            groups=meshes.shards(mesh),
            mine=meshes.own_shards(mesh),
        )
        found = [jax.device_get(self._step(params, meshes.shard_batch(batch, mesh))) for batch in batches]
        return merged([{name: float(value) for name, value in metrics.items()} for metrics in found])

    @functools.cached_property
    def _step(self) -> Callable[[Any, Any], dict[str, jax.Array]]:
        return make_eval_step(loss_of(self.model, self.z_loss))
