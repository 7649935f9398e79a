"""How much room there is: main memory and disk. Needs nothing but the standard library."""

import os
import shutil
from pathlib import Path

# Limits that a container sets below what the machine has.
_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def ram() -> int:
    """Returns the bytes of main memory that this process may use."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    texts = [Path(path).read_text().strip() for path in _LIMITS if Path(path).is_file()]
    return min([total, *(int(text) for text in texts if text.isdigit())])


def free_disk(folder: str | Path) -> int:
    """Returns the bytes that are free in a folder, which need not be there yet."""
    path = Path(folder).absolute()
    return shutil.disk_usage(next(p for p in (path, *path.parents) if p.exists())).free
