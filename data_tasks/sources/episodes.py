"""Episodes of agents, cut into moments: what was seen and done up to each of them. Knows no dataset."""

import dataclasses
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from data_tasks.sources.media import content
from data_tasks.sources.stored import Context, Record, find
from unified_io.preprocess import image_ops

_SHOWN = 5  # steps of a moment, the current one included


@dataclasses.dataclass(frozen=True)
class Pictures:
    """Reads every picture of a list, each in its own size.

    Attributes:
      path: Where they are in a record: their bytes, arrays or names of files.
      folder: Folder of the files, below the dataset's own; {split} in it is the split.
    """

    path: str
    folder: str = ""

    def __call__(self, record: Record, context: Context) -> list[Float[np.ndarray, "h w 3"]]:
        given = find(record, self.path)
        return [image_ops.read(content(one, self.folder, False, context)) for one in given]


def moments(every: int, ahead: int = 0) -> Callable[[Record], list[Record]]:
    """Returns what cuts an episode, whose `steps` are a list, into records with the steps up to a moment.

    Args:
      every: Steps between two moments; episodes have hundreds of steps that are much alike.
      ahead: Later steps to keep besides, behind the current one.
    """

    def cut(record: Record) -> list[Record]:
        steps = record["steps"]
        last = range(0, len(steps) - ahead, every)
        return [record | {"steps": steps[max(0, at + 1 - _SHOWN) : at + 1 + ahead]} for at in last]

    return cut


def ends(record: Record) -> list[Record]:
    """Returns an episode with its first and its last step only; nothing of one that has no two."""
    steps = record["steps"]
    return [record | {"steps": [steps[0], steps[-1]]}] if len(steps) > 1 else []


def spread(record: Record) -> list[Record]:
    """Returns an episode with a few of its steps at equal distances, the first and the last among them."""
    steps = record["steps"]
    places = np.unique(np.linspace(0, len(steps) - 1, _SHOWN).round().astype(int))
    return [record | {"steps": [steps[place] for place in places]}]


@dataclasses.dataclass(frozen=True)
class Numbers:
    """Reads lists of numbers of every step, each cut to its range.

    Attributes:
      path: Where they are in a record, such as "steps/action".
      low: The least values.
      high: The greatest.
    """

    path: str
    low: tuple[float, ...]
    high: tuple[float, ...]

    def __call__(self, record: Record, context: Context) -> list[list[float]]:
        given = np.asarray([np.asarray(one).ravel() for one in find(record, self.path)], np.float64)
        return np.clip(given, self.low, self.high).tolist()
