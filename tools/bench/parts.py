"""The parts of one step, each a function that does one call and waits for it."""

from collections.abc import Callable
from typing import Any

import jax

from bench import model
from unified_io.loss import total_loss
from unified_io.model import Network, UnifiedIOConfig
from unified_io.train import optimizer as optimizers
from unified_io.train.optimizer import OptimizerConfig, ScheduleConfig
from unified_io.train.state import TrainState
from unified_io.train.step import make_train_step

FROZEN = ("^shared_image_encoder/", "/tokenizer/")


def part(name: str, config: UnifiedIOConfig, batch: dict[str, Any]) -> Callable[[], Any]:
    """Returns a function that does one call of a part of the step.

    Args:
      name: "encode", "forward" (with the loss), "gradients" (of everything that is not frozen) or "step" (those,
        and Adafactor with momentum).
      config: The model.
      batch: What it is called with.
    """
    network, params = Network(config), model.random_params(model.shapes(config), seed=0)
    if name == "step":
        return _step(config, params, batch)
    functions = {
        "encode": lambda params, batch: network.apply({"params": params}, batch, method="encode"),
        "forward": loss_of(config),
        "gradients": jax.value_and_grad(loss_of(config), has_aux=True),
    }
    run = jax.jit(functions[name])
    return lambda: jax.block_until_ready(run(params, batch))


def loss_of(config: UnifiedIOConfig) -> Callable[..., tuple[Any, Any]]:
    """Returns the loss function of a model, as a train step takes it."""

    def loss(params: Any, batch: Any, rng: Any = None) -> tuple[Any, Any]:
        return total_loss(Network(config).apply({"params": params}, batch))

    return loss


def _step(config: UnifiedIOConfig, params: Any, batch: dict[str, Any]) -> Callable[[], Any]:
    settings = OptimizerConfig("adafactor", ScheduleConfig("constant", base=1e-3), b1=0.9, frozen=FROZEN)
    optimizer = optimizers.build(settings, params)
    step, state = make_train_step(loss_of(config), optimizer, seed=0), TrainState.create(params, optimizer)

    def once() -> Any:
        nonlocal state
        state, metrics = step(state, batch)
        return jax.block_until_ready(metrics)

    return once
