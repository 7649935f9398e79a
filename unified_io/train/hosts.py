"""Several processes that train as one: joined before JAX is asked for its devices. Knows no model."""

import os
import re
from collections.abc import Mapping

import jax

from unified_io.errors import ConfigError

# By these a launcher tells a process how many there are, with a number or a list: `srun` by the first, `mpirun` by the
# second, Cloud TPU on Kubernetes by the others.
_COUNTS = ("SLURM_STEP_NUM_TASKS", "OMPI_COMM_WORLD_SIZE", "TPU_WORKER_HOSTNAMES", "TPU_PROCESS_ADDRESSES")


def start(
    coordinator_address: str | None = None,
    process_count: int | None = None,
    process_index: int | None = None,
    *,
    asked: bool = False,
    timeout_s: int = 300,
) -> None:
    """Joins this process to the others of its run, if there are any.

    Without arguments it joins them where a launcher says that there are several: started apart, every one of them would
    train the whole run and write over the others' files. What is not given JAX finds out, where it knows the cluster:
    SLURM, Open MPI, Cloud TPU.

    Args:
      coordinator_address: Where process 0 listens, as host:port; the same for all.
      process_count: How many there are.
      process_index: Which one this is, from 0.
      asked: Join although nothing says that there are others. A slice of TPU virtual machines needs it.
      timeout_s: How long to wait for the others.

    Raises:
      ConfigError: The numbers make no sense or do not suffice, or the others did not come.
    """
    given = (coordinator_address, process_count, process_index)
    if not asked and given == (None, None, None) and expected(os.environ) == 1:
        return
    advice = (
        "give --coordinator_address=HOST:PORT --process_count=N --process_index=I, the first two alike to all"
    )
    if coordinator_address is not None and not re.fullmatch(r"\S+:\d+", coordinator_address):
        raise ConfigError(f"coordinator_address {coordinator_address!r} is not host:port; {advice}")
    if process_count is not None and not 0 <= (process_index or 0) < process_count:
        raise ConfigError(
            f"process {process_index} of {process_count} processes; they count from 0; {advice}"
        )
    try:
        jax.distributed.initialize(
            *given,
            # Who says everything himself means it: all devices of the host, and no cluster is asked.
            cluster_detection_method=None if None in given else "deactivate",
            initialization_timeout=timeout_s,
        )
    except (ValueError, TypeError, RuntimeError, OSError) as error:
        raise ConfigError(f"can not join the other processes of this run: {error}; {advice}") from error


def expected(environment: Mapping[str, str]) -> int:
    """Returns how many processes the launcher of this one speaks of; 1 where it speaks of none."""
    values = (environment[name] for name in _COUNTS if environment.get(name))
    return max((int(value) if value.isdigit() else len(value.split(",")) for value in values), default=1)
