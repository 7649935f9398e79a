"""What a run left: every number that must be the same again, as hashes by name, without what only measures time."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import flax.linen as nn
import numpy as np

from unified_io import pytree
from unified_io.checkpoint import Checkpoints
from unified_io.reliability.memory import state_shapes
from unified_io.train.job import TrainJob

_TIMING = re.compile(
    r"time|seconds|(steps|examples|tokens)_per_s|mfu|goodput|data_wait_share|compilations|wall|started|began"
)


def of(job: TrainJob) -> dict[str, str]:
    """Returns what a finished run left: metrics, the last checkpoint and its notes, and the trained model.

    Raises:
      CheckpointError: It has no sound checkpoint.
    """
    folder = Path(job.model_dir)
    found = {f"{path.name}": _hash(_lines(path)) for path in sorted(folder.glob("*.jsonl"))}
    with Checkpoints(folder) as checkpoints:
        step = checkpoints.latest()
        state = checkpoints.restore(template(job))
        found |= {f"notes/{key}": _hash(value) for key, value in _timeless(checkpoints.notes(step)).items()}
    found |= bits(state)
    model = job.export
    files = (path for path in sorted(model.rglob("*")) if path.is_file())
    found |= {f"model/{path.relative_to(model)}": _hash(path.read_bytes()) for path in files}
    return found


def template(job: TrainJob) -> Any:
    """Returns the shapes of a job's state, to restore a checkpoint into."""
    return nn.unbox(state_shapes(job))


def bits(state: Any) -> dict[str, str]:
    """Returns a hash of every array of a state by name."""
    return {f"state/{name}": _hash(np.asarray(leaf)) for name, leaf in pytree.named_leaves(state).items()}


def difference(one: dict[str, str], other: dict[str, str]) -> str | None:
    """Names what differs between two runs; None if nothing does."""
    names = sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
    if not names:
        return None
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return f"{len(names)} of {len(one)} things differ: {', '.join(names[:4])}{more}"


def lines(path: Path) -> list[dict[str, Any]]:
    """Returns the whole lines of a JSONL file."""
    if not path.is_file():
        return []
    whole = path.read_text(encoding="utf-8").rpartition("\n")[0]
    return [json.loads(line) for line in whole.splitlines()]


def _lines(path: Path) -> list[dict[str, Any]]:
    return [_timeless(line) for line in lines(path)]


def _timeless(values: dict[str, Any]) -> dict[str, Any]:
    """Leaves out, on all levels, what measures time."""
    return {
        key: _timeless(value) if isinstance(value, dict) else value
        for key, value in values.items()
        if not _TIMING.search(key)
    }


def _hash(value: Any) -> str:
    if isinstance(value, np.ndarray):
        value = f"{value.dtype} {value.shape} ".encode() + value.tobytes()
    if not isinstance(value, bytes):
        value = json.dumps(value, sort_keys=True).encode()
    return hashlib.sha256(value).hexdigest()
