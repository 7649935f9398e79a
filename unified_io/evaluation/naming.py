"""Which class a freely written answer names, by the rule of a released program and by one that knows longer names.

The other way to classify, by the likelihood of every name, is `choice.choose`. X-InstructBLIP ranks by the loss divided
by the length to which a chunk of names was padded. Within a chunk that is the order of `choose(losses)`; across chunks
of different lengths it depends on who shares a chunk with whom. `choose(losses, lengths)` does not favour short names.
Knows strings only.
"""

from collections.abc import Sequence

from unified_io.evaluation.metric import Mean
from unified_io.evaluation.text import normalise


def by_token(answer: str, classes: Sequence[str]) -> str | None:
    """Returns the first of the classes that is a token of the answer, in lower case, tokens parted by blanks.

    A name of two words is never found, nor one with a comma behind it.

    Source: the open classification of X-InstructBLIP.
    """
    said = {*answer.lower().split()}
    return next((name for name in classes if name in said), None)


def by_name(answer: str, classes: Sequence[str]) -> str | None:
    """Returns the class whose name comes first in the answer, word by word; of names at one place the longest.

    Both are taken after `text.normalise`, and "_" in a name is a blank: "A night stand." names "night_stand".
    """
    said = normalise(answer).split()
    found = []
    for order, name in enumerate(classes):
        wanted = normalise(name).split()
        places = [i for i in range(len(said)) if wanted and said[i : i + len(wanted)] == wanted]
        if places:
            found.append((places[0], -len(wanted), order))
    return classes[min(found)[2]] if found else None


NAMED_BY_TOKEN = Mean(
    "named_by_token", each=lambda answer, truth: float(by_token(answer, truth[1]) == truth[0])
)
"""Prediction: a text. Truth: the right class, and all classes."""

NAMED = Mean("named", each=lambda answer, truth: float(by_name(answer, truth[1]) == truth[0]))
