"""Modules that register tasks, named on the command line; imported under the same rule as those a gin file names."""

import argparse
import importlib
from collections.abc import Sequence
from typing import Any

from unified_io.errors import ConfigError

TASKS = ("data_tasks.datasets", "data_tasks.toy_mixtures", "data_tasks.mixtures")
"""Importing them registers every task that comes with the package."""


def add_flag(parser: argparse.ArgumentParser) -> None:
    """Adds --module."""
    parser.add_argument(
        "--module",
        action="append",
        metavar="NAME",
        help="a module of data_tasks that registers tasks, such as a file of your own there; may be repeated "
        "(default: those that register all)",
    )


def load(names: Sequence[str] | None) -> None:
    """Imports modules by name, without any those that register all tasks.

    Raises:
      ConfigError: There is no such module, or it is not one that a run may import.
    """
    from gin import config_parser

    from unified_io.gin_edge.files import Imports

    location = config_parser.Location("command line", None, None, "")
    for name in names or TASKS:
        try:
            Imports().add(config_parser.ImportStatement(name, False, "tasks", location))
        except ConfigError as error:
            raise ConfigError(f"--module={name}: {error}") from error


def catalogue() -> Any:
    """Returns the functions that know the table of registered tasks.

    The package knows no task. This one name is where its commands ask those who do; they are found when a command
    runs, as plug-ins are.
    """
    return importlib.import_module("data_tasks.catalogue")
