"""Names and layouts of one checkpoint family as a table that reads both ways. Knows no model and no file.

A rule is a pair of patterns with slots and what happens to the array in between:

    Rule("{stack}.layers_{i}.mlp.{name}.weight", "{stack}/layers_{i}/mlp/{name}/kernel", TRANSPOSED)

A slot `{name}` stands for one word (no dot, no slash), `{name:a|b}` for one of these words, `{name...}` for any number
of words: dots on their side are slashes on ours.
"""

import dataclasses
import functools
import re
from collections.abc import Callable

import numpy as np

from unified_io.errors import CheckpointError

_SLOT = re.compile(r"\{(\w+)(?::([^{}]+)|(\.\.\.))?\}")


@dataclasses.dataclass(frozen=True)
class Layout:
    """How an array of theirs becomes one of ours, and back; views where possible."""

    ours: Callable[[np.ndarray], np.ndarray]
    theirs: Callable[[np.ndarray], np.ndarray]


SAME = Layout(lambda x: x, lambda x: x)
TRANSPOSED = Layout(lambda x: x.T, lambda x: x.T)
# Convolutions: [out, in, height, width] in PyTorch, [height, width, in, out] in JAX.
CONVOLUTION = Layout(lambda x: x.transpose(2, 3, 1, 0), lambda x: x.transpose(3, 2, 0, 1))
# Transposed convolutions: [in, out, height, width] that scatters, against [height, width, in, out] that gathers.
TRANSPOSED_CONVOLUTION = Layout(
    lambda x: x[:, :, ::-1, ::-1].transpose(2, 3, 0, 1), lambda x: x.transpose(2, 3, 0, 1)[:, :, ::-1, ::-1]
)


@dataclasses.dataclass(frozen=True)
class Rule:
    """One line of a table: their name, our name, and the layout between them."""

    theirs: str
    ours: str
    layout: Layout = SAME


@dataclasses.dataclass(frozen=True)
class Table:
    """The rules of a checkpoint family; the first that fits a name counts.

    Attributes:
      family: What to call it in messages.
      rules: The lines.
    """

    family: str
    rules: tuple[Rule, ...]

    def to_ours(self, name: str) -> tuple[str, Layout] | None:
        """Returns our name of one of their tensors, and its layout; None where no rule fits."""
        for rule in self.rules:
            if (found := _translate(name, rule.theirs, rule.ours, ".", "/")) is not None:
                return found, rule.layout
        return None

    def to_theirs(self, name: str) -> tuple[str, Layout]:
        """Returns their name of one of our parameters, and its layout.

        Raises:
          CheckpointError: No rule fits: they have no such parameter.
        """
        for rule in self.rules:
            if (found := _translate(name, rule.ours, rule.theirs, "/", ".")) is not None:
                return found, rule.layout
        raise CheckpointError(
            f"{self.family} has no place for parameter {name}; leave its modality out, or save in our own format"
        )


def _translate(name: str, source: str, target: str, divider: str, new_divider: str) -> str | None:
    match = _pattern(source, divider).fullmatch(name)
    if match is None:
        return None
    return _SLOT.sub(lambda slot: match[slot[1]].replace(divider, new_divider), target)


@functools.cache
def _pattern(template: str, divider: str) -> re.Pattern:
    """Compiles a template; a slot that comes twice must hold the same both times."""
    parts, last, seen = [], 0, set()
    for slot in _SLOT.finditer(template):
        name, choices, rest = slot.groups()
        parts.append(re.escape(template[last : slot.start()]))
        word = choices or (".+" if rest else rf"[^{re.escape(divider)}]+?")
        parts.append(f"(?P={name})" if name in seen else f"(?P<{name}>{word})")
        seen.add(name)
        last = slot.end()
    return re.compile("".join([*parts, re.escape(template[last:])]))
