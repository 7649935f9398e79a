"""A fixture on disk, and the comparison of what we compute with what it holds. Knows no kind of fixture.

A check is a generator: it takes a Fixture and yields `Compared` in the order of execution, so that the first that
is off is where the numbers part.
"""

import dataclasses
import json
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

# The authors of the fixtures ask for 10 to 30 times the noise of float32 that they measured for every array; a
# number of this size can not be held to less than a few units in its last place.
NOISE_FACTOR = 30.0
LAST_PLACES = 4.0 * float(np.finfo(np.float32).eps)


@dataclasses.dataclass(frozen=True)
class Fixture:
    """One folder of golden data.

    Attributes:
      folder: Where it lies.
      config: `config.json`; empty where there is none.
      inputs: `inputs.npz`, read when asked for.
      outputs: `outputs.npz` likewise; every array of it must be compared.
      noise: `tolerances.json`: by array, how much float32 differs from float64 and how large the values are.
    """

    folder: Path
    config: Mapping[str, Any]
    inputs: Mapping[str, np.ndarray]
    outputs: Mapping[str, np.ndarray]
    noise: Mapping[str, Mapping[str, Any]]

    @classmethod
    def open(cls, folder: Path) -> "Fixture":
        """Reads a folder; files that are not there count as empty."""
        arrays = {
            name: dict(np.load(path))
            for name in ("inputs", "outputs")
            if (path := folder / f"{name}.npz").is_file()
        }
        return cls(
            folder,
            cls._json(folder / "config.json"),
            arrays.get("inputs", {}),
            arrays.get("outputs", {}),
            cls._json(folder / "tolerances.json"),
        )

    @staticmethod
    def _json(path: Path) -> Any:
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}

    def json(self, name: str) -> Any:
        """Returns the content of a JSON file of the folder; {} where it is not there."""
        return self._json(self.folder / name)

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        """Returns the arrays of an .npz file of the folder."""
        return dict(np.load(self.folder / name))

    def beside(self, name: str) -> Path | None:
        """Returns the file or folder `name` next to this fixture, or None."""
        path = self.folder.parent / name
        return path if path.exists() else None

    def tolerance(self, name: str, expected: np.ndarray) -> float:
        """Returns the largest absolute error allowed: 0 for whole numbers, else what the noise floor asks for."""
        if not np.issubdtype(expected.dtype, np.floating):
            return 0.0
        floor = float(self.noise.get(name, {}).get("f32_vs_f64_max_abs", 0.0))
        largest = float(np.max(np.abs(expected), initial=0.0))
        return max(NOISE_FACTOR * floor, LAST_PLACES * largest)


@dataclasses.dataclass(frozen=True)
class Compared:
    """One thing we computed.

    Attributes:
      name: Key in `outputs.npz`, or a name of the check's own where `expected` is given.
      ours: What we got: an array, or anything that compares with ==.
      expected: What it should be; None takes `outputs[name]`.
      where: Boolean mask over the leading axes of the array: compare only there. Other places mean nothing.
      tolerance: Absolute error allowed; None takes the fixture's.
    """

    name: str
    ours: Any
    expected: Any = None
    where: np.ndarray | None = None
    tolerance: float | None = None


@dataclasses.dataclass(frozen=True)
class Verdict:
    """How one array came out: its error, what was allowed, and why it failed ("" where it did not)."""

    name: str
    error: float
    tolerance: float
    reason: str = ""

    @property
    def passed(self) -> bool:
        """Whether it is as it should be."""
        return not self.reason

    @property
    def strain(self) -> float:
        """Error in units of what is allowed."""
        return self.error / self.tolerance if self.tolerance else (0.0 if self.error == 0 else np.inf)


def judge(fixture: Fixture, items: Iterator[Compared]) -> list[Verdict]:
    """Compares everything a check yields, then names what it should have yielded and did not.

    An error on the way is a verdict too: what was compared before it is kept.
    """
    verdicts = []
    try:
        for item in items:
            verdicts.append(_compare(fixture, item))
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        reason = f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"
        verdicts.append(Verdict("error", np.inf, 0.0, reason))
    seen = {verdict.name for verdict in verdicts}
    return verdicts + [
        Verdict(name, np.inf, 0.0, "not computed") for name in fixture.outputs if name not in seen
    ]


def _compare(fixture: Fixture, item: Compared) -> Verdict:
    expected = fixture.outputs.get(item.name) if item.expected is None else item.expected
    if expected is None:
        return Verdict(item.name, np.inf, 0.0, "no such array in the fixture")
    if not isinstance(expected, np.ndarray | np.number | float):
        same = item.ours == expected
        return Verdict(
            item.name,
            0.0 if same else np.inf,
            0.0,
            "" if same else f"{item.ours!r} is not {expected!r}"[:300],
        )
    expected, ours = np.asarray(expected), np.asarray(item.ours)
    tolerance = fixture.tolerance(item.name, expected) if item.tolerance is None else item.tolerance
    if ours.shape != expected.shape:
        return Verdict(item.name, np.inf, tolerance, f"shape {ours.shape}, should be {expected.shape}")
    if item.where is not None:
        ours, expected = ours[item.where], expected[item.where]
    difference = np.abs(ours.astype(np.float64) - expected.astype(np.float64))
    error = float(np.max(difference, initial=0.0))
    # not <= instead of >, so that NaN fails
    return Verdict(item.name, error, tolerance, "" if error <= tolerance else "differs")
