"""Prompts: read the wordings of a task, choose one, put content in. Knows no task."""

import functools
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from unified_io.errors import DataError

_SLOT = re.compile(r"\{(\w+)\}")
HELD_OUT = "# held out"
"""The line of a file of templates behind which its wordings for evaluation stand."""


class Wordings(NamedTuple):
    """Templates to train on, and templates that are only met in evaluation."""

    training: tuple[str, ...]
    held_out: tuple[str, ...]


@functools.lru_cache(maxsize=512)
def read_templates(path: Path) -> tuple[str, ...]:
    """Reads one template a line; blank lines and lines that start with # are left out.

    Raises:
      DataError: There is no such file, or no template in it.
    """
    if not path.is_file():
        raise DataError(f"no prompts at {path}; write one template a line there")
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    templates = tuple(line for line in lines if line and not line.startswith("#"))
    if not templates:
        raise DataError(f"{path} holds no template; write one a line")
    return templates


@functools.lru_cache(maxsize=512)
def read_wordings(path: Path) -> Wordings:
    """Reads the templates before the line `# held out`, and those behind it; without that line they are the same.

    Raises:
      DataError: There is no such file, or one of the two parts holds no template.
    """
    everything = read_templates(path)
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    if HELD_OUT not in lines:
        return Wordings(everything, everything)
    first = sum(bool(line) and not line.startswith("#") for line in lines[: lines.index(HELD_OUT)])
    if not 0 < first < len(everything):
        raise DataError(
            f"{path} holds {len(everything)} templates, {first} of them before {HELD_OUT!r}; want some on each side"
        )
    return Wordings(everything[:first], everything[first:])


def slots(template: str) -> frozenset[str]:
    """Returns the names a template has slots for: slots("how many {thing}?") = {"thing"}."""
    return frozenset(_SLOT.findall(template))


def fill(template: str, content: dict[str, str]) -> str:
    """Puts content into the slots of a template. Braces in the content are content, never slots.

    fill("repeat {text}", {"text": "{x}"}) = "repeat {x}"

    Raises:
      DataError: The template has a slot without content, or there is content it has no slot for.
    """
    if slots(template) != content.keys():
        raise DataError(
            f"template {template!r} has slots {sorted(slots(template))}, content is for {sorted(content)}"
        )
    return _SLOT.sub(lambda slot: content[slot[1]], template)


def choose(templates: tuple[str, ...], rng: np.random.Generator) -> str:
    """Draws one of the templates."""
    return templates[rng.integers(len(templates))]
