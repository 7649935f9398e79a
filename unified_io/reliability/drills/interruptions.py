"""Runs that are stopped: killed at any moment, asked to stop, out of disk, robbed of a worker."""

import json
import random
import re
import signal
import time
from collections.abc import Callable

from unified_io.reliability.drills import tiny
from unified_io.reliability.drills.ground import Ground, Run
from unified_io.reliability.drills.remains import lines
from unified_io.reliability.drills.sessions import BEGUN, Session, side_by_side
from unified_io.reliability.drills.verdict import insist, tail

_DEADLINE_S = 120.0  # a machine with other work on it is slow, and is not what is tried
_BYTES = re.compile(r"\d[\d,.]* ?([kMG]i?)?B\b|\d+ bytes")
_INTERRUPTED = re.compile(r"interrupted at step (\d+)")
# What a shell shows of a process that SIGTERM ended is 143.
_STOPPED = {signal.SIGTERM: (0, 143, -signal.SIGTERM), signal.SIGINT: (0, 130, -signal.SIGINT)}

Moment = Callable[[Run, Session, random.Random], bool]


def kill(ground: Ground) -> str:
    """SIGKILL at random moments, most of them while a checkpoint is written; every run must end as if undisturbed."""
    reference, runs, each = ground.reference, ground.some(5, 2), ground.some(4, 1)

    def killed(number: int) -> list[str]:
        """Runs to the end, with so many kills on the way, and as often again as needs be for all of them."""
        rng, made, again = random.Random(number), [], 0
        while len(made) < each:
            run = ground.run(f"killed-{number}-{again}")
            made += _killed(run, rng, each - len(made))
            run.same_as(reference, f"killed {', '.join(made) or 'never'},")
            again += 1
        return made

    made = [moment for moments in side_by_side(killed, range(runs)) for moment in moments]
    counts = ", ".join(f"{made.count(name)} {name}" for name in _MOMENTS)
    return f"{len(made)} kills ({counts}) of {runs} runs, each byte-identical to one that nobody disturbed"


def _killed(run: Run, rng: random.Random, most: int) -> list[str]:
    """Kills a run up to so many times, then lets it end; returns the moments."""
    made: list[str] = []
    while True:
        session = run.start()
        name = rng.choices(list(_MOMENTS), weights=(5, 3, 2))[0]
        if len(made) == most or not _MOMENTS[name](run, session, rng):
            session.succeed()
            return made
        session.send(signal.SIGKILL)
        if session.wait() == -signal.SIGKILL:
            made.append(name)


def _while_saving(run: Run, session: Session, rng: random.Random) -> bool:
    seen = session.until(run.saving, 0.0005)
    time.sleep(rng.uniform(0.0, 0.04))
    return seen


def _between_reports(run: Run, session: Session, rng: random.Random) -> bool:
    seen = len(lines(run.metrics)) + rng.randint(1, 3)
    reached = session.until(lambda: len(lines(run.metrics)) >= seen)
    time.sleep(rng.uniform(0.0, 0.03))
    return reached


def _anywhere(run: Run, session: Session, rng: random.Random) -> bool:
    end = time.monotonic() + rng.uniform(0.0, 8.0)
    return session.until(lambda: time.monotonic() > end)


_MOMENTS: dict[str, Moment] = {
    "while saving": _while_saving,
    "between reports": _between_reports,
    "anywhere": _anywhere,
}


def stop(ground: Ground) -> str:
    """SIGTERM and SIGINT at every kind of moment: a prompt exit, the step saved, then the same run as undisturbed."""
    cases = [(number, moment) for number in _STOPPED for moment in _ASKED]
    if ground.quick:
        cases = [(signal.SIGTERM, "in a step")]
    _ = ground.reference
    side_by_side(lambda case: _stopped(ground, *case), cases)
    return f"{len(cases)} signals ({', '.join(sorted({moment for _, moment in cases}))}), each run went on to the byte"


def _stopped(ground: Ground, number: signal.Signals, moment: str) -> None:
    where = f"{number.name} {moment}"
    run = ground.run(f"stopped-{number.name}-{moment.replace(' ', '-')}")
    cold = {"cache": run.folder.with_suffix(".cold")} if moment == "in compilation" else {}
    session = run.start(**cold)
    insist(_ASKED[moment](run, session), f"{where}: the session ended before: {tail(run.log)}")
    session.send(number)
    code = session.wait(_DEADLINE_S)
    insist(code in _STOPPED[number], f"{where}: exit code {code}, wanted {_STOPPED[number]}")
    said = _INTERRUPTED.findall(run.log.read_text())
    if code != 0 and said:
        insist(int(said[-1]) in run.saved(), f"{where}: it says step {said[-1]}, saved are {run.saved()}")
    if moment == "in a step":
        insist(bool(said) and bool(run.saved()), f"{where}: the step was not saved: {tail(run.log)}")
    run.start().succeed()
    steps = [json.dumps([line["step"], sorted(line)]) for line in lines(run.metrics)]
    insist(len(set(steps)) == len(steps), f"{where}: a line of {run.metrics.name} is there twice")
    run.same_as(ground.reference, f"after {where}")


def _begun(run: Run, session: Session) -> bool:
    return session.until(lambda: run.log.is_file() and BEGUN in run.log.read_text())


def _at_step(run: Run, session: Session, step: int) -> bool:
    return session.until(lambda: any(line["step"] >= step for line in lines(run.metrics)))


_ASKED: dict[str, Callable[[Run, Session], bool]] = {
    "at the start": _begun,
    "in compilation": lambda run, session: session.until((run.folder / "train").is_dir),
    "in a step": lambda run, session: _at_step(run, session, tiny.REPORTED),
    "in a save": lambda run, session: session.until(run.saving, 0.0005),
    "in an evaluation": lambda run, session: _at_step(run, session, tiny.EVALUATED),
}


def full_disk(ground: Ground) -> str:
    """A checkpoint that does not fit: a clean stop that names the folder and the bytes; the last good one is intact."""
    reference = ground.reference
    run = ground.run("full")
    session = run.start()
    insist(session.until(lambda: tiny.SAVED in run.saved()), f"no checkpoint came: {tail(run.log)}")
    session.send(signal.SIGKILL)
    session.wait()
    before = run.saved()
    insist(tiny.STEPS not in before, "the run was over before its disk could be full")
    run.log.unlink()
    code = run.start(largest_file=2**16).wait(_DEADLINE_S)
    said = run.log.read_text()
    insist(code == 2, f"exit code {code} where 2 was wanted: {tail(run.log)}")
    insist(before[-1] in run.saved(), f"checkpoint {before[-1]} is gone; there are {run.saved()}")
    last = said[said.rfind("unified-io train:") :]
    insist(str(run.folder) in last, f"the last words do not name the folder: {last[:300]}")
    insist(bool(_BYTES.search(last)), f"the last words do not say how many bytes are needed: {last[:300]}")
    run.start().succeed()
    run.same_as(reference, "after a full disk")
    return (
        f"a write over 64 KiB failed: exit code 2, step {before[-1]} intact, then byte-identical to the end"
    )
