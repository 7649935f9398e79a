"""What a drill is, and what comes of one: passed, failed with what was seen, or skipped with the reason."""

import contextlib
import dataclasses
import logging
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from unified_io.reliability.drills.ground import Ground
from unified_io.reliability.drills.verdict import DrillFailed, Skip

State = Literal["passed", "failed", "skipped"]


@dataclasses.dataclass(frozen=True)
class Drill:
    """One promise and how it is put to the test.

    Attributes:
      name: What to call it on the command line.
      promise: What holds when it passes.
      seconds: About how long it takes on two cores, whole.
      run: Does it; returns what was done, raises `DrillFailed` or `Skip`.
      quick: Whether `--quick` runs it too, with fewer repeats.
      compares: Whether it needs a run that nobody disturbed.
    """

    name: str
    promise: str
    seconds: float
    run: Callable[[Ground], str]
    quick: bool = False
    compares: bool = False


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of a drill.

    Attributes:
      name: The drill's.
      state: "passed", "failed" or "skipped".
      what: What was done; of a failure what was seen; of a skip why.
      seconds: How long it took.
    """

    name: str
    state: State
    what: str
    seconds: float


def perform(drill: Drill, ground: Ground) -> Outcome:
    """Runs one drill and never raises; what it prints goes to `<name>.log` on its ground."""
    started = time.monotonic()
    with _told_to(ground.folder / f"{drill.name}.log"):
        state, what = _judged(drill, ground)
    return Outcome(drill.name, state, " ".join(what.split()), time.monotonic() - started)


def as_json(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Returns how many came out which way, and how each did."""
    states = [outcome.state for outcome in outcomes]
    counts = {state: states.count(state) for state in ("passed", "failed", "skipped")}
    said = {x.name: x.state if x.state == "passed" else f"{x.state}: {x.what}" for x in outcomes}
    return {**counts, "drills": said}


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """Returns 1 if a drill failed, else 0."""
    return int(any(outcome.state == "failed" for outcome in outcomes))


def _judged(drill: Drill, ground: Ground) -> tuple[State, str]:
    try:
        return "passed", drill.run(ground)
    except Skip as reason:
        return "skipped", str(reason)
    except DrillFailed as error:
        return "failed", str(error)
    except Exception as error:
        traceback.print_exc()
        where = traceback.extract_tb(error.__traceback__)[-1]
        said = (str(error).splitlines() or [""])[0]
        return "failed", f"{type(error).__name__} in {Path(where.filename).name}:{where.lineno}: {said}"


@contextlib.contextmanager
def _told_to(log: Path):
    with (
        log.open("a", encoding="utf-8") as file,
        contextlib.redirect_stdout(file),
        contextlib.redirect_stderr(file),
        warnings.catch_warnings(),
    ):
        logger, handler = logging.getLogger("unified_io"), logging.StreamHandler(file)
        logger.addHandler(handler)
        logger.propagate = False
        try:
            yield
        finally:
            logger.removeHandler(handler)
            logger.propagate = True
