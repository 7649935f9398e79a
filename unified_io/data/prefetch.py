"""An iterator that runs ahead in a thread of its own."""

import queue
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Generic, TypeVar

from unified_io.errors import DataError

T = TypeVar("T")
_PATIENCE_S = 10.0


class Prefetch(Generic[T]):
    """Runs an iterator `depth` items ahead; close it, or use it in a `with`, to end the thread.

    What the iterator raises is raised here, in its turn.
    """

    def __init__(self, items: Iterator[T], depth: int = 2):
        self._items = items
        self._ready: queue.Queue[Future[T]] = queue.Queue(maxsize=depth)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="prefetch", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        ended = False
        while not (ended or self._closed.is_set()):
            entry: Future[T] = Future()
            try:
                entry.set_result(next(self._items))
            except Exception as error:  # StopIteration too: whoever asks for this item gets it
                entry.set_exception(error)
                ended = True
            self._put(entry)
        close = getattr(self._items, "close", None)
        if close is not None:
            close()

    def _put(self, entry: "Future[T]") -> None:
        while not self._closed.is_set():
            try:
                return self._ready.put(entry, timeout=0.05)
            except queue.Full:
                continue

    def __iter__(self) -> "Prefetch[T]":
        return self

    def __next__(self) -> T:
        while not self._closed.is_set():
            try:
                entry = self._ready.get(timeout=0.05)
            except queue.Empty:
                if not self._thread.is_alive() and self._ready.empty():
                    raise DataError(
                        "the thread that prepares batches has died; give the same command to continue"
                    ) from None
                continue
            if entry.exception() is not None:
                self.close()
            return entry.result()
        raise StopIteration

    def close(self) -> None:
        """Ends the thread and closes the iterator; asking for more then ends at once."""
        self._closed.set()
        # One that is stuck in a read is left behind: it ends with the process.
        self._thread.join(timeout=_PATIENCE_S)

    def __enter__(self) -> "Prefetch[T]":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
