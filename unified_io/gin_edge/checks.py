"""What must hold of a reading as a whole: every macro is set and used, every value fits its parameter."""

from typing import Any

from unified_io.configuration import accepts, describe, field_types
from unified_io.errors import ConfigError, unknown
from unified_io.gin_edge.reading import COMMAND_LINE, Binding, Reading
from unified_io.gin_edge.statements import REQUIRED, Macro, Reference, map_leaves


def check_macros(reading: Reading, known: tuple[str, ...] = ()) -> None:
    """Checks that every macro somebody refers to is set, and that what the command line sets is referred to.

    Args:
      reading: The files and the command line.
      known: Macros that mean something though no file refers to them.

    Raises:
      ConfigError: With the nearest macro that would have had an effect.
    """
    for name, (value, where) in reading.macros.items():
        if where.startswith(COMMAND_LINE) and name not in reading.uses and name not in known:
            useful = {*reading.uses, *known} - {REQUIRED}
            raise ConfigError(f"{where}: nothing refers to it: {unknown('macro', name, useful)}")
        if value == Macro(REQUIRED):
            raise ConfigError(f"{where}: {name} has no value; give --gin.{name}=VALUE")
    for name, where in reading.uses.items():
        if name not in reading.macros and name != REQUIRED:
            others = f"; {unknown('macro', name, reading.macros)}" if reading.macros else ""
            raise ConfigError(f"{where}: %{name} has no value; give --gin.{name}=VALUE{others}")


def check_types(reading: Reading) -> None:
    """Checks every bound value against the annotation of its parameter.

    Raises:
      ConfigError: With where the value comes from.
    """
    for binding in reading.bindings.values():
        _check_type(binding, reading)


class _NotYetKnown(Exception):
    """What a function returns has no type before it has run."""


def _check_type(binding: Binding, reading: Reading) -> None:
    name = f"{binding.target.__name__}.{binding.parameter}"
    if binding.value == Macro(REQUIRED):
        raise ConfigError(f"{binding.where}: {name} has no value; give --gin.{name}=VALUE")
    origins = [binding.where]
    try:
        value = map_leaves(lambda item: _preview(item, reading, origins), binding.value)
    except _NotYetKnown:
        return
    annotation = field_types(binding.target).get(binding.parameter, Any)
    if accepts(annotation, value):
        return
    written = repr(binding.value)
    if isinstance(binding.value, Macro):
        written += f" = {reading.macros[binding.value.name][0]!r}"
    raise ConfigError(
        f"{', from '.join(origins)}: {name} is {written} ({_kind(value)}), should be {describe(annotation)}"
    )


def _preview(item: Any, reading: Reading, origins: list[str]) -> Any:
    """What a reference will be, as far as its type goes: a macro's value, a class, an empty instance."""
    if isinstance(item, Macro):
        value, where = reading.macros[item.name]
        if len(origins) > len(reading.macros):
            raise ConfigError(f"{where}: the value of {item.name} refers to itself")
        origins.append(where)
        return map_leaves(lambda nested: _preview(nested, reading, origins), value)
    if not isinstance(item, Reference):
        return item
    if not item.evaluate:
        return item.target
    if not isinstance(item.target, type):
        raise _NotYetKnown
    return object.__new__(item.target)


def _kind(value: Any) -> str:
    return f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
