"""One pass over the gin files and the command line: what is set, where, and what it is set on."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gin import config_parser

from unified_io.errors import ConfigError, unknown
from unified_io.gin_edge.files import Imports, find_file
from unified_io.gin_edge.statements import Macro, Reference, map_leaves, statements

COMMAND_LINE = "command line"


@dataclass(frozen=True)
class Binding:
    """One `module.Name.parameter = value`."""

    target: Callable
    parameter: str
    value: Any
    where: str


@dataclass
class Reading:
    """What the files and the command line say; of two that set the same, the later one.

    Attributes:
      macros: Value of each macro and where it was set.
      uses: Where each macro is first referred to.
      bindings: By scope, configurable and parameter.
      configurables: Everything the files mention, by the name gin registers.
    """

    macros: dict[str, tuple[Any, str]] = field(default_factory=dict)
    uses: dict[str, str] = field(default_factory=dict)
    bindings: dict[tuple[str, int, str], Binding] = field(default_factory=dict)
    configurables: dict[str, Callable] = field(default_factory=dict)

    def read_file(self, path: Path, search_paths: Sequence[str]) -> None:
        """Reads a file and what it includes.

        Raises:
          ConfigError: With file and line of the first statement that names nothing.
        """
        imports = Imports()

        def resolve(selector: str) -> Callable:
            name, target = imports.resolve(selector)
            if target not in self.configurables.values():
                self.configurables[name] = target
            return target

        with path.open(encoding="utf-8") as source:
            for statement in statements(source, str(path)):
                where = f"{path}:{statement.location.line_num}"
                included = None
                try:
                    if isinstance(statement, config_parser.ImportStatement):
                        imports.add(statement)
                    elif isinstance(statement, config_parser.IncludeStatement):
                        included = find_file(statement.filename, search_paths)
                    elif isinstance(statement, config_parser.BlockDeclaration):
                        resolve(statement.selector)
                    else:
                        self._bind(statement, where, resolve)
                except ConfigError as error:
                    raise ConfigError(f"{where}: {error}") from error
                if included:
                    self.read_file(included, search_paths)

    def read_command_line(self, statement: str) -> None:
        """Reads one statement that `as_statement` made.

        Raises:
          ConfigError: It names a configurable that no file mentions, or a parameter it does not have.
        """
        where = f"{COMMAND_LINE}: {statement}"
        for parsed in statements(statement, COMMAND_LINE):
            try:
                self._bind(parsed, where, self._find)
            except ConfigError as error:
                raise ConfigError(f"{where}: {error}") from error

    def _find(self, selector: str) -> Callable:
        """Finds a configurable by the last parts of its name, as gin does on a command line."""
        found = [name for name in self.configurables if f".{name}".endswith(f".{selector}")]
        if len(found) > 1:
            raise ConfigError(f"{selector!r} may be {' or '.join(found)}; write more of the name")
        if not found:
            parts = selector.count(".") + 1
            tails = {".".join(name.split(".")[-parts:]) for name in self.configurables}
            raise unknown("configurable", selector, tails)
        return self.configurables[found[0]]

    def _bind(
        self, statement: config_parser.BindingStatement, where: str, resolve: Callable[[str], Callable]
    ) -> None:
        def link(item: Any) -> Any:
            if isinstance(item, Macro):
                self.uses.setdefault(item.name, where)
            if isinstance(item, Reference):
                return Reference(item.selector, item.evaluate, resolve(item.selector.split("/")[-1]))
            return item

        scope, selector, parameter = statement.scope, statement.selector, statement.arg_name
        value = map_leaves(link, statement.value)
        if not parameter:
            self.macros[f"{scope}/{selector}" if scope else selector] = (value, where)
            return
        target = resolve(selector)
        parameters = inspect.signature(target).parameters
        takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        if parameter not in parameters and not takes_any:
            raise unknown(f"parameter of {selector}", parameter, parameters)
        self.bindings[scope, id(target), parameter] = Binding(target, parameter, value, where)
