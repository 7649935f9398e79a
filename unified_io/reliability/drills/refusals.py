"""Command lines tried one after the other in one process: exit code, what was said, whether anything was compiled."""

import contextlib
import importlib
import io
import json
import signal
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_PATIENCE_S = 60


def try_all(asked: str, found: str) -> int:
    """Runs every command line and writes a list of what came of it.

    Args:
      asked: A JSON file: a list of command lines, each a list of what stands behind `unified-io`.
      found: Where the list goes: code (an exit code, or the name of an exception nobody caught), said, compilations.
    """
    results = [_tried(command) for command in json.loads(Path(asked).read_text())]
    Path(found).write_text(json.dumps(results))
    return 0


def _tried(command: list[str]) -> dict[str, Any]:
    said, code = io.StringIO(), "nothing"
    with _compilations() as compiled, contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        signal.signal(signal.SIGALRM, _too_long)
        signal.alarm(_PATIENCE_S)
        try:
            code = importlib.import_module("unified_io.cli").main(command)
        except SystemExit as stop:
            code = stop.code
        except Exception as error:
            code = type(error).__name__
            traceback.print_exc()
        finally:
            signal.alarm(0)
    return {"code": code, "said": said.getvalue(), "compilations": len(compiled)}


@contextlib.contextmanager
def _compilations() -> Iterator[list[str]]:
    """Collects a note for every program that is compiled, or taken from a cache of compiled ones."""
    import jax

    seen: list[str] = []

    def listen(event: str, duration: float, **_: Any) -> None:
        if "backend_compile" in event:
            seen.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield seen
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)


def _too_long(number: int, frame: Any) -> None:
    raise TimeoutError(f"not refused within {_PATIENCE_S} s")
