"""What a machine can do: measured here in seconds, or the peak its vendor states. Knows nothing of models."""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from unified_io import errors
from unified_io.reliability.room import free_disk, ram
from unified_io.train.peaks import PEAKS

_SIDES = (512, 1024, 2048, 4096, 8192)
_LONG_ENOUGH_S = 0.02
_STREAM = 32 * 2**20
_REPEATS = 5


@dataclasses.dataclass(frozen=True)
class Machine:
    """What there is to train on.

    Attributes:
      name: What it is, and whether that was measured or stated.
      devices: How many there are.
      flops: Matrix products of one device, FLOP/s.
      bandwidth: Memory traffic of one device, bytes/s.
      memory: Memory of one device, bytes.
      disk: Free bytes where the run lives; None if nobody knows.
    """

    name: str
    devices: int
    flops: float
    bandwidth: float
    memory: int
    disk: int | None = None


def named(name: str, devices: int) -> Machine:
    """Returns so many devices of a kind in `PEAKS`: what no program can exceed.

    Raises:
      ConfigError: There is no such kind.
    """
    if name not in PEAKS:
        raise errors.unknown("machine", name, PEAKS)
    return Machine(f"{name}, as its vendor states", devices, *PEAKS[name])


def measure(dtype: str, folder: str | Path) -> Machine:
    """Measures this machine for some seconds, the best of several repeats.

    Args:
      dtype: Matrices are multiplied in it, e.g. the model's compute dtype.
      folder: Where the run lives, or will.
    """
    device = jax.local_devices()[0]
    # The devices of a CPU are one and the same.
    shared = jax.local_device_count() if device.platform == "cpu" else 1
    return Machine(
        f"{device.device_kind}, measured",
        jax.device_count(),
        _product_rate(dtype) / shared,
        _stream_rate() / shared,
        _memory(device) // shared,
        free_disk(folder),
    )


def _memory(device: Any) -> int:
    stats = device.memory_stats() or {}
    return stats.get("bytes_limit") or ram()


def _product_rate(dtype: str) -> float:
    best = 0.0
    for side in _SIDES:
        x = jnp.full((side, side), 0.5, dtype)
        seconds = _fastest(jax.jit(jnp.dot), x, x)
        best = max(best, 2.0 * side**3 / seconds)
        if seconds > _LONG_ENOUGH_S:
            break
    return best


def _stream_rate() -> float:
    x = jnp.zeros(_STREAM, jnp.float32)
    return 2.0 * x.nbytes / _fastest(jax.jit(lambda x: x + 1), x)


def _fastest(function: Callable[..., Any], *args: Any) -> float:
    """Returns the seconds of the fastest of several calls, behind one that compiles."""
    jax.block_until_ready(function(*args))
    seconds = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        jax.block_until_ready(function(*args))
        seconds.append(time.perf_counter() - start)
    return min(seconds)
