"""The most memory that a process took, or its accelerator where it has one."""

import re
import resource
import sys
from pathlib import Path

import jax


def peak() -> int:
    """The most memory so far, in bytes: of the accelerator where there is one, else of the process."""
    stats = jax.devices()[0].memory_stats() or {}
    if "peak_bytes_in_use" in stats:
        return int(stats["peak_bytes_in_use"])
    status = Path("/proc/self/status")
    if status.is_file():
        return int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
