"""Where in the data a run is, as small JSON values that a checkpoint holds; no pixels, no iterators."""

import dataclasses
from collections.abc import Container, Mapping, Sequence
from typing import Any

from unified_io.errors import DataError


@dataclasses.dataclass(frozen=True)
class Place:
    """Where one example lies in a source: its epoch, the part of the files, and the record in it."""

    epoch: int = 0
    part: int = 0
    index: int = 0


@dataclasses.dataclass(frozen=True)
class GroupPosition:
    """Where one group of rows is.

    Attributes:
      places: Where to go on in every source that was read.
      waiting: Task and place of the examples that were read and found no row yet, those that waited longest first.
        An example of an endless source has no place: another one of that source comes instead.
      seen: Examples of every task that were packed.
    """

    places: Mapping[str, Place] = dataclasses.field(default_factory=dict)
    waiting: tuple[tuple[str, Place | None], ...] = ()
    seen: Mapping[str, int] = dataclasses.field(default_factory=dict)

    def without(self, changed: Container[str], kept: Container[str]) -> "GroupPosition":
        """Forgets where it was in changed sources, which go on with the next epoch, and what waits of them.

        Args:
          changed: Names of sources that are not what they were.
          kept: Names of the sources that there still are.
        """
        places = {
            name: Place(at.epoch + 1) if name in changed else at
            for name, at in self.places.items()
            if name in kept
        }
        waiting = tuple(entry for entry in self.waiting if entry[0] in kept and entry[0] not in changed)
        return GroupPosition(places, waiting, self.seen)


@dataclasses.dataclass(frozen=True)
class Position:
    """Where a run is: the start of a chunk. The chunk is read from there again, whatever its step.

    Attributes:
      chunk: Number of the chunk; seeds what is drawn in it.
      start: Step of its first batch.
      steps: Batches in it.
      seed: Seeds the order of everything.
      split: The split that is read.
      groups: Groups of a batch, on all hosts together.
      rates: Part of the examples of every task, throughout the chunk.
      by_group: Where every group is, those of other hosts included if they were put together.
    """

    chunk: int
    start: int
    steps: int
    seed: int
    split: str
    groups: int
    rates: Mapping[str, float]
    by_group: Mapping[int, GroupPosition]

    def to_json(self) -> dict[str, Any]:
        """Returns JSON values; places are [epoch, part, index]."""
        groups = {
            str(number): {
                "places": {name: _listed(at) for name, at in group.places.items()},
                "waiting": [[name, _listed(at)] for name, at in group.waiting],
                "seen": dict(group.seen),
            }
            for number, group in self.by_group.items()
        }
        own = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "by_group"}
        return {**own, "rates": dict(self.rates), "by_group": groups}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Position":
        """Reads what `to_json` wrote.

        Raises:
          DataError: It is something else.
        """
        try:
            groups = {
                int(number): GroupPosition(
                    {name: Place(*at) for name, at in group["places"].items()},
                    tuple((name, at and Place(*at)) for name, at in group["waiting"]),
                    dict(group["seen"]),
                )
                for number, group in values["by_group"].items()
            }
            return cls(**{**values, "by_group": groups})
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(
                f"the checkpoint holds no position in the data that we can read ({error!r}); "
                "continue with the version that wrote it"
            ) from error


def together(states: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Puts the states of several hosts together: they differ in their groups alone."""
    groups = {number: group for state in states for number, group in state["position"]["by_group"].items()}
    return {**states[0], "position": {**states[0]["position"], "by_group": groups}}


def _listed(at: Place | None) -> list[int] | None:
    return None if at is None else [at.epoch, at.part, at.index]
