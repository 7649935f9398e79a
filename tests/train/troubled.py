"""A small run of two processes in which something happens to one of them. Run as a program by each.

python troubled.py '{"hosts": [port, count, index], "folder": "runs", "acts": [["a", "none", 0], ["a", "SIGTERM", 1]]}'
"""

import hashlib
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from unified_io import pytree
from unified_io.checkpoint import Checkpoints
from unified_io.errors import UnifiedIOError
from unified_io.train import hosts
from unified_io.train import mesh as meshes
from unified_io.train.interruption import Interrupted
from unified_io.train.loop import fit
from unified_io.train.optimizer import OptimizerConfig, ScheduleConfig, build
from unified_io.train.state import TrainState
from unified_io.train.step import make_train_step

TOTAL_STEPS, TROUBLE_STEP, CHECKPOINT_PERIOD = 14, 5, 5
WATCHDOG_S = 6.0


def main(folder: str, hosts_: tuple[int, int, int], acts: list[tuple[str, str, int]]) -> int:
    """Plays acts, each a run in a folder of its own and what happens in it to which process.

    Says after each what it came to, as a line of JSON; an error ends the program, as it does the command line.
    """
    port, count, index = hosts_
    hosts.start(f"127.0.0.1:{port}", count, index, timeout_s=60)
    for name, trouble, victim in acts:
        try:
            told = act(Path(folder, name), trouble, victim == index)
        except UnifiedIOError as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            return 2
        print(json.dumps(told), flush=True)
    return 0


def act(folder: Path, trouble: str, here: bool) -> dict[str, Any]:
    """Trains in a folder, or goes on; returns how it ended, and the parameters' hash."""
    mesh = meshes.make_mesh()
    optimizer = build(
        OptimizerConfig("adamw", ScheduleConfig("constant", base=0.01)), {"w": jnp.ones((8, 2))}
    )
    init = lambda key: TrainState.create({"w": jax.random.normal(key, (8, 2))}, optimizer)  # noqa: E731
    limits = {"time": 1e-6 if here else 1e6}
    with meshes.use(mesh), Checkpoints(folder) as checkpoints:
        state = meshes.init_sharded(init, jax.random.key(0), mesh=mesh)
        step = make_train_step(loss_fn, optimizer, seed=0)
        try:
            state = fit(
                state,
                lambda state, batch: step(state, meshes.shard_batch(batch, mesh)),
                lambda start: batches(start, trouble if here else "none"),
                total_steps=TOTAL_STEPS,
                checkpoints=checkpoints,
                checkpoint_period=CHECKPOINT_PERIOD,
                time_limit_s=limits.get(trouble),
                watchdog_s=WATCHDOG_S if trouble == "sleep" else 120.0,
            )
        except Interrupted as stop:
            return {"stopped": stop.step, "terminated": stop.terminated, "saved": checkpoints.steps()}
        leaves = [np.asarray(leaf).tobytes() for leaf in pytree.named_leaves(state).values()]
        return {"ended": int(state.step), "bits": hashlib.sha256(b"".join(leaves)).hexdigest()}


def loss_fn(params: Any, batch: Any, rng: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
    """A regression."""
    return jnp.mean((batch["x"] @ params["w"] - batch["y"]) ** 2), {}


def batches(start: int, trouble: str) -> Iterator[dict[str, np.ndarray]]:
    """This process's groups of each batch; while it makes those of one step there is trouble."""
    for step in range(start, 1000):
        if step == TROUBLE_STEP and trouble.startswith("SIG"):
            os.kill(os.getpid(), signal.Signals[trouble])
        if step == TROUBLE_STEP and trouble == "end":
            return
        if step == TROUBLE_STEP and trouble == "sleep":
            time.sleep(600)
        rng = np.random.default_rng((step, jax.process_index()))
        yield {name: rng.normal(size=(4, width)).astype(np.float32) for name, width in (("x", 8), ("y", 2))}


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    sys.exit(main(given["folder"], given["hosts"], given["acts"]))
