"""What a run cost and what it ran on: facts about this process. Nothing here names a path or a person."""

import importlib.metadata
import os
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path

_LOADED = time.monotonic()

PACKAGES = (
    "unified-io",
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "orbax-checkpoint",
    "numpy",
    "scipy",
    "seqio",
    "tensorflow",
    "gin-config",
    "sentencepiece",
    "librosa",
    "scikit-learn",
    "scikit-image",
    "espeakng-loader",
)


def resources() -> dict[str, float | int]:
    """Returns `wall_seconds` since this process started, its `cpu_seconds`, and its `peak_rss_bytes`.

    CPU time is user and system time of all threads, and of children that have ended. Peak memory is this
    process's alone. Off Linux wall time counts from the import of this module, and peak memory is 0 where nobody
    can be asked.
    """
    times = os.times()
    return {
        "wall_seconds": _wall_seconds(),
        "cpu_seconds": times.user + times.system + times.children_user + times.children_system,
        "peak_rss_bytes": _peak_rss_bytes(),
    }


def versions(packages: Sequence[str] = PACKAGES) -> dict[str, str]:
    """Returns the version of Python and of every named package that is installed, without importing any."""
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, str | int]:
    """Returns the system, the processor and the number of cores that this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {"system": f"{platform.system()} {platform.machine()}", "processor": _processor(), "cores": cores}


def _wall_seconds() -> float:
    try:
        started = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        uptime = time.clock_gettime(time.CLOCK_BOOTTIME)
    except (OSError, AttributeError):
        return time.monotonic() - _LOADED
    return uptime - started / os.sysconf("SC_CLK_TCK")


def _peak_rss_bytes() -> int:
    # Not `ru_maxrss` on Linux: it keeps the peak of the parent that forked us.
    status = Path("/proc/self/status")
    if status.exists():
        line = next(
            (line for line in status.read_text().splitlines() if line.startswith("VmHWM:")), "VmHWM: 0 kB"
        )
        return int(line.split()[1]) * 1024
    if sys.platform == "win32":
        return 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")),
        platform.processor(),
    )
