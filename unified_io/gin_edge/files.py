"""Where gin files lie, and what the imports at the top of one make its names mean."""

import importlib
import re
import types
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gin import config as gin_config
from gin import config_parser

import unified_io
from unified_io.errors import ConfigError, unknown

PACKAGED = str(Path(unified_io.__file__).resolve().parent.parent / "gin_configs")
ALLOWED = ("unified_io", "data_tasks", "seqio", "__gin__")
_BUILTINS = types.SimpleNamespace(macro=gin_config.macro, singleton=gin_config.singleton)


def find_file(name: str, search_paths: Sequence[str]) -> Path:
    """Finds a gin file; the first folder that has it wins.

    Raises:
      ConfigError: No folder has it; names the nearest file that exists.
    """
    for folder in search_paths:
        if (path := Path(folder, name)).is_file():
            return path
    folders = [Path(folder) for folder in search_paths if folder and Path(folder).is_dir()]
    present = {path.relative_to(folder).as_posix() for folder in folders for path in folder.rglob("*.gin")}
    if not present:
        raise ConfigError(f"no gin file {name!r}, nor any other in {', '.join(filter(None, search_paths))}")
    same = sorted(path for path in present if Path(path).name == Path(name).name)
    if same:
        raise ConfigError(f"no gin file {name!r}; did you mean {same[0]!r}?")
    raise unknown("gin file", re.sub(r"^.*gin_configs/", "", name), present)


@dataclass
class Imports:
    """The imports of one file: a name means something only in the file that imports it.

    Attributes:
      dynamic: Whether the file switched dynamic registration on, without which gin resolves no name.
      symbols: What each imported name is, and the name gin registers it by.
    """

    dynamic: bool = False
    symbols: dict[str, tuple[Any, str]] = field(default_factory=dict)

    def add(self, statement: config_parser.ImportStatement) -> None:
        """Carries out one import statement.

        Raises:
          ConfigError: The module is not under one of `ALLOWED` or is private, or there is none of that name.
        """
        name = statement.module
        package = name.split(".")[0]
        if package not in ALLOWED:
            raise ConfigError(f"a gin file may not import {name!r}; it may import {', '.join(ALLOWED)}")
        if package == "__gin__":
            self.dynamic = True
            self.symbols["gin"] = (_BUILTINS, "gin")
            return
        _check_public(name)
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as error:
            raise _no_module(name, error) from error
        if not statement.is_from and not statement.alias:
            module = importlib.import_module(package)
        self.symbols[statement.bound_name()] = (module, statement.partial_path())

    def resolve(self, selector: str) -> tuple[str, Callable]:
        """Finds what a selector names, and the name gin registers it by.

        Raises:
          ConfigError: It names nothing, or no class or function that a gin file may touch.
        """
        _check_public(selector)
        first, *rest = selector.split(".")
        if not self.dynamic:
            raise ConfigError("begin the file with `from __gin__ import dynamic_registration`")
        if first not in self.symbols:
            raise _unknown("import", first, self.symbols, "import its module at the top of the file")
        found, prefix = self.symbols[first]
        for name in rest:
            if not hasattr(found, name):
                raise _unknown(f"name in {prefix}", name, _public(found), "import it by another path")
            found = getattr(found, name)
        home = str(getattr(found, "__module__", ""))
        if not callable(found) or home.split(".")[0] not in (*ALLOWED, "gin"):
            raise ConfigError(f"{selector!r} is no class or function of {', '.join(ALLOWED[:-1])}")
        return ".".join([prefix, *rest]), found


def _check_public(name: str) -> None:
    """Refuses what a package keeps to itself: no config needs it, and some of it could do anything."""
    if private := [part for part in name.split(".") if part.startswith("_")]:
        raise ConfigError(
            f"a gin file may not touch {private[0]!r} of {name!r}; it is private to its package"
        )


def _public(owner: Any) -> list[str]:
    return [name for name in vars(owner) if not name.startswith("_")]


def _unknown(kind: str, name: str, choices: Iterable[str], otherwise: str) -> ConfigError:
    choices = list(choices)
    return unknown(kind, name, choices) if choices else ConfigError(f"unknown {kind} {name!r}; {otherwise}")


def _no_module(name: str, error: ModuleNotFoundError) -> ConfigError:
    parent, _, last = name.rpartition(".")
    if error.name != name:
        parts = name.split(".")
        if error.name not in {".".join(parts[:end]) for end in range(1, len(parts))}:
            return ConfigError(f"{name} needs {error.name!r}, which is not installed")
        return ConfigError(f"no module {error.name!r}")
    owner = importlib.import_module(parent) if parent else None
    if hasattr(owner, last):
        short = parent.rpartition(".")[-1]
        return ConfigError(
            f"gin imports modules only, and {name} is none; import {parent} and write {short}.{last}"
        )
    folders = getattr(owner, "__path__", ())
    siblings = {
        path.stem for folder in folders for path in Path(folder).glob("*") if path.suffix in ("", ".py")
    }
    return _unknown(f"module in {parent}" if parent else "module", last, siblings, "install it")
