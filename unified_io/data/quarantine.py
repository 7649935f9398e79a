"""Examples that were left out: who they are, why, how many of every source, and when that is too many."""

import dataclasses
import json
import logging
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from unified_io.data.position import Place
from unified_io.errors import DataError

log = logging.getLogger(__name__)

# Below so many examples of a source a part of them says little.
_ENOUGH = 200


@dataclasses.dataclass(frozen=True)
class Quarantined:
    """An example that was left out, and why.

    Attributes:
      name: Its task, and its id where that could be read.
      reason: What was wrong.
    """

    name: str
    reason: str


@dataclasses.dataclass(frozen=True)
class LeftOut(Quarantined):
    """An example that was left out, and where and when.

    Attributes:
      source: The task it belongs to.
      place: Where it lies in the source; None where that is not known.
      step: The step in whose batch it would have been looked at.
    """

    source: str = ""
    place: Place | None = None
    step: int = 0


class Quarantine(list[LeftOut]):
    """Examples that were left out, in the order in which they were met; ends the run when there are too many."""

    def __init__(self, most: int, share: float = 1.0):
        """Sets it up.

        Args:
          most: How many there may be.
          share: Part of the examples of one source that they may be, once there are enough of that source.
        """
        super().__init__()
        self.most, self.share = most, share

    def add(self, name: str, error: Exception, source: str = "", place: Place | None = None) -> None:
        """Sets an example aside.

        Raises:
          DataError: It is one too many.
        """
        self.append(LeftOut(name, str(error), source, place))
        log.warning("left out %s: %s", name, error)
        if len(self) > self.most:
            raise DataError(
                f"{len(self)} examples could not be used, max_bad is {self.most}; the last was {name}: {error}"
            ) from error

    def stamp(self, known: int, step: int) -> None:
        """Writes the step on all behind the first `known`."""
        self[known:] = [dataclasses.replace(entry, step=step) for entry in self[known:]]

    def check(self, used: Mapping[str, int]) -> None:
        """Looks at the part that was left out of every source.

        Args:
          used: How many examples of every source were used.

        Raises:
          DataError: It is too large a part of one; names it, and the last example left out.
        """
        for source, bad in self.by_source().items():
            read = bad + used.get(source, 0)
            if read >= _ENOUGH and bad > self.share * read:
                last = next(entry for entry in reversed(self) if entry.source == source)
                raise DataError(
                    f"{bad} of {read} examples of {source} could not be used, which is more than the part of "
                    f"{self.share:g} that max_bad_share allows; the last was {last.name}: {last.reason}"
                )

    def by_source(self) -> Counter[str]:
        """Counts them by source."""
        return Counter(entry.source for entry in self)


class QuarantineFile:
    """A line of JSON for every example that was left out: the same lines however often the run was interrupted.

    A line holds `step`, `source`, `name`, `place` ([epoch, part, index] in the source, or null) and `reason`.
    """

    def __init__(self, path: Path):
        self.path = path

    def resume(self, step: int) -> list[LeftOut]:
        """Forgets what was met behind a step, where it will be met again; returns the rest."""
        if not self.path.exists():
            return []
        kept = [entry for entry in map(_read, self.path.read_bytes().splitlines(keepends=True)) if entry]
        kept = [entry for entry in kept if entry.step <= step]
        fresh = self.path.with_suffix(".jsonl.new")
        fresh.write_text("".join(map(_line, kept)), encoding="utf-8")
        os.replace(fresh, self.path)
        return kept

    def write(self, entries: Iterable[LeftOut]) -> None:
        """Appends examples."""
        lines = "".join(map(_line, entries))
        if lines:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(lines)


def _line(entry: LeftOut) -> str:
    place = entry.place and list(dataclasses.astuple(entry.place))
    values = {"step": entry.step, "source": entry.source, "name": entry.name, "place": place}
    return json.dumps({**values, "reason": entry.reason}, ensure_ascii=False) + "\n"


def _read(line: bytes) -> LeftOut | None:
    """Reads a line; None of half a line that a killed run has left."""
    try:
        values = json.loads(line)
        place = values["place"] and Place(*values["place"])
        return LeftOut(**{**values, "place": place}) if line.endswith(b"\n") else None
    except (ValueError, KeyError, TypeError):
        return None
