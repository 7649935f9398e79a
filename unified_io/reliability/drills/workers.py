"""What prepares the data of a run dies: an error at once, never a wait without end."""

import threading
from collections.abc import Callable, Iterator

from unified_io.data.prefetch import Prefetch
from unified_io.errors import UnifiedIOError
from unified_io.reliability.drills import streams, world
from unified_io.reliability.drills.ground import Ground
from unified_io.reliability.drills.verdict import DrillFailed, insist

_WATCHDOG_S, _QUICK_S = 30, 5
# A thread may end in these without an `except Exception` that would have told of it.
_ENDS: tuple[type[BaseException], ...] = (MemoryError, SystemExit, KeyboardInterrupt)


def lost_worker(ground: Ground) -> str:
    """The thread that prepares batches dies, and the source it reads is gone."""
    limit = ground.some(_WATCHDOG_S, _QUICK_S)
    for end in _ENDS:
        told = _told(
            limit, lambda end=end: _drain(Prefetch(_dying(end))), f"a worker that {end.__name__} ended"
        )
        insist(told is not None, f"a worker that {end.__name__} ended was taken for the end of the data")
    folder = ground.folder / "gone"
    gone = world.write(folder)
    for shard in folder.iterdir():
        shard.unlink()
    told = _told(limit, lambda: _drain(streams.loader(gone).batches()), "a source without files")
    insist(isinstance(told, UnifiedIOError), f"a source without files gave {type(told).__name__}: {told}")
    insist("drill_" in str(told), f"the source without files is not named: {told}")
    ends = ", ".join(end.__name__ for end in _ENDS)
    return f"a worker ended by {ends}, a source that is gone: an error each, none waited for"


def _dying(end: type[BaseException]) -> Iterator[int]:
    yield 0
    raise end("the worker of a drill")


def _drain(stream: Iterator[object]) -> None:
    for _ in stream:
        pass


def _told(limit: float, work: Callable[[], None], what: str) -> BaseException | None:
    """Returns what some work raises, None if nothing.

    Raises:
      DrillFailed: It neither ends nor fails in time.
    """
    raised: list[BaseException] = []

    def watched() -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=watched, daemon=True)
    thread.start()
    thread.join(limit)
    if thread.is_alive():
        raise DrillFailed(f"{what}: nothing was said within {limit} s, it hangs")
    return raised[0] if raised else None
