"""What is stored against what is wanted, by name and shape, with all differences in one message."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unified_io.errors import CheckpointError


def compare(
    folder: str | Path,
    stored: Mapping[str, Any],
    wanted: Mapping[str, Any],
    expect_missing: tuple[str, ...] = (),
    expect_unused: tuple[str, ...] = (),
) -> None:
    """Raises CheckpointError unless names and shapes agree, but for the expected ones.

    Args:
      folder: Where `stored` lies, for the message.
      stored: What there is: anything with a shape, by name.
      wanted: What there should be, likewise.
      expect_missing: Patterns of wanted names that need not be there.
      expect_unused: Patterns of names that nobody needs.
    """

    def unexpected(names: Any, patterns: tuple[str, ...]) -> list[str]:
        return sorted(name for name in names if not any(re.search(pattern, name) for pattern in patterns))

    missing = unexpected(wanted.keys() - stored.keys(), expect_missing)
    unused = unexpected(stored.keys() - wanted.keys(), expect_unused)
    shapes = [
        f"{name} is {tuple(stored[name].shape)}, wanted {tuple(wanted[name].shape)}"
        for name in sorted(wanted.keys() & stored.keys())
        if tuple(stored[name].shape) != tuple(wanted[name].shape)
    ]
    problems = [
        f"{title} ({len(names)}): {some(names)}"
        for title, names in (
            ("missing in it", missing),
            ("in it but not wanted", unused),
            ("other shapes", shapes),
        )
        if names
    ]
    if problems:
        raise CheckpointError(f"{folder} is of another model. " + "; ".join(problems))


def some(names: list[str], most: int = 10) -> str:
    """Returns the first names of a list that may be long."""
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
