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
# Behind news a run ends before the process that told them does: with the coordinator JAX would end it, without a word.
_HEARD_S = 1.5


class Stalled(UnifiedIOError):
    """Nothing has happened for too long."""


class Watchdog:
    """Looks, in a thread of its own, whether the run waits too long for one thing, or for one that will not come.

    The stacks of all threads are then written to `stalled.txt`, and `Stalled` is raised where the run waits; or the
    error that was heard of. A run that does not even come to that, since it waits outside Python, ends all the same:
    the error goes to the error stream, and the process exits with `EXIT_STATUS`.
    """

    def __init__(
        self,
        limit_s: float | None,
        folder: Path | None,
        throw: Callable[[Exception], None],
        grace_s: float = _GRACE_S,
        news: Callable[[], Exception | None] | None = None,
    ):
        """Sets it up; it looks within its context.

        Args:
          limit_s: How long anything may take, in seconds; None for ever.
          folder: Where the stacks go; None sends them to the error stream.
          throw: Raises an error where the run waits.
          grace_s: Seconds until the process exits if the run has not ended by then.
          news: Gives an error from elsewhere for which the run has to end, if there is one; asked once a second.
            Without a limit and news there is no thread.
        """
        self._limit_s, self._folder, self._throw, self._grace_s = limit_s, folder, throw, grace_s
        self._news = news
        self._waiting: tuple[str, float] | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, name="watchdog", daemon=True)

    def __enter__(self) -> "Watchdog":
        if self._limit_s is not None or self._news is not None:
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
        period = _MOST_LOOKS_S if self._limit_s is None else min(self._limit_s / 4, _MOST_LOOKS_S)
        while not self._ended.wait(period):
            if (error := self._stalled()) is not None:
                return self._stop(error, self._grace_s)
            if (error := self._news and self._news()) is not None:
                return self._stop(error, min(self._grace_s, _HEARD_S))

    def _stalled(self) -> Stalled | None:
        waiting = self._waiting
        if self._limit_s is None or waiting is None or time.monotonic() - waiting[1] <= self._limit_s:
            return None
        return Stalled(
            f"waited {self._limit_s:g} s for {waiting[0]}, and nothing came; {self._dump()} says where every thread "
            "was. Give the same command to continue, with a larger watchdog_s if so long is to be expected"
        )

    def _stop(self, error: Exception, grace_s: float) -> None:
        self._throw(error)
        if not self._ended.wait(grace_s):
            kind = "" if isinstance(error, Stalled) else f"{type(error).__name__}: "
            print(f"error: {kind}{error}", file=sys.stderr, flush=True)
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
