"""Configurations as text and back: frozen dataclasses <-> JSON that a checkpoint carries beside its arrays.

Loading builds classes of this package by name and runs nothing else. Knows neither gin nor any particular config.
"""

import dataclasses
import importlib
import json
import re
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from unified_io.errors import ConfigError, unknown

PACKAGE = "unified_io"
CLASS_KEY = "class"
_CLASS_NAME = re.compile(rf"({PACKAGE}(?:\.[A-Za-z]\w*)*):([A-Za-z]\w*)")


def to_json(config: Any) -> str:
    """Writes a config as JSON; `from_json` gives an equal config back.

    A dataclass becomes an object whose "class" says which one ("unified_io.model:UnifiedIOConfig"), a tuple a list.

    Raises:
      ConfigError: A value is no dataclass of this package, tuple, dict with string keys, string, number, bool or None.
    """
    return json.dumps(_encode(config, "config"), indent=2, allow_nan=False) + "\n"


def from_json(text: str) -> Any:
    """Builds the config that `to_json` wrote.

    Raises:
      ConfigError: The text is not JSON, or names a class, field or type that is not ours.
    """
    try:
        tree = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(f"this is not a config: {error}; expected the JSON that to_json writes") from error
    return _decode(tree, "config")


def overrides(config: Any, changes: Mapping[str, Any]) -> Any:
    """Returns a copy of `config` with some values replaced; a dot steps into a nested config, dict or tuple.

        overrides(config, {"backbone.num_layers": 2, "inputs.0.patch": 8})

    Raises:
      ConfigError: A path names no field, or the value is of another type than the field.
    """
    for path, value in changes.items():
        config = _replace(config, path.split("."), value, path)
    return config


def field_types(target: Callable) -> dict[str, Any]:
    """Annotated type of every parameter of a class or function; empty where the annotations can not be read."""
    try:
        return typing.get_type_hints(target.__init__ if isinstance(target, type) else target)
    except (NameError, TypeError, AttributeError):  # annotations that only a type checker resolves
        return {}


def accepts(annotation: Any, value: Any) -> bool:
    """Whether a plain value fits an annotation; True where the annotation says nothing about plain values.

    An int fits float, a list fits tuple (classes that care make it one); a bool fits neither int nor float.
    """
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return any(accepts(choice, value) for choice in args)
    if origin is typing.Literal:
        return value in args
    if origin is typing.Annotated:
        return accepts(args[0], value)
    if annotation in (None, type(None)):
        return value is None
    kind = origin or annotation
    if not isinstance(kind, type):
        return True
    if kind in (int, float) and isinstance(value, bool):
        return False
    if kind is float:
        return isinstance(value, int | float)
    if kind is tuple:
        return isinstance(value, tuple | list) and _items_fit(args, value)
    if kind in (int, str, bool, list, dict):
        return isinstance(value, kind)
    if dataclasses.is_dataclass(kind):
        return isinstance(value, kind)
    return True


def describe(annotation: Any) -> str:
    """An annotation as an error names it: `int`, `tuple[int, int]`, `str | None`."""
    return annotation.__name__ if type(annotation) is type else str(annotation).replace("typing.", "")


def _items_fit(args: tuple, value: Any) -> bool:
    if not args:
        return True
    if args[-1] is Ellipsis:
        return all(accepts(args[0], item) for item in value)
    return len(args) == len(value) and all(map(accepts, args, value))


def _encode(value: Any, path: str) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise ConfigError(f"{path} is {value}; a config holds finite numbers")
        return value
    if isinstance(value, tuple):
        return [_encode(item, f"{path}.{i}") for i, item in enumerate(value)]
    if isinstance(value, dict) and CLASS_KEY not in value and all(isinstance(key, str) for key in value):
        return {key: _encode(item, f"{path}.{key}") for key, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        name = f"{type(value).__module__}:{type(value).__qualname__}"
        _find_class(name, path)
        fields = [field.name for field in dataclasses.fields(value) if field.init]
        return {CLASS_KEY: name} | {key: _encode(getattr(value, key), f"{path}.{key}") for key in fields}
    raise ConfigError(
        f"{path} is {value!r} of type {type(value).__name__}; a config holds dataclasses of {PACKAGE}, tuples, "
        f"dicts with string keys (but {CLASS_KEY!r}), strings, numbers, bools and None"
    )


def _decode(tree: Any, path: str) -> Any:
    if isinstance(tree, list):
        return tuple(_decode(item, f"{path}.{i}") for i, item in enumerate(tree))
    if not isinstance(tree, dict):
        return tree
    values = {key: _decode(item, f"{path}.{key}") for key, item in tree.items() if key != CLASS_KEY}
    if CLASS_KEY not in tree:
        return values
    cls = _find_class(tree[CLASS_KEY], path)
    for key, value in values.items():
        _check_name(cls, key, path)
        _check_value(cls, key, value, path)
    missing = [
        field.name for field in dataclasses.fields(cls) if _required(field) and field.name not in values
    ]
    if missing:
        raise ConfigError(f"{path} is a {cls.__name__} without {', '.join(missing)}; the text is incomplete")
    return cls(**values)


def _find_class(name: Any, path: str) -> type:
    match = _CLASS_NAME.fullmatch(name) if isinstance(name, str) else None
    if not match:
        raise ConfigError(f"{path} asks for {name!r}; only dataclasses of {PACKAGE} can be part of a config")
    try:
        found = getattr(importlib.import_module(match[1]), match[2], None)
    except ImportError as error:
        raise ConfigError(f"{path} asks for {name!r}, whose module can not be imported: {error}") from error
    if not isinstance(found, type) or not dataclasses.is_dataclass(found):
        raise ConfigError(f"{path} asks for {name!r}, which is no dataclass of this version of {PACKAGE}")
    return found


def _required(field: dataclasses.Field) -> bool:
    has_default = field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
    return field.init and not has_default


def _check_name(cls: type, key: str, path: str) -> None:
    names = [field.name for field in dataclasses.fields(cls) if field.init]
    if key not in names:
        raise unknown(f"field of {cls.__name__} ({path})", key, names)


def _check_value(cls: type, key: str, value: Any, path: str) -> None:
    annotation = field_types(cls).get(key, Any)
    if not accepts(annotation, value):
        raise ConfigError(
            f"{path}.{key} is {value!r} ({type(value).__name__}), should be {describe(annotation)}"
        )


def _replace(node: Any, keys: list[str], value: Any, path: str) -> Any:
    if not keys:
        return value
    key, rest = keys[0], keys[1:]
    if dataclasses.is_dataclass(node) and not isinstance(node, type):
        _check_name(type(node), key, path)
        child = _replace(getattr(node, key), rest, value, path)
        _check_value(type(node), key, child, path)
        return dataclasses.replace(node, **{key: child})
    if isinstance(node, dict):
        if key not in node:
            raise unknown(f"key of {path}", key, node)
        return node | {key: _replace(node[key], rest, value, path)}
    if isinstance(node, tuple):
        if not key.isdecimal() or int(key) >= len(node):
            raise unknown(f"position of {path}", key, map(str, range(len(node))))
        index = int(key)
        return (*node[:index], _replace(node[index], rest, value, path), *node[index + 1 :])
    raise ConfigError(f"{path} steps into {node!r}, which has no {key!r}")
