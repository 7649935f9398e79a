"""Gin's statements with references that are plain values, and command-line bindings made into statements."""

import ast
import re
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TextIO

from gin import config_parser

from unified_io.errors import ConfigError

REQUIRED = "gin.REQUIRED"


@dataclass(frozen=True)
class Reference:
    """`@scope/module.Name`: a configurable or, with brackets, what it returns. `target` is set once it is resolved."""

    selector: str
    evaluate: bool
    target: Callable | None = None

    def __repr__(self):
        return f"@{self.selector}{'()' if self.evaluate else ''}"


@dataclass(frozen=True)
class Macro:
    """`%NAME`."""

    name: str

    def __repr__(self):
        return f"%{self.name}"


class _Delegate(config_parser.ParserDelegate):
    """Lets gin's parser build our references."""

    def configurable_reference(self, scoped_configurable_name: str, evaluate: bool) -> Reference:
        return Reference(scoped_configurable_name, evaluate)

    def macro(self, macro_name: str) -> Macro:
        return Macro(macro_name)


def statements(source: str | TextIO, name: str) -> Iterator[Any]:
    """Parses gin text into config_parser's statements.

    Args:
      source: The text, or an open file.
      name: What an error calls the text.

    Raises:
      ConfigError: With the line that is no gin.
    """
    try:
        yield from config_parser.ConfigParser(source, _Delegate())
    except SyntaxError as error:
        raise ConfigError(f"{name}:{error.lineno}: {error.msg} In: {(error.text or '').strip()!r}") from error
    except tokenize.TokenError as error:
        raise ConfigError(f"{name}:{error.args[1][0]}: {error.args[0]}") from error


def as_statement(binding: str) -> str:
    """Turns `NAME=value` of a command line into a gin statement; a value that is no literal is taken as a string.

        as_statement("BUDGET=quick")   ->  "BUDGET = 'quick'"
        as_statement("BUDGET='quick'") ->  "BUDGET = 'quick'"
        as_statement("STEPS=100")      ->  "STEPS = 100"

    Raises:
      ConfigError: There is no `=`, the name is none, or the value begins like a literal and does not end like one.
    """
    name, equals, value = (part.strip() for part in binding.partition("="))
    if not equals or not re.fullmatch(r"(?:\w+/)*[A-Za-z_][\w.]*", name):
        raise ConfigError(f"{binding!r} is no gin binding; write NAME=value or Class.parameter=value")
    if _is_literal(value):
        return f"{name} = {value}"
    if value.startswith(("[", "(", "{", "'", '"', "@", "%")):
        raise ConfigError(f"{name} is set to {value!r}, which begins like a gin value but is none; quote it")
    return f"{name} = {value!r}"


def map_leaves(function: Callable[[Any], Any], value: Any) -> Any:
    """Applies a function to the leaves of nested tuples, lists and dicts."""
    if isinstance(value, tuple | list):
        return type(value)(map_leaves(function, item) for item in value)
    if isinstance(value, dict):
        return {map_leaves(function, key): map_leaves(function, item) for key, item in value.items()}
    return function(value)


def _is_literal(value: str) -> bool:
    """Whether gin reads the value as it stands: one Python literal, which may hold references and macros."""
    try:
        ast.literal_eval(value)
    except (ValueError, SyntaxError):
        try:
            # All of it, lest a second line smuggles in a second statement.
            return len(list(config_parser.ConfigParser(f"X = {value}\n", _Delegate()))) == 1
        except (SyntaxError, tokenize.TokenError):
            return False
    return True
