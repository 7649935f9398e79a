"""Runs upstream T5X, unmodified, where it is installed: sets right what its imports lack, then hands over to it."""

import importlib
import importlib.util
import runpy
import sys
import types
from collections.abc import Sequence

import jax

from unified_io.errors import ConfigError, unknown
from unified_io.gin_edge.files import PACKAGED

MODES = ("train", "eval", "infer")
RECIPE = """T5X is not installed, and no registry has it. Install it without the dependencies it asks for:
  python -m pip install -e ".[t5x]"
  python -m pip install --no-deps git+https://github.com/google-research/t5x
`unified-io train` runs the same jobs without it: see docs/t5x.md"""

_SEARCH = "--gin_search_paths"
# What T5X takes of airio while it is imported, for isinstance checks alone.
_AIRIO_NAMES = ("DatasetProviderBase", "Task", "Mixture", "AirIODatasetIterator")


def launch(mode: str, flags: Sequence[str]) -> None:
    """Runs `python -m t5x.<mode>` in this process.

    Args:
      mode: One of `MODES`.
      flags: T5X's own flags. Our gin files are searched after the folders they name.

    Raises:
      ConfigError: An unknown mode, or T5X is not there; says how to install it.
    """
    if mode not in MODES:
        raise unknown("mode", mode, MODES)
    module = f"t5x.{mode}"
    if not _exists(module):
        raise ConfigError(RECIPE)
    prepare()
    sys.argv = [module, *with_search_paths(flags)]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def prepare() -> None:
    """Gives T5X's imports what the registry's packages lack; changes nothing that is there."""
    pjit = importlib.import_module("jax.experimental.pjit")
    if not hasattr(pjit, "PartitionSpec"):  # jestimator takes it from where it used to be
        pjit.PartitionSpec = jax.sharding.PartitionSpec
    if not _exists("airio.core"):
        core = types.ModuleType("airio.core")
        for name in _AIRIO_NAMES:
            setattr(core, name, type(name, (), {}))
        core.dataset_providers = core
        airio = types.ModuleType("airio")
        airio.core = core
        sys.modules |= {"airio": airio, "airio.core": core}


def with_search_paths(flags: Sequence[str]) -> list[str]:
    """Adds the packaged run files for T5X, and all packaged gin files, to the folders that are searched.

    with_search_paths(["--gin_search_paths=mine", "--gin_file=a.gin"])
        = ["--gin_file=a.gin", "--gin_search_paths=mine,<gin_configs>/t5x/runs,<gin_configs>"]
    """
    given, rest, flags = ["."], [], list(flags)
    while flags:
        flag = flags.pop(0)
        name, equals, value = flag.partition("=")
        if name != _SEARCH:
            rest.append(flag)
            continue
        value = value if equals or not flags else flags.pop(0)
        given = [folder for folder in value.split(",") if folder]
    return [*rest, f"{_SEARCH}={','.join([*given, f'{PACKAGED}/t5x/runs', PACKAGED])}"]


def _exists(module: str) -> bool:
    if module in sys.modules:
        return True
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False
