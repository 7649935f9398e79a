"""Several processes that train as one: joined before JAX is asked for its devices, and given up together.

Knows no model.
"""

import atexit
import contextlib
import os
import re
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import jax
from jax._src import distributed  # of what the coordinator stores JAX shows nothing elsewhere

from unified_io.errors import ConfigError, UnifiedIOError
from unified_io.train.interruption import Interrupted

# By these a launcher tells a process how many there are, with a number or a list: `srun` by the first, `mpirun` by the
# second, Cloud TPU on Kubernetes by the others.
_COUNTS = ("SLURM_STEP_NUM_TASKS", "OMPI_COMM_WORLD_SIZE", "TPU_WORKER_HOSTNAMES", "TPU_PROCESS_ADDRESSES")
_BROKEN = re.compile(r"Gloo .* failed|[Cc]onnection (closed|reset|refused)")
_GAVE_UP = "unified_io/gave_up/"
_EXIT_STATUS = 2
# How long it may take until the others have heard that a process gave up, and until it has ended.
_WORD_S, _GRACE_S = 3.0, 15.0
_EXPORT_S = 3600


class HostFailed(UnifiedIOError):
    """Another process of this run gave up or died, and none can go on without it."""


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
    # It would swallow every SIGTERM for good; `fit` has its own way to stop all of them.
    jax.config.update("jax_enable_preemption_service", False)
    try:
        jax.distributed.initialize(
            *given,
            # Who says everything himself means it: all devices of the host, and no cluster is asked.
            cluster_detection_method=None if None in given else "deactivate",
            initialization_timeout=timeout_s,
            # At the end all wait for the one that exports the model.
            shutdown_timeout_seconds=_EXPORT_S,
        )
    except (ValueError, TypeError, RuntimeError, OSError) as error:
        raise ConfigError(f"can not join the other processes of this run: {error}; {advice}") from error


def expected(environment: Mapping[str, str]) -> int:
    """Returns how many processes the launcher of this one speaks of; 1 where it speaks of none."""
    values = (environment[name] for name in _COUNTS if environment.get(name))
    return max((int(value) if value.isdigit() else len(value.split(",")) for value in values), default=1)


@contextlib.contextmanager
def sharing_errors() -> Iterator[None]:
    """In this context an error of one of several processes is told to the others, who find it in `news`.

    It ends the process, soon: neither a save under way nor JAX at exit waits long for others that may be dead.

    Raises:
      HostFailed: In place of JAX's error for a connection that broke; says why the other process gave up, if it told.
    """
    try:
        yield
    except Interrupted:
        raise  # agreed on by all
    except BaseException as error:
        if jax.process_count() == 1:
            raise
        found = _lost(error) if _is_of_connection(error) else error
        if not isinstance(found, HostFailed):
            _tell(f"{type(error).__name__}: {error}")
        atexit.register(_leave)
        impatience = threading.Timer(_GRACE_S, _leave, [f"error: {found}\n"])
        impatience.daemon = True
        impatience.start()
        if found is error:
            raise
        raise found from error


def news() -> HostFailed | None:
    """Returns why another process of this run gave up, if one did."""
    if jax.process_count() == 1:
        return None
    with contextlib.suppress(jax.errors.JaxRuntimeError):  # the coordinator may be gone
        for name, why in _coordinator().key_value_dir_get(_GAVE_UP):
            number = name.removeprefix(_GAVE_UP)
            if number != str(jax.process_index()):
                return HostFailed(
                    f"process {number} of this run gave up: {why}; all of them have to be started again"
                )
    return None


def _is_of_connection(error: BaseException | None) -> bool:
    """Whether JAX lost another process: directly, or while something else was done, e.g. a save."""
    while error is not None:
        if _BROKEN.search(str(error)):  # not always raised as an error of JAX's
            return True
        if isinstance(error, jax.errors.JaxRuntimeError):
            return "RESOURCE_EXHAUSTED" not in str(error)
        error = error.__cause__ or error.__context__
    return False


def _lost(error: BaseException) -> HostFailed:
    """Says of a connection that broke why it did: the other process gave up, or is dead."""
    end = time.monotonic() + _WORD_S
    while time.monotonic() < end:
        if found := news():
            return found
        time.sleep(0.1)
    _tell("it lost another process")
    return HostFailed(
        f"lost another process of this run, which has most likely died ({str(error).splitlines()[0]}); "
        "start all of them again with the same command"
    )


def _tell(why: str) -> None:
    with contextlib.suppress(jax.errors.JaxRuntimeError):
        _coordinator().key_value_set(f"{_GAVE_UP}{jax.process_index()}", why)


def _coordinator() -> Any:
    return distributed.global_state.client


def _leave(saying: str = "") -> None:
    """Ends the process for good; the coordinator only when the others can have heard what there is to be told."""
    print(end=saying, file=sys.stderr, flush=True)
    sys.stdout.flush()
    if jax.process_index() == 0:
        time.sleep(_WORD_S)
    os._exit(_EXIT_STATUS)
