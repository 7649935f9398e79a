"""A run that is watched for long: its memory and its open files must not grow."""

import os
import statistics
from pathlib import Path

from unified_io.reliability.drills.ground import Ground
from unified_io.reliability.drills.remains import lines
from unified_io.reliability.drills.sessions import Session
from unified_io.reliability.drills.verdict import Skip, insist, tail

_STEPS, _REPORTED, _SAVED = 2000, 20, 400
_MOST = 12 * 2**20  # a run of this size breathes by some MiB
_MORE_FILES = 4


def leak(ground: Ground) -> str:
    """2,000 steps with reports and checkpoints: memory and open files of the second half against the first."""
    if not Path("/proc/self/statm").is_file():
        raise Skip("there is no /proc to read a process's memory from")
    run = ground.run(
        "leak", total_steps=_STEPS, report_period=_REPORTED, checkpoint_period=_SAVED, eval_period=_SAVED
    )
    session = run.start()
    seen: list[tuple[int, int, int]] = []

    def watch() -> bool:
        step = lines(run.metrics)[-1]["step"] if run.metrics.is_file() and lines(run.metrics) else 0
        sample = _sample(session)
        if step and sample and (not seen or step > seen[-1][0]):
            seen.append((step, *sample))
        return False

    session.until(watch, 0.05)
    session.succeed()
    insist(len(seen) >= 20, f"only {len(seen)} samples of {_STEPS} steps: {tail(run.log)}")
    early, late = (
        [sample for sample in seen if low <= sample[0] < high]
        for low, high in ((_STEPS // 4, _STEPS // 2), (3 * _STEPS // 4, _STEPS))
    )
    memory, files = (
        statistics.median(sample[column] for sample in late)
        - statistics.median(sample[column] for sample in early)
        for column in (1, 2)
    )
    insist(
        memory <= _MOST, f"memory grew by {memory / 2**20:.1f} MiB between steps {_STEPS // 4} and {_STEPS}"
    )
    insist(files <= _MORE_FILES, f"{files:.0f} more files are open in the last quarter than in the second")
    return f"{_STEPS} steps, {len(seen)} samples: memory {memory / 2**20:+.1f} MiB, open files {files:+.0f}"


def _sample(session: Session) -> tuple[int, int] | None:
    """Resident bytes and open files of a session; None where it has just ended."""
    here = Path(f"/proc/{session.pid}")
    try:
        resident = int((here / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        return resident, len(list((here / "fd").iterdir()))
    except (OSError, IndexError):
        return None
