"""Steps with numbers that are none: skipped without a trace, counted, and after a few in a row the end, by name."""

import io
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from unified_io import pytree
from unified_io.convert import folders
from unified_io.errors import UnifiedIOError
from unified_io.loss import total_loss
from unified_io.model import parameter_shapes
from unified_io.reliability.drills import remains, streams, tiny
from unified_io.reliability.drills.ground import Ground
from unified_io.reliability.drills.verdict import DrillFailed, insist
from unified_io.train import optimizer as optimizers
from unified_io.train.loop import fit
from unified_io.train.state import TrainState
from unified_io.train.step import make_train_step
from unified_io.train.telemetry import Telemetry

_GOOD, _LOSS, _GRADIENT = 0.0, 1.0, 2.0
_PLACE = "poison"


def not_a_number(ground: Ground) -> str:
    """NaN in a loss, a gradient, a batch and a weight: steps are skipped to the bit, then the run ends by name."""
    steps = _Steps(ground)
    _skipped_without_a_trace(steps)
    _abandoned(steps, ground.folder / "nan")
    return "NaN and infinity in a loss, a gradient and a batch were skipped to the bit; in a weight they ended the run"


class _Steps:
    """The real step of the tiny model on real batches, with a switch that poisons it."""

    def __init__(self, ground: Ground):
        model = tiny.model()
        batches = streams.loader(ground.world).batches()
        self.batches = [{**next(batches), _PLACE: np.float32(_GOOD)} for _ in range(2)]
        batches.close()
        self.job = tiny.job(ground.folder / "steps", ground.world)
        self._model = model
        self._params = jax.device_get(folders.random_params(model, seed=1))
        self._optimizer = optimizers.build(self.job.optimizer, nn.unbox(parameter_shapes(model)))
        self.step = make_train_step(self._loss, self._optimizer, seed=0)

    def start(self) -> TrainState:
        """A state before its first step."""
        return TrainState.create(jax.tree.map(jnp.array, self._params), self._optimizer)

    def after(self, batches: Sequence[Any]) -> tuple[TrainState, dict[str, float]]:
        """The state after these batches, and the metrics of the last."""
        state, metrics = self.start(), {}
        for batch in batches:
            state, metrics = self.step(state, batch)
        return jax.device_get(state), {name: float(value) for name, value in metrics.items()}

    def poisoned(self, kind: str) -> Any:
        """The second batch, with something in it that is no number."""
        batch = self.batches[1]
        if kind == "a batch":
            images = np.full_like(batch["inputs"]["image"]["patches"], np.inf)
            return {
                **batch,
                "inputs": {**batch["inputs"], "image": {**batch["inputs"]["image"], "patches": images}},
            }
        return {**batch, _PLACE: np.float32(_LOSS if kind == "a loss" else _GRADIENT)}

    def _loss(self, params: Any, batch: Any, rng: jax.Array) -> Any:
        switch = batch[_PLACE]
        batch = {name: part for name, part in batch.items() if name != _PLACE}
        loss, metrics = total_loss(self._model.network().apply({"params": params}, batch))
        weight = _trained(params)
        # The root of nothing is a sound number with a slope that is none; that of one has the slope 0 here.
        root = jnp.where(switch == _GRADIENT, 0.0, 1.0)
        poison = jnp.sqrt(jnp.sum(weight * weight) * 0.0 + root) - root
        return loss + poison + jnp.where(switch == _LOSS, jnp.nan, 0.0), metrics


def _trained(params: Any) -> jax.Array:
    """A parameter that moves."""
    return next(
        leaf for name, leaf in pytree.named_leaves(params).items() if _is_matrix("encoder", name, leaf)
    )


def _is_matrix(part: str, name: str, leaf: Any) -> bool:
    return name.startswith(f"{part}/") and jnp.ndim(leaf) > 1


def _skipped_without_a_trace(steps: _Steps) -> None:
    first, second = steps.batches
    before, _ = steps.after([first])
    without, _ = steps.after([first, second])
    insist(remains.bits(before.params) != remains.bits(without.params), "a good step moved no parameter")
    for kind in ("a loss", "a gradient", "a batch"):
        bad = steps.poisoned(kind)
        skipped, metrics = steps.after([first, bad])
        insist(
            metrics.get("skipped_steps") == 1,
            f"NaN in {kind}: skipped_steps is {metrics.get('skipped_steps')}",
        )
        for part in ("params", "opt_state"):
            was, now = (_arrays(getattr(state, part)) for state in (before, skipped))
            changed = sorted(name for name in was if was[name] != now[name])
            insist(
                not changed,
                f"NaN in {kind} changed {len(changed)} arrays of {part}: {', '.join(changed[:3])}",
            )
        onwards, _ = steps.after([first, bad, second])
        same = _arrays(onwards.params) == _arrays(without.params)
        insist(same, f"after NaN in {kind} the next good step is another one than without it")


def _arrays(tree: Any) -> dict[str, str]:
    """Hashes of everything that has an axis: single numbers are counters, which may move."""
    return remains.bits({name: leaf for name, leaf in pytree.named_leaves(tree).items() if np.ndim(leaf)})


def _abandoned(steps: _Steps, folder: Path) -> None:
    """Insists that a run whose parameters hold NaN ends soon, and says where."""
    state = steps.start()
    named = pytree.named_leaves(state.params)
    name = next(name for name, leaf in named.items() if _is_matrix("decoder", name, leaf))
    named[name] = named[name].at[(0,) * named[name].ndim].set(jnp.nan)
    state = state.replace(params=pytree.from_named(named, state.params))
    made = itertools.count()

    def batches(start: int) -> Iterator[Any]:
        for _ in range(200):
            next(made)
            yield steps.batches[0]

    try:
        with Telemetry(folder, "train", 200, stream=io.StringIO()) as telemetry:
            fit(state, steps.step, batches, total_steps=200, telemetry=telemetry, report_period=2)
    except UnifiedIOError as error:
        insist(next(made) < 100, f"it gave up only after {next(made)} steps")
        insist(name in str(error), f"the error does not name {name}, the first bad tensor: {error}")
        return
    raise DrillFailed("a run whose weights hold NaN went on to its end")
