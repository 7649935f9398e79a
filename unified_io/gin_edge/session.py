"""From gin files and flags to a job, and the config that was meant, written beside what it makes."""

import contextlib
import difflib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import gin
from gin import config as gin_config

from unified_io.errors import ConfigError, unknown
from unified_io.gin_edge import checks
from unified_io.gin_edge.files import PACKAGED, find_file
from unified_io.gin_edge.reading import Reading
from unified_io.gin_edge.statements import as_statement

MODEL_DIR = "MODEL_DIR"
CONFIG_FILE = "config.gin"


def parse(files: Sequence[str], bindings: Sequence[str], search_paths: Sequence[str] = ()) -> Reading:
    """Reads and checks everything, then makes it gin's current config.

    Args:
      files: Names of gin files; later ones win.
      bindings: `NAME=value`; they win over the files.
      search_paths: Folders to look in after the current one and before the packaged gin_configs.

    Raises:
      ConfigError: With file, line and the nearest name that would have been right.
    """
    folders = ["", *search_paths, PACKAGED]
    statements = [as_statement(binding) for binding in bindings]
    paths = [str(find_file(name, folders)) for name in files]
    reading = Reading()
    for path in paths:
        reading.read_file(Path(path), folders)
    for statement in statements:
        reading.read_command_line(statement)
    checks.check_macros(reading, known=(MODEL_DIR,))
    checks.check_types(reading)
    gin.clear_config()
    gin_config._LOCATION_PREFIXES[:] = (
        folders  # gin can only append to it, and would keep an earlier call's folders
    )
    try:
        with _quiet():
            gin.parse_config_files_and_bindings(paths, statements)
    except (ValueError, TypeError, AttributeError, NameError, RuntimeError, SyntaxError) as error:
        raise ConfigError(f"gin does not take this config: {error}") from error
    return reading


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """gin logs an error for every folder that does not have a file, though the next one has it."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(before)


def build(reading: Reading, run: Callable[..., Any]) -> Any:
    """Calls `run` with what the config binds to it; everything that refers to is built on the way.

    Raises:
      ConfigError: Nothing is bound to `run`, or something on the way lacks a parameter.
    """
    if not any(binding.target is run for binding in reading.bindings.values()):
        name = f"{run.__module__.rpartition('.')[-1]}.{run.__name__}"
        raise ConfigError(
            f"no gin file says what to {run.__name__}; give a run file, one that binds {name}.job"
        )
    try:
        return gin.get_configurable(run)()
    except TypeError as error:
        if "No values supplied by Gin" not in str(error):
            raise
        raise ConfigError(f"the config is incomplete: {error}") from error


def build_macro(reading: Reading, name: str) -> Any:
    """Builds what a macro stands for, e.g. the config behind `MODEL`, without a job.

    Raises:
      ConfigError: No file sets the macro.
    """
    if name not in reading.macros:
        raise unknown("macro", name, reading.macros)
    return gin.get_configurable(f"{name}/gin.macro")()


def save(folder: Path) -> list[str]:
    """Writes the current config into `folder`, which is made if need be; `--gin_file=config.gin` gives it again.

    Returns:
      The lines in which an earlier config in this folder differs, as a unified diff.

    Raises:
      ConfigError: The folder can not be written.
    """
    text, path = gin.config_str(max_line_length=100), folder / CONFIG_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        earlier = path.read_text(encoding="utf-8") if path.is_file() else text
        draft = path.with_suffix(".gin.draft")
        draft.write_text(text, encoding="utf-8")
        os.replace(draft, path)
    except OSError as error:
        raise ConfigError(
            f"can not write to model_dir {str(folder)!r}: {error.strerror}; choose another with --model_dir=FOLDER"
        ) from error
    return list(
        difflib.unified_diff(earlier.splitlines(), text.splitlines(), "before", "now", lineterm="", n=0)
    )
