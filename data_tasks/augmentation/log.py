"""What became of every example, a line each, written at once: whoever is stopped goes on. Knows no example."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from unified_io.errors import DataError, UnifiedIOError

ID, DROPPED = "id", "dropped"


class Dropped(UnifiedIOError):
    """An example that is not kept; its words are the reason that is counted."""


def extend(
    path: Path, examples: Iterable[tuple[str, Any]], make: Callable[[Any], Mapping[str, Any]]
) -> Counter[str]:
    """Makes what is not in a log yet, and returns how many of all were kept, and how many dropped for which reason.

        {"id": "7", "question": "what barks", "answer": "dog"}
        {"id": "8", "dropped": "short caption"}

    A last line that was cut off is made again. What a line was made of is not compared: change the examples or the
    language model, and take another file.

    Args:
      path: The log; it is begun where there is none.
      examples: (id, whatever `make` takes).
      make: Returns what to keep of an example, in JSON values, or raises `Dropped`.

    Raises:
      DataError: A line is broken, an id comes twice, or `make` returns the fields "id" or "dropped".
    """
    counts = Counter(line.get(DROPPED, "kept") for line in lines(path))
    done, seen = {line[ID] for line in lines(path)}, set()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.truncate(_whole(path))
        for name, example in examples:
            if name in seen:
                raise DataError(f"two examples have the id {name!r}; give each its own")
            seen.add(name)
            if name in done:
                continue
            try:
                made = dict(make(example))
            except Dropped as reason:
                made, outcome = {}, {DROPPED: str(reason)}
            else:
                outcome = {}
            if clash := {ID, DROPPED} & made.keys():
                raise DataError(f"field {clash.pop()!r} of what was made is the log's own; call it otherwise")
            file.write(json.dumps({ID: name, **made, **outcome}, ensure_ascii=False) + "\n")
            file.flush()
            counts[outcome.get(DROPPED, "kept")] += 1
    return counts


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yields the lines of a log that are whole; of none, nothing.

    Raises:
      DataError: A line is no object with an id.
    """
    if not path.exists():
        return
    for number, line in enumerate(path.read_bytes()[: _whole(path)].splitlines(), 1):
        try:
            found = json.loads(line)
        except ValueError as error:
            raise DataError(f"line {number} of {path} is no JSON: {error}; take it out") from error
        if not isinstance(found, dict) or not isinstance(found.get(ID), str):
            raise DataError(f"line {number} of {path} is no object with an id; is it a log?")
        yield found


def kept(path: Path) -> Iterator[dict[str, Any]]:
    """Yields what was kept."""
    return (line for line in lines(path) if DROPPED not in line)


def _whole(path: Path) -> int:
    """Bytes up to the end of the last line that is whole."""
    return path.read_bytes().rfind(b"\n") + 1
