"""What the machine can do at most, measured in this process: bytes read and products computed a second."""

import functools
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

_SIDE = 8192  # a matrix of 256 MB: no cache holds it
_PRODUCT = 2048


def fastest(call: Callable[[], Any], seconds: float) -> float:
    """Returns the shortest time of a call, in seconds; calls again and again for as long as told."""
    jax.block_until_ready(call())
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        begun = time.perf_counter()
        jax.block_until_ready(call())
        best = min(best, time.perf_counter() - begun)
    return best


@functools.cache
def bandwidth(seconds: float = 3.0) -> float:
    """Bytes a second that are read at most: of a matrix that is summed, and of one that a vector is multiplied by."""
    matrix, vector = jnp.ones((_SIDE, _SIDE)), jnp.ones(_SIDE)
    ways = jax.jit(lambda m: m.sum()), jax.jit(lambda m: vector @ m)
    return matrix.nbytes / min(fastest(functools.partial(way, matrix), seconds / 2) for way in ways)


@functools.cache
def products(seconds: float = 3.0) -> float:
    """Operations a second of a large product of float32 matrices."""
    matrix = jnp.ones((_PRODUCT, _PRODUCT))
    multiply = jax.jit(lambda a: a @ a)
    return 2 * _PRODUCT**3 / fastest(functools.partial(multiply, matrix), seconds)
