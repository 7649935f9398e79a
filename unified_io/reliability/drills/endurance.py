"""A run that is watched for long: its memory and its open files must not grow."""

import os
import statistics
from pathlib import Path

from unified_io.reliability.drills import world
from unified_io.reliability.drills.ground import Ground
from unified_io.reliability.drills.remains import lines
from unified_io.reliability.drills.sessions import Session
from unified_io.reliability.drills.verdict import Skip, insist, tail

_STEPS, _REPORTED, _SAVED = 2000, 20, 400
_MOST = 6 * 2**20  # in a quarter of the run, 12 KiB a step; it breathes by some MiB
_MORE_FILES = 4
_HEAPS = 2
_A_SHARD = 50  # opening a shard costs more than a step: each is opened some thirty times


def leak(ground: Ground) -> str:
    """2,000 steps with reports and checkpoints: memory and open files of the last quarter against the third.

    Not against an earlier one: the heaps of all threads take until the middle of the run to be as large as they stay.
    """
    if not Path("/proc/self/statm").is_file():
        raise Skip("there is no /proc to read a process's memory from")
    run = ground.run(
        "leak",
        source=world.write(ground.folder / "leak-world", each=_A_SHARD),
        total_steps=_STEPS,
        report_period=_REPORTED,
        checkpoint_period=_SAVED,
        eval_period=_SAVED,
    )
    session = run.start(heaps=_HEAPS)
    insist(session.until(lambda: bool(lines(run.metrics)), 0.05), f"it made no step: {tail(run.log)}")
    seen: list[tuple[int, int]] = []

    def watch() -> bool:
        seen.extend(_sample(session))
        return False

    session.until(watch, 0.1)
    session.succeed()
    insist(len(seen) >= 20, f"only {len(seen)} samples of {_STEPS} steps: {tail(run.log)}")
    quarter = len(seen) // 4
    early, late = seen[-2 * quarter : -quarter], seen[-quarter:]
    memory, files = (
        statistics.median(sample[column] for sample in late)
        - statistics.median(sample[column] for sample in early)
        for column in (0, 1)
    )
    insist(memory <= _MOST, f"memory grew by {memory / 2**20:.1f} MiB in a quarter of the run")
    insist(files <= _MORE_FILES, f"{files:.0f} more files are open in the last quarter than in the third")
    return f"{_STEPS} steps, {len(seen)} samples: memory {memory / 2**20:+.1f} MiB, open files {files:+.0f}"


def _sample(session: Session) -> list[tuple[int, int]]:
    """Resident bytes and open files of a session; nothing where it has just ended."""
    here = Path(f"/proc/{session.pid}")
    try:
        resident = int((here / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        return [(resident, len(list((here / "fd").iterdir())))]
    except (OSError, IndexError):
        return []
