"""Progress of work that is counted: a word now and then on the error stream."""

import sys
import time


class Progress:
    """Says every other second how far it is, on the error stream: on one line of a terminal, else on lines."""

    def __init__(self, total: int):
        self._total, self._told = total, time.monotonic()
        self._ends = ("\r", "\x1b[K") if sys.stderr.isatty() else ("\n", None)

    def __call__(self, done: int) -> None:
        """Says that so many are done, if it is time to."""
        end, wipe = self._ends
        if done == self._total and wipe:
            print(wipe, end="", file=sys.stderr)
        elif done < self._total and time.monotonic() - self._told >= 2:
            self._told = time.monotonic()
            print(f"{done} of {self._total} examples", end=end, file=sys.stderr, flush=True)
