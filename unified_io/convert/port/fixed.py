"""What the port can switch and no released model switches: refused by name."""

from collections.abc import Mapping
from typing import Any

from unified_io.errors import ConfigError


def check(where: str, config: Mapping[str, Any], fixed: Mapping[str, Any]) -> None:
    """Checks that a part of the port's config has the values that are built; one that is left out has them.

    Raises:
      ConfigError: It has another one.
    """
    for name, value in fixed.items():
        given = config.get(name, value)
        if (list(given) if isinstance(given, tuple) else given) != value:
            raise ConfigError(
                f"{where}.{name} is {given!r}; only {value!r}, what every released model has, is built"
            )
