"""Libraries that only some metrics need, imported when they are. Knows no metric."""

import importlib
from types import ModuleType

from unified_io.errors import ConfigError


def library(module: str, purpose: str) -> ModuleType:
    """Imports a module of the extra `metrics`.

    Args:
      module: Its name, such as "jiwer".
      purpose: What it is needed for, in words: "word error rates".

    Raises:
      ConfigError: It can not be imported; says what to install.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ConfigError(
            f'{purpose} need {module}, which can not be imported ({error}); run pip install "unified-io[metrics]", '
            "or leave this metric out"
        ) from error
