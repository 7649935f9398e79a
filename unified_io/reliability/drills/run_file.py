"""A job written as the gin file that gives it again, every number of it a line that can be mistaken."""

import dataclasses
import itertools
from typing import Any

from unified_io.train.job import TrainJob

MACROS = {"model_dir": "MODEL_DIR", "mixture": "MIXTURE_OR_TASK_NAME", "total_steps": "TRAIN_STEPS"}
"""Fields of the job that the file sets by a macro."""


def as_gin(job: TrainJob) -> str:
    """Returns the text of a run file: what differs from a default, and every nested config."""
    written = _Written()
    written.reference(job, MACROS)
    head = ["from __gin__ import dynamic_registration", "", "from unified_io import cli", *written.imports()]
    macros = [f"{name} = {getattr(job, field)!r}" for field, name in MACROS.items()]
    return "\n".join([*head, "", *macros, "", f"cli.run.job = {written.root}", *written.blocks]) + "\n"


class _Written:
    """What was written so far: a scope of its own for every config, lest two of a class share their numbers."""

    def __init__(self):
        self.blocks: list[str] = []
        self.root = ""
        self._modules: dict[str, str] = {}
        self._scopes = itertools.count()

    def imports(self) -> list[str]:
        """The imports that the blocks need."""
        return [
            f"from {module.rpartition('.')[0]} import {module.rpartition('.')[2]} as {alias}"
            for module, alias in self._modules.items()
        ]

    def reference(self, config: Any, macros: Any = ()) -> str:
        """Writes a config and returns what refers to it."""
        kind = type(config)
        alias = self._modules.setdefault(kind.__module__, f"m{len(self._modules)}")
        name = f"s{next(self._scopes)}/{alias}.{kind.__name__}"
        lines = [
            f"{name}.{field.name} = "
            + (f"%{macros[field.name]}" if field.name in macros else self._value(value))
            for field in dataclasses.fields(config)
            if field.init and _matters(field, value := getattr(config, field.name))
        ]
        self.blocks += lines
        self.root = f"@{name}()"
        return self.root

    def _value(self, value: Any) -> str:
        if dataclasses.is_dataclass(value):
            return self.reference(value)
        if isinstance(value, list | tuple):
            items = "".join(f"{self._value(item)}, " for item in value)
            return f"[{items}]" if isinstance(value, list) else f"({items})"
        if isinstance(value, dict):
            return f"{{{', '.join(f'{key!r}: {self._value(item)}' for key, item in value.items())}}}"
        return repr(value)


def _matters(field: dataclasses.Field, value: Any) -> bool:
    if dataclasses.is_dataclass(value):
        return True
    default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
    return bool(default is dataclasses.MISSING or value != default)
