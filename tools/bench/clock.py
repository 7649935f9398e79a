"""Seconds of a call, and where it ran."""

import importlib.metadata
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple


class Seconds(NamedTuple):
    """Of the wall clock, and of all cores of this process together."""

    wall: float
    cpu: float


def timed(call: Callable[[], Any]) -> tuple[Seconds, Any]:
    """Calls, and says how long it took and what it returned."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = call()
    return Seconds(time.perf_counter() - wall, time.process_time() - cpu), result


def where(*packages: str) -> str:
    """One line: processor, cores that may be used, versions."""
    names = [f"{name} {importlib.metadata.version(name)}" for name in packages]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return ", ".join([_processor(), f"{cores} cores", f"Python {platform.python_version()}", *names])


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()
