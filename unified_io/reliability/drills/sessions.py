"""Processes that a drill may kill, starve or watch: forked from one that has imported everything, to start fast."""

import ctypes
import dataclasses
import importlib
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from unified_io.reliability.drills.verdict import DrillFailed, insist, tail

LONGEST_S = 600.0
"""After this time a session is taken for hung."""

BEGUN = "the session begins"
_INTERRUPTED = 130
_M_ARENA_MAX = -8  # of glibc's malloc.h
_CONTEXT = multiprocessing.get_context("forkserver")
_PRELOADED = (
    "unified_io.cli",
    "unified_io.gin_edge.session",
    "unified_io.checkpoint",
    "unified_io.train.job",
    "unified_io.data.loader",
    "unified_io.data.sweep",
    "unified_io.reliability.drills.tiny",
    "unified_io.reliability.drills.refusals",
    "unified_io.reliability.drills.decoding",
)


@dataclasses.dataclass(frozen=True)
class Surroundings:
    """What a session lives in.

    Attributes:
      cache: Folder of compiled programs.
      devices: Virtual devices of its CPU.
      largest_file: Bytes; what is longer can not be written. None for no limit.
      memory: Bytes of address space; None for no limit.
      heaps: Heaps that glibc may make for the threads; None for as many as it likes, which grow for minutes.
    """

    cache: Path
    devices: int = 1
    largest_file: int | None = None
    memory: int | None = None
    heaps: int | None = None


class Session:
    """One process and what it says, in a log file."""

    def __init__(
        self, function: Callable[..., int], arguments: Sequence[Any], log: Path, around: Surroundings
    ):
        """Starts `function(*arguments)`, which returns the exit code.

        Args:
          function: One that can be imported by its name.
          arguments: Plain values.
          log: Takes what the session prints.
          around: What it lives in.
        """
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        _CONTEXT.set_forkserver_preload(list(_PRELOADED))
        self._process = _CONTEXT.Process(target=_live, args=(function, tuple(arguments), str(log), around))
        self._process.start()

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid or 0

    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.is_alive()

    def send(self, number: signal.Signals) -> None:
        """Sends it a signal, if it still runs."""
        if self.alive():
            os.kill(self.pid, number)

    def until(self, condition: Callable[[], bool], period_s: float = 0.002) -> bool:
        """Waits until a condition holds; False if the session ends first."""
        deadline = time.monotonic() + LONGEST_S
        while self.alive() and time.monotonic() < deadline:
            if condition():
                return True
            time.sleep(period_s)
        return False

    def wait(self, seconds: float = LONGEST_S) -> int:
        """Returns its exit code, minus the signal if one ended it.

        Raises:
          DrillFailed: It has not ended after so many seconds.
        """
        self._process.join(seconds)
        if self._process.is_alive():
            self.send(signal.SIGKILL)
            self._process.join()
            raise DrillFailed(f"it hung: not ended after {seconds:.0f} s; last said: {tail(self.log)}")
        return self._process.exitcode or 0

    def succeed(self) -> None:
        """Waits for it; raises DrillFailed with its last words unless it exits with 0."""
        code = self.wait()
        insist(code == 0, f"a session ended with {code}: {tail(self.log)}")


def side_by_side(work: Callable[[Any], Any], cases: Iterable[Any]) -> list[Any]:
    """Returns `work(case)` of every case, two at a time: a session computes on one core most of its time."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(work, cases))


def command_line(arguments: Sequence[str]) -> int:
    """Runs `unified-io` as a user would; drills import nothing of it."""
    return importlib.import_module("unified_io.cli").main(list(arguments))


def _live(function: Callable[..., int], arguments: tuple, log: str, around: Surroundings) -> None:
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    if around.largest_file is not None:  # which is no limit on what it may say
        file = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=file).stdin.fileno()
    os.dup2(file, 1)
    os.dup2(file, 2)
    import jax

    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_num_cpu_devices", around.devices)
    use_cache(around.cache)
    for kind, limit in ((resource.RLIMIT_FSIZE, around.largest_file), (resource.RLIMIT_AS, around.memory)):
        if limit is not None:
            resource.setrlimit(kind, (limit, limit))
    if around.heaps is not None and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(_M_ARENA_MAX, around.heaps)
    print(BEGUN, flush=True)
    try:
        code = function(*arguments)
    except KeyboardInterrupt:
        code = _INTERRUPTED  # as Python ends by itself; `multiprocessing` would make it 1
    sys.exit(code)


def use_cache(folder: Path) -> None:
    """Keeps compiled programs in a folder, all of them."""
    import jax

    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
