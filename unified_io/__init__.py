"""Unified-IO 2 and its relatives: text, images, sound and actions, in and out, from one set of parts.

The public names are imported when first asked for, so that `import unified_io` costs nothing.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "CheckpointError": "errors",
    "ConfigError": "errors",
    "DataError": "errors",
    "UnifiedIO": "api",
    "UnifiedIOConfig": "model",
    "UnifiedIOError": "errors",
    "from_pretrained": "api",
}

__all__ = [
    "CheckpointError",
    "ConfigError",
    "DataError",
    "UnifiedIO",
    "UnifiedIOConfig",
    "UnifiedIOError",
    "from_pretrained",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
