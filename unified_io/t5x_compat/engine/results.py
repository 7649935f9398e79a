"""A file of JSON lines that is written in chunks, so that a run that was killed goes on where it was."""

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from unified_io.errors import ConfigError

COMPLETED = ".COMPLETED"


class Results:
    """One file in the making.

    Attributes:
      path: The file; it is there when all of it is.
    """

    def __init__(self, path: Path, about: Mapping[str, Any], size: int):
        """Looks at what an earlier run has left; chunks of another size are not gone on with.

        Args:
          path: The file.
          about: What it holds, as JSON values.
          size: Rows of a chunk; the last may have fewer.

        Raises:
          ConfigError: What was left is of something else.
        """
        self.path = path
        self._about = json.loads(json.dumps(dict(about)))
        self._marker = path.with_name(f"{path.name}{COMPLETED}")
        self._parts = path.with_name(f"tmp-{path.name}-{size}")
        self._label = self._parts / "about.json"
        for left in (self._marker, self._label):
            if left.is_file() and (theirs := json.loads(left.read_text(encoding="utf-8"))) != self._about:
                raise ConfigError(
                    f"{left} says that the results there are of {theirs}, this run is of {self._about}; choose another "
                    "INFER_OUTPUT_DIR"
                )

    @property
    def completed(self) -> bool:
        """Whether an earlier run has written all of it."""
        return self._marker.is_file()

    @property
    def chunks(self) -> int:
        """How many chunks are written."""
        return len(list(self._parts.glob("chunk-*.jsonl")))

    def write(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Writes the next chunk, whole or not at all."""
        self._parts.mkdir(parents=True, exist_ok=True)
        _replace(self._label, json.dumps(self._about))
        lines = "".join(f"{json.dumps(row)}\n" for row in rows)
        _replace(self._parts / f"chunk-{self.chunks:05d}.jsonl", lines)

    def finish(self) -> None:
        """Puts the chunks together and leaves a marker."""
        draft = self.path.with_name(f".{self.path.name}.draft")
        with draft.open("wb") as file:
            for number in range(self.chunks):
                file.write((self._parts / f"chunk-{number:05d}.jsonl").read_bytes())
        os.replace(draft, self.path)
        _replace(self._marker, json.dumps(self._about))
        for parts in self.path.parent.glob(f"tmp-{self.path.name}-*"):
            shutil.rmtree(parts, ignore_errors=True)


def _replace(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(text, encoding="utf-8")
    os.replace(draft, path)
