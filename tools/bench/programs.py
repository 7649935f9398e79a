"""Training steps compiled for the shapes of batches that occur, and timed in turn."""

import concurrent.futures
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from bench.clock import timed
from bench.stream import WAYS, Stream
from unified_io.loss import total_loss
from unified_io.model import Network, UnifiedIOConfig

# Half the time to compile, steps a tenth slower.
FEWER_PASSES = {"xla_backend_optimization_level": 1, "xla_cpu_use_fusion_emitters": False}


class Program(NamedTuple):
    """A step for one shape of batches, and the seconds it took to trace and compile it."""

    call: Any
    seconds: float


def compile_all(
    config: UnifiedIOConfig, params: Any, streams: Iterable[Stream], *, quick: bool
) -> dict[str, Program]:
    """Compiles a step, forward and backward, for every shape; by the shape's own words.

    Args:
      config: The model.
      params: Its parameters.
      streams: Where the shapes occur.
      quick: Two at a time, by fewer passes.
    """
    network = Network(config)

    def loss(params: Any, batch: Any) -> Any:
        return total_loss(network.apply({"params": params}, batch))[0]

    step = jax.jit(jax.value_and_grad(loss))

    def compiled(batch: Any) -> Program:
        seconds, call = timed(lambda: step.lower(params, batch).compile(FEWER_PASSES if quick else None))
        return Program(call, seconds.wall)

    batches = {
        str(way.budgets): stream.batch(name, 0) for stream in streams for name, way in stream.ways.items()
    }
    with concurrent.futures.ThreadPoolExecutor(2 if quick else 1) as pool:
        programs = dict(zip(batches, pool.map(compiled, batches.values()), strict=True))
    for shape, program in programs.items():
        jax.block_until_ready(program.call(params, batches[shape]))  # the first call makes room for itself
    return programs


def seconds_a_step(
    stream: Stream, programs: Mapping[str, Program], params: Any, repeats: int
) -> dict[str, float]:
    """Times the ways in turn, every time another batch; returns the median of each."""
    walls: dict[str, list[float]] = {name: [] for name in WAYS}
    for repeat in range(repeats):
        for name in WAYS:
            call, batch = programs[str(stream.ways[name].budgets)].call, stream.batch(name, repeat)
            seconds, _ = timed(lambda call=call, batch=batch: jax.block_until_ready(call(params, batch)))
            walls[name].append(seconds.wall)
    return {name: float(np.median(values)) for name, values in walls.items()}
