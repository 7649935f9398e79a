"""How a run is stopped from outside: Ctrl-C, SIGTERM, or an error that another thread has found."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

from unified_io.train.agreement import Wish


class Interrupted(Exception):
    """The run was asked to stop, by Ctrl-C or SIGTERM; its state after `step` is saved if it keeps checkpoints.

    Attributes:
      step: The last whole step.
      terminated: Whether it was SIGTERM: the machine is wanted back, and all went as it should.
    """

    def __init__(self, step: int, terminated: bool = False):
        super().__init__(f"interrupted at step {step}; give the same command to continue")
        self.step, self.terminated = step, terminated


class StopSignal:
    """Turns Ctrl-C and SIGTERM into one KeyboardInterrupt at a moment when the state is whole, or into a wish.

    A second Ctrl-C does not wait for that moment.

    Attributes:
      wish: What was asked for.
    """

    def __init__(self, several: bool = False):
        """Sets it up; it listens within its context.

        Args:
          several: Whether this process is one of several. It must not stop on its own then: the wish is all there is.
        """
        self.wish = Wish.GO_ON
        self._several = several
        self._at_once = False
        self._ignored = False
        self._error: Exception | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> "StopSignal":
        for number in (signal.SIGINT, signal.SIGTERM):
            # Only the main thread may set handlers; elsewhere the run can not be stopped by a signal.
            with contextlib.suppress(ValueError):
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    @contextlib.contextmanager
    def at_once(self) -> Iterator[None]:
        """In this context a signal raises right away, where this process is alone.

        Nothing is half done that could not be done again.
        """
        if self.wish and not self._several and not self._ignored:
            raise KeyboardInterrupt
        self._at_once = not self._several
        try:
            yield
        finally:
            self._at_once = False

    @contextlib.contextmanager
    def ignored(self) -> Iterator[None]:
        """In this context a signal does nothing: the state is being saved."""
        self._ignored = True
        yield
        self._ignored = False

    def throw(self, error: Exception) -> None:
        """Raises an error in the main thread as soon as that runs any Python; called by another thread.

        Nothing happens where the run is not in the main thread.
        """
        self._error = error
        if self._previous:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    def _handle(self, number: int, frame: object) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        impatient = self.wish and number == signal.SIGINT
        self.wish = max(self.wish, Wish.TERMINATE if number == signal.SIGTERM else Wish.INTERRUPT)
        if (self._at_once or impatient) and not self._ignored:
            raise KeyboardInterrupt
