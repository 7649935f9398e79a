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
RECIPE = """Install it without the dependencies it asks for, and what it imports of them:
  python -m pip install -e ".[t5x]"
  python -m pip install --no-deps git+https://github.com/google-research/t5x
`unified-io train` runs the same jobs without it: see docs/t5x.md"""

_SEARCH = "gin_search_paths"
# What T5X takes of airio while it is imported, for isinstance checks alone.
_AIRIO_NAMES = ("DatasetProviderBase", "Task", "Mixture", "AirIODatasetIterator")


def launch(mode: str, flags: Sequence[str]) -> None:
    """Runs `python -m t5x.<mode>` in this process.

    Args:
      mode: One of `MODES`.
      flags: T5X's own flags. Our gin files are searched after the folders they name.

    Raises:
      ConfigError: An unknown mode, or T5X or something that it needs is not there; says how to install it.
    """
    if mode not in MODES:
        raise unknown("mode", mode, MODES)
    if not _installed("t5x"):
        raise ConfigError(f"T5X is not installed, and no registry has it. {RECIPE}")
    prepare()
    try:
        importlib.import_module("t5x")  # which imports nearly all of itself
    except ImportError as error:
        raise ConfigError(f"T5X can not be imported: {error}. {RECIPE}") from error
    module = f"t5x.{mode}"
    sys.argv = [module, *with_search_paths(flags)]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def prepare() -> None:
    """Gives T5X's imports what the registry's packages lack; changes nothing that is there."""
    pjit = importlib.import_module("jax.experimental.pjit")
    if not hasattr(pjit, "PartitionSpec"):  # jestimator takes it from where it used to be
        pjit.PartitionSpec = jax.sharding.PartitionSpec
    if not _installed("airio"):
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
        if not name.startswith("-") or name.lstrip("-") != _SEARCH:
            rest.append(flag)
            continue
        value = value if equals or not flags else flags.pop(0)
        given = [folder for folder in value.split(",") if folder]
    return [*rest, f"--{_SEARCH}={','.join([*given, f'{PACKAGED}/t5x/runs', PACKAGED])}"]


def _installed(package: str) -> bool:
    """Whether there is such a package; it is not imported, and a folder of that name is none."""
    if package in sys.modules:
        return True
    spec = importlib.util.find_spec(package)
    return spec is not None and spec.origin is not None
