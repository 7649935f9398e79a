"""A lesson: some parts of a connected language model learn from examples, all others stay as they are.

The frozen parts are no argument of the gradient, so they may be held in few bits.
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from data_tasks.connected_digits.miniatures.words import Example
from unified_io.connected_lm import ConnectedLMConfig
from unified_io.data.batch import assemble
from unified_io.data.budgets import Budgets
from unified_io.data.packer import Prepared, prepare
from unified_io.data.packing import plan
from unified_io.loss import total_loss
from unified_io.model import blank_batch
from unified_io.nn.held import variables
from unified_io.train import optimizer as optimizers
from unified_io.train.optimizer import OptimizerConfig, ScheduleConfig
from unified_io.train.state import TrainState
from unified_io.train.step import make_train_step

_LAST = 50
"""Steps at the end whose losses are averaged."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Lesson:
    """How parts learn.

    Attributes:
      config: The network.
      trained: Names at the top of the parameters that move.
      steps: How long.
      examples: Examples a step may have.
      rows: Rows that they are packed into; what finds no place is left out.
      prompt: Tokens of prompts in a row, soft ones too.
      answer: Tokens of answers in a row.
      rate: The highest learning rate.
    """

    config: ConnectedLMConfig
    trained: tuple[str, ...]
    steps: int
    examples: int = 48
    rows: int = 12
    prompt: int = 64
    answer: int = 20
    rate: float = 2e-3

    def learn(self, params: Any, examples: Sequence[Example], seed: int) -> tuple[Any, float]:
        """Returns the parameters after the lesson, and the mean loss of its last steps.

        Args:
          params: All parameters.
          examples: What it learns from.
          seed: Decides which examples a step sees.
        """
        step, optimizer = _compiled(self)
        ready = [prepare(example, self.config.inputs, self.config.targets) for example in examples]
        frozen = {name: part for name, part in params.items() if name not in self.trained}
        # A step uses its state up, and whoever gave the parameters may need them again.
        moving = jax.tree.map(jnp.copy, {name: params[name] for name in self.trained})
        state = TrainState.create(moving, optimizer)
        losses = []
        for at in range(self.steps):
            rng = np.random.default_rng((seed, at))
            chosen = rng.integers(len(ready), size=self.examples)
            state, metrics = step(state, (frozen, self._batch([ready[i] for i in chosen])))
            losses.append(metrics["text/loss"])
        return {**frozen, **state.params}, float(np.mean(losses[-_LAST:]))

    def loss(self, params: Any, examples: Sequence[Example]) -> float:
        """Returns the mean loss of an answer's token, in nats."""
        ready = [prepare(example, self.config.inputs, self.config.targets) for example in examples]
        size = self.rows  # at least one example has room in a row
        starts = range(0, len(ready), size)
        measured = [
            _measured(self.config)(params, self._batch(ready[start : start + size])) for start in starts
        ]
        return sum(float(m["text/loss"] * m["text/tokens"]) for m in measured) / sum(
            float(m["text/tokens"]) for m in measured
        )

    def _batch(self, examples: Sequence[Prepared]) -> dict[str, Any]:
        """Packs examples, always into the same shapes."""
        inputs, targets = self.config.inputs, self.config.targets
        items = {m.name: self.examples for m in inputs} | {"text": self.rows * self.prompt}
        budgets = Budgets(self.rows, self.prompt, self.answer, items, {"text": self.rows * self.answer})
        planned = plan([example.lengths for example in examples], budgets)
        return assemble([example.features for example in examples], planned, inputs, targets)


def begun(config: ConnectedLMConfig, seed: int, given: Any) -> Any:
    """Returns parameters of a network: those given, and what they lack drawn at random."""
    return {**_drawn(config)(jax.random.key(seed)), **given}


@functools.lru_cache(maxsize=128)
def _drawn(config: ConnectedLMConfig) -> Any:
    return jax.jit(lambda key: nn.meta.unbox(config.network().init(key, blank_batch(config))["params"]))


@functools.lru_cache(maxsize=128)
def _measured(config: ConnectedLMConfig) -> Any:
    network = config.network()
    return jax.jit(lambda params, batch: total_loss(network.apply(variables(params), batch))[1])


@functools.lru_cache(maxsize=128)
def _compiled(lesson: Lesson) -> tuple[Any, Any]:
    """The step and the optimizer of a lesson, compiled once for all seeds."""
    network = lesson.config.network()
    rate = ScheduleConfig(
        "constant * linear_warmup * cosine_decay", lesson.rate, warmup_steps=40, final_fraction=0.05
    )
    shapes = jax.eval_shape(_drawn(lesson.config), jax.random.key(0))
    moving = {name: shapes[name] for name in lesson.trained}
    optimizer = optimizers.build(OptimizerConfig(learning_rate=rate, b2=0.98).over(lesson.steps), moving)

    def loss(trained: Any, given: Any, rng: jax.Array) -> Any:
        frozen, batch = given
        outputs = network.apply(variables({**frozen, **trained}), batch)
        return total_loss(outputs)

    return make_train_step(loss, optimizer, seed=0), optimizer
