"""Ends a run that has stopped moving, with an error that says what it waited for. Knows neither model nor data."""

import contextlib
import faulthandler
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from unified_io.errors import UnifiedIOError

EXIT_STATUS = 2
FILE = "stalled.txt"
_GRACE_S = 10.0
_MOST_LOOKS_S = 1.0


class Stalled(UnifiedIOError):
    """Nothing has happened for too long."""


class Watchdog:
    """Looks, in a thread of its own, whether the run waits too long for one thing.

    The stacks of all threads are then written to `stalled.txt`, and `Stalled` is raised where the run waits. A run that
    does not even come to that, since it waits outside Python, ends all the same: the error goes to the error stream,
    and the process exits with `EXIT_STATUS`.
    """

    def __init__(
        self,
        limit_s: float | None,
        folder: Path | None,
        throw: Callable[[Exception], None],
        grace_s: float = _GRACE_S,
    ):
        """Sets it up; it looks within its context.

        Args:
          limit_s: How long anything may take, in seconds; None for ever, without a thread.
          folder: Where the stacks go; None sends them to the error stream.
          throw: Raises an error where the run waits.
          grace_s: Seconds until the process exits if the run has not ended by then.
        """
        self._limit_s, self._folder, self._throw, self._grace_s = limit_s, folder, throw, grace_s
        self._waiting: tuple[str, float] | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, name="watchdog", daemon=True)

    def __enter__(self) -> "Watchdog":
        if self._limit_s is not None:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    @contextlib.contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """In this context the run waits for something, e.g. "data"."""
        self._waiting = (what, time.monotonic())
        try:
            yield
        finally:
            self._waiting = None

    def _look(self) -> None:
        while not self._ended.wait(min(self._limit_s / 4, _MOST_LOOKS_S)):
            waiting = self._waiting
            if waiting is not None and time.monotonic() - waiting[1] > self._limit_s:
                return self._stop(waiting[0])

    def _stop(self, what: str) -> None:
        where = self._dump()
        error = Stalled(
            f"waited {self._limit_s:g} s for {what}, and nothing came; {where} says where every thread was. "
            "Give the same command to continue, with a larger watchdog_s if so long is to be expected"
        )
        self._throw(error)
        if not self._ended.wait(self._grace_s):
            print(f"error: {error}", file=sys.stderr, flush=True)
            os._exit(EXIT_STATUS)

    def _dump(self) -> str:
        """Writes the stacks of all threads; returns where they are."""
        with contextlib.suppress(OSError):
            if self._folder is not None:
                with (self._folder / FILE).open("w") as file:
                    faulthandler.dump_traceback(file, all_threads=True)
                return str(self._folder / FILE)
        faulthandler.dump_traceback(sys.__stderr__, all_threads=True)
        return "the error stream"
