"""The model object that T5X drives: parameters and a flat batch in; losses, predictions and scores out."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import flax.core
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from unified_io.data.budgets import Budgets
from unified_io.errors import ConfigError
from unified_io.generation.decode import decode
from unified_io.loss import token_loss, total_loss
from unified_io.model import Network, UnifiedIOConfig, blank_batch
from unified_io.t5x_compat import axes, batches
from unified_io.t5x_compat.metrics import as_clu
from unified_io.t5x_compat.optimizer import OptimizerDef
from unified_io.train.optimizer import OptimizerConfig


@dataclasses.dataclass(frozen=True, eq=False)
class T5XModel:
    """One of our models with the methods T5X calls. It derives from nothing of T5X's.

    Attributes:
      config: The model.
      optimizer: Which optimizer; None for evaluation and inference.
      budgets: The shape of a packed group of rows; needed where `DatasetConfig.pack` is True.
      output: What `predict_batch` writes: the name of a target.
      z_loss: Weight of the z-loss.
      label_smoothing: See `loss.token_loss`.
      loss_normalizing_factor: Divides the summed loss; None divides each target's by its own number of tokens in the
        batch, as our engine does. T5X adds up the gradients of microbatches, so with these give a number.
    """

    config: UnifiedIOConfig
    optimizer: OptimizerConfig | None = None
    budgets: Budgets | None = None
    output: str = "text"
    z_loss: float = 1e-4
    label_smoothing: float = 0.0
    loss_normalizing_factor: float | None = None

    @functools.cached_property
    def module(self) -> Network:
        """The network."""
        return self.config.network()

    @functools.cached_property
    def optimizer_def(self) -> OptimizerDef | None:
        """The optimizer as T5X drives it."""
        return None if self.optimizer is None else OptimizerDef(self.optimizer)

    @property
    def FEATURE_CONVERTER_CLS(self) -> Callable[..., Any]:
        """Makes feature converters; takes `pack` and `use_custom_packing_ops`."""
        from unified_io.t5x_compat.converter import GroupConverter

        return functools.partial(GroupConverter, self.config, self.budgets)

    def get_initial_variables(
        self,
        rng: Array,
        input_shapes: Mapping[str, Any],
        input_types: Mapping[str, Any] | None = None,
    ) -> flax.core.FrozenDict:
        """Draws the parameters; returns the collections `params` and `params_axes`.

        Args:
          rng: A key.
          input_shapes: Shapes of the features by name; no parameter depends on them.
          input_types: Likewise their types.

        Raises:
          ConfigError: The features are not those of this model.
        """
        blank = blank_batch(self.config)
        if missing := sorted(batches.flatten(blank).keys() - set(input_shapes)):
            raise ConfigError(
                f"the batch has no {missing[0]} ({len(missing)} features are missing); let the dataset be made by this "
                "model's FEATURE_CONVERTER_CLS"
            )
        return axes.variables(self.module.init(rng, blank)["params"])

    def loss_fn(
        self, params: Any, batch: Mapping[str, Array], dropout_rng: Array | None
    ) -> tuple[Float[Array, ""], dict[str, Any]]:
        """Returns the loss of a batch, to be differentiated, and clu metrics; without a key nothing is dropped."""
        drops = dropout_rng is not None and self.config.backbone.dropout_rate > 0
        outputs = self.module.apply(
            {"params": params},
            batches.unflatten(batch),
            deterministic=not drops,
            rngs={"dropout": dropout_rng} if drops else {},
        )
        loss, metrics = total_loss(outputs, self.z_loss, self.label_smoothing)
        if self.loss_normalizing_factor is not None:
            sums = [
                (metrics[f"{name}/loss"] + metrics[f"{name}/z_loss"])
                * jnp.maximum(metrics[f"{name}/tokens"], 1.0)
                for name in outputs
            ]
            loss = sum(sums, jnp.float32(0.0)) / self.loss_normalizing_factor
        return loss, as_clu({**metrics, "loss": loss})

    def eval_fn(self, params: Any, batch: Mapping[str, Array]) -> tuple[Float[Array, ""], dict[str, Any]]:
        """Returns the loss and clu metrics of a batch, without dropout."""
        return self.loss_fn(params, batch, None)

    def predict_batch(
        self, params: Any, batch: Mapping[str, Array], rng: Array | None = None
    ) -> Int[Array, "B L"]:
        """Writes `output` for every example; returns its tokens, 0 after the last."""
        return self.predict_batch_with_aux(params, batch, rng)[0]

    def predict_batch_with_aux(
        self, params: Any, batch: Mapping[str, Array], rng: Array | None = None
    ) -> tuple[Int[Array, "B L"], dict[str, Float[Array, " B"]]]:
        """Writes `output` for every example, as its modality samples by default.

        Args:
          params: The parameters.
          batch: Flat features, one example a group; the targets among them are not looked at.
          rng: A key; not used where the likeliest token is taken.

        Returns:
          The tokens, and under `scores` the log-probability of each row of them, in nats.

        Raises:
          ConfigError: A group has several rows, or the model does not write `output`.
        """
        nested, target = batches.unflatten(batch), self.config.target(self.output)
        _check_alone(nested)
        encoded = self._apply(params, nested, method="encode")

        def step(cache: Any, tokens: Array, index: Array) -> tuple[Array, Any]:
            return self._apply(params, cache, tokens, index, target.name, method="step")

        tokens, scores = decode(
            step,
            self._apply(params, encoded, target.length, method="start"),
            batch_size=encoded.hidden.shape[0],
            length=target.length,
            sampler=target.sampler,
            rng=jax.random.key(0) if rng is None else rng,
            eos_id=target.end_token,
        )
        return tokens, {"scores": scores}

    def score_batch(self, params: Any, batch: Mapping[str, Array]) -> Float[Array, " B"]:
        """Returns the log-probability of every example's targets, whatever they are made of, in nats.

        Raises:
          ConfigError: A group has several rows.
        """
        nested = batches.unflatten(batch)
        _check_alone(nested)
        scores = [
            -jnp.sum(token_loss(out.logits, out.tokens, 0.0)[0] * (out.weights > 0), axis=-1)
            for out in self._apply(params, nested, method="__call__").values()
        ]
        return sum(scores, jnp.float32(0.0))

    def _apply(self, params: Any, *args: Any, method: str) -> Any:
        return self.module.apply({"params": params}, *args, method=method)


def _check_alone(batch: Mapping[str, Any]) -> None:
    rows = batch["encoder"]["slots"].shape[1]
    if rows != 1:
        raise ConfigError(
            f"predictions and scores are of one example a group, this batch has groups of {rows} rows; "
            "set DatasetConfig.pack = False"
        )
