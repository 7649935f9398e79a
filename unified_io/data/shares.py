"""What part of the examples every task of a mixture gives, where some have no data here. Knows seqio's mixtures."""

from collections.abc import Callable

import seqio

from unified_io.errors import ConfigError


def shares(mixture: seqio.Mixture, present: Callable[[seqio.Task], bool]) -> dict[str, float]:
    """Returns the part of every task that is present; they sum to 1.

    A mixture of mixtures keeps the rate of each: what an absent task would have given goes to the others of its own
    mixture, and to the rest only where all of that is absent.

    Raises:
      ConfigError: No task of the mixture is present.
    """
    found = _shares(mixture, present)
    if not found:
        some = ", ".join(task.name for task in mixture.tasks[:3])
        raise ConfigError(
            f"none of the {len(mixture.tasks)} tasks of {mixture.name!r} has its data here ({some}, ...); "
            "`unified-io data list` says where to get them, and the job's source where they lie"
        )
    return found


def _shares(mixture: seqio.Mixture, present: Callable[[seqio.Task], bool]) -> dict[str, float]:
    given: dict[str, float] = {}
    for name, rate in mixture.rate_per_task_name.items():
        if name in seqio.TaskRegistry.names():
            task = seqio.TaskRegistry.get(name)
            if present(task):
                given[name] = given.get(name, 0.0) + float(rate(task) if callable(rate) else rate)
        else:
            for task_name, share in _shares(seqio.MixtureRegistry.get(name), present).items():
                given[task_name] = given.get(task_name, 0.0) + float(rate) * share
    total = sum(given.values())
    return {name: rate / total for name, rate in given.items()} if total else given
