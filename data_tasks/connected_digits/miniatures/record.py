"""What was measured, a file for every experiment, arm and seed; what is there is not measured again."""

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path

from data_tasks.connected_digits.miniatures.bench import Outcome


@dataclasses.dataclass(frozen=True)
class Record:
    """The results in a folder.

    Attributes:
      folder: Holds the files.
    """

    folder: Path

    def measured(self, number: int, arm: str, seed: int, measure: Callable[[], Outcome]) -> Outcome:
        """Returns an outcome, measured now or before."""
        path = self._path(number, arm, seed)
        if not path.is_file():
            outcome = measure()
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            part.write_text(json.dumps({"experiment": number, "arm": arm, "seed": seed, "outcome": outcome}))
            part.replace(path)
        return json.loads(path.read_text())["outcome"]

    def outcomes(self, number: int, arm: str) -> dict[int, Outcome]:
        """Returns what there is of an arm, by seed."""
        found = [
            json.loads(path.read_text())
            for path in sorted(self.folder.glob(self._path(number, arm, 0).stem[:-1] + "*.json"))
        ]
        return {one["seed"]: one["outcome"] for one in found}

    def _path(self, number: int, arm: str, seed: int) -> Path:
        return self.folder / f"{number:02}.{re.sub('[^a-z0-9]+', '_', arm.lower())}.{seed}.json"
