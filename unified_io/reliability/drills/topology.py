"""A run that goes on with other devices than it began with: the same state, the same batches, the same losses."""

import json
import shutil
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax

from unified_io.checkpoint import Checkpoints
from unified_io.reliability.drills import remains, tiny
from unified_io.reliability.drills.damage import copied
from unified_io.reliability.drills.ground import Ground, Run
from unified_io.reliability.drills.sessions import Session, Surroundings, side_by_side
from unified_io.reliability.drills.verdict import insist, tail
from unified_io.reliability.memory import state_shapes
from unified_io.train import mesh as meshes
from unified_io.train.job import TrainJob
from unified_io.train.mesh import MeshConfig

# Four groups each, so that all make the same batches: over devices, or one after the other on a device.
_FIRST = ("4 x 2 of 8", 8, {"mesh": MeshConfig(data=4, model=2)})
_OTHERS = (
    ("1", 1, {"mesh": MeshConfig(data=1), "microbatches": 4}),
    ("2", 2, {"mesh": MeshConfig(data=2), "microbatches": 2}),
    ("2 x 2 x 2 of 8", 8, {"mesh": MeshConfig(data=2, fsdp=2, model=2)}),
)
_NEAR = 1e-6
# Further on, the roundings of another order of addition have been through the optimizer.
_LATER = 1e-3


def other_devices(ground: Ground) -> str:
    """A checkpoint of 8 virtual devices taken up on 1, 2 and 8 others."""
    name, devices, layout = _FIRST
    first = _run(ground, name, layout)
    session = first.start(devices=devices)
    insist(session.until(lambda: tiny.SAVED in first.saved()), f"no checkpoint came: {tail(first.log)}")
    session.send(9)
    session.wait()
    step = first.saved()[-1]
    insist(step < tiny.STEPS, "the run was over before it could be stopped")
    stopped = ground.folder / "mesh-stopped"
    shutil.copytree(first.folder, stopped)
    wanted = _held(ground, first, devices, stopped)
    first.start(devices=devices).succeed()

    def taken_up(case: tuple[str, int, dict[str, Any]]) -> None:
        name, devices, layout = case
        run = _run(ground, name, layout)
        shutil.copytree(stopped, run.folder)
        said = remains.difference(wanted, _held(ground, run, devices, stopped))
        insist(said is None, f"step {step} of {_FIRST[0]} devices is another state on {name}: {said}")
        run.start(devices=devices).succeed()
        _alike(run, first, step, name)

    side_by_side(taken_up, _OTHERS)
    others = ", ".join(name for name, *_ in _OTHERS)
    return (
        f"step {step} of {_FIRST[0]} devices taken up on {others}: state to the byte, losses within {_NEAR:g}"
    )


def hold(job: TrainJob, checkpoints: str, found: str) -> int:
    """Restores the newest checkpoint onto the job's mesh and writes hashes of what is held; in a process of its own."""
    boxed = state_shapes(job)
    places = meshes.shardings(boxed, meshes.make_mesh(job.mesh))
    target = jax.tree.map(_placed, nn.unbox(boxed), places)
    with Checkpoints(checkpoints) as kept:
        Path(found).write_text(json.dumps(remains.bits(kept.restore(target))))
    return 0


def _placed(leaf: Any, place: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place)


def _run(ground: Ground, name: str, layout: dict[str, Any]) -> Run:
    # Captions alone, which compile in half the time: there are programs for four layouts.
    return ground.run(f"mesh-{name.replace(' ', '')}", report_period=1, quick=True, **layout)


def _held(ground: Ground, run: Run, devices: int, stopped: Path) -> dict[str, str]:
    found = run.file.with_suffix(".held.json")
    kept = copied(stopped, run.file.with_suffix(".held"))
    around = Surroundings(ground.cache, devices)
    Session(hold, [run.job, str(kept), str(found)], run.log, around).succeed()
    return json.loads(found.read_text())


def _alike(run: Run, first: Run, step: int, name: str) -> None:
    """Insists that two runs saw the same data, and that their losses agree."""
    losses, wanted = _column(run, "loss"), _column(first, "loss")
    insist(losses.keys() == wanted.keys(), f"on {name} devices other steps were reported")
    for at, loss in wanted.items():
        off = abs(losses[at] - loss) / abs(loss)
        insist(
            off <= (_NEAR if at <= step + 1 else _LATER),
            f"on {name} devices the loss of step {at} is off by {off:.1e}",
        )
    for column in ("examples", "data/seen/drill_caption"):
        same = _column(run, column) == _column(first, column)
        insist(same, f"on {name} devices {column} is not what it was: other examples were read")


def _column(run: Run, name: str) -> dict[int, float]:
    return {line["step"]: line[name] for line in remains.lines(run.metrics) if name in line}
