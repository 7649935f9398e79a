"""Errors a user can act on. Every message says what we got, what we wanted and what to do next."""

import difflib
from collections.abc import Iterable


class UnifiedIOError(ValueError):
    """Base of all errors that come from input we were given; the CLI prints them and exits with 2."""


class ConfigError(UnifiedIOError):
    """A configuration that can not be run."""


class DataError(UnifiedIOError):
    """An example, a file or a folder that is not what the task declares."""


class CheckpointError(UnifiedIOError):
    """A checkpoint that is missing, incomplete or of another model."""


def unknown(kind: str, name: str, valid: Iterable[str]) -> ConfigError:
    """Returns the error for a name nobody knows, with the nearest valid ones.

    Args:
      kind: What the name should be, e.g. "modality".
      name: What we got.
      valid: Every name that would have been right.
    """
    choices = sorted(valid)
    near = difflib.get_close_matches(name, choices, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"choose one of: {', '.join(choices)}"
    return ConfigError(f"unknown {kind} {name!r}; {hint}")
