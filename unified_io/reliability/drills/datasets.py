"""Data that is other than it was when a run was stopped: by mistake it is refused, on purpose it is followed."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from unified_io.data.loader import Loader
from unified_io.errors import DataError
from unified_io.reliability.drills import streams, tiny, world
from unified_io.reliability.drills.ground import Ground
from unified_io.reliability.drills.verdict import DrillFailed, insist, tail

_AT = tiny.SAVED
_LONG = 20


def changed_data(ground: Ground) -> str:
    """A source that was renamed, reordered, shortened, swapped or lengthened under a stopped run."""
    state = _stopped(streams.loader(ground.world))
    for name, change in _CHANGES.items():
        folder = ground.folder / f"changed-{name}"
        shutil.copytree(ground.world.folder, folder)
        change(folder)
        loader = streams.loader(world.World(str(folder)))
        try:
            loader.restore(state, _AT)
        except DataError as error:
            insist("drill_caption changed" in str(error), f"{name}: the source is not named: {error}")
        else:
            raise DrillFailed(f"a source whose files were {name} was taken for the old one")
    same = streams.loader(ground.world)
    same.restore(state, _AT)
    if not ground.quick:
        _refused_by_a_run(ground)
    return f"{len(_CHANGES)} changes refused with what was and what is; unchanged data taken up"


def changed_mixture(ground: Ground) -> str:
    """Other rates at a checkpoint: what was planned stays as it was, what waits is kept, then the new rates hold."""
    wanted = streams.take(streams.loader(ground.world), 0, 2 * _AT)
    state = _stopped(streams.loader(ground.world))
    loader = streams.loader(ground.world, world.OTHER_MIXTURE)
    loader.restore(state, _AT)
    batches = loader.batches(_AT)
    made, seen = [], {}
    for step in range(_AT + 1, _LONG + 1):
        made.append(streams.as_bytes(next(batches)))
        seen[step] = loader.report()
    batches.close()
    until = len(wanted) - _AT
    insist(made[:until] == wanted[_AT:], "the batches of the chunk that was begun are not what they were")
    end, last = seen[2 * _AT], seen[_LONG]
    for task in ("drill_listen", "drill_draw"):
        more = last[f"seen/{task}"] - end[f"seen/{task}"]
        insist(more <= end["carried"], f"{task} has the rate 0 but gave {more:.0f} examples more")
    others = sum(last[f"seen/{task}"] - end[f"seen/{task}"] for task in ("drill_listen", "drill_draw"))
    insist(others > 0, "the examples that waited for a row were thrown away")
    gained = last["seen/drill_caption"] - end["seen/drill_caption"]
    insist(
        gained > 0 and gained > 2 * others, f"of the new mixture came {gained:.0f} of {gained + others:.0f}"
    )
    return f"rates changed at step {2 * _AT}: {until} planned batches to the byte, {others:.0f} waiting ones kept"


def _refused_by_a_run(ground: Ground) -> None:
    run = ground.run("changed")
    session = run.start()
    insist(session.until(lambda: _AT in run.saved()), f"no checkpoint came: {tail(run.log)}")
    session.send(9)
    session.wait()
    other = world.write(ground.folder / "other-world", seed=1)
    code = ground.run("changed", world=other).start().wait()
    said = run.log.read_text()
    insist(code == 2, f"a run went on with other data: exit code {code}: {tail(run.log)}")
    insist("the data has changed" in said, f"it does not say that the data changed: {tail(run.log)}")


def _stopped(loader: Loader) -> Any:
    streams.take(loader, 0, _AT)
    return json.loads(json.dumps(loader.state(_AT)))


def _renamed(folder: Path) -> None:
    shard = world.shard_of(folder, "train", 4)
    shard.rename(shard.with_name("train-99.tfrecord"))


def _reordered(folder: Path) -> None:
    _swap(world.shard_of(folder, "train", 0), world.shard_of(folder, "train", 1))


def _shortened(folder: Path) -> None:
    world.shard_of(folder, "train", 7).unlink()


def _lengthened(folder: Path) -> None:
    shutil.copy(world.shard_of(folder, "train", 0), world.shard_of(folder, "train", 8))


def _replaced(folder: Path) -> None:
    world.write(folder, seed=1)


def _swap(one: Path, other: Path) -> None:
    kept = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(kept)


_CHANGES: dict[str, Callable[[Path], None]] = {
    "renamed": _renamed,
    "reordered": _reordered,
    "shortened": _shortened,
    "lengthened": _lengthened,
    "replaced": _replaced,
}
