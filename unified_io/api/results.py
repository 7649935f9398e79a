"""What the capabilities give back: arrays with their units, that print in a line and save themselves.

Coordinates are pixels of the image that was given, y before x.
"""

import base64
import dataclasses
import json
import tempfile
import webbrowser
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from unified_io.errors import unknown

_LOOKED_AT = (".png", ".wav", ".txt", ".json")
Writers = Mapping[str, Callable[[Path], Any]]


class Result:
    """Something to look at or to save; what kinds of file it can be depends on the result."""

    def writers(self) -> Writers:
        """How to write every kind of file, by suffix."""
        return {}

    def save(self, path: str | Path) -> None:
        """Writes a file, of the kind that its suffix names.

        Raises:
          ConfigError: The result can not be a file of this kind.
        """
        path, writers = Path(path), self.writers()
        if path.suffix not in writers:
            raise unknown(f"kind of file for {type(self).__name__}", path.suffix, writers)
        writers[path.suffix](path)

    def show(self) -> Path:
        """Opens the result in the program that this machine has for such files; returns the file."""
        suffix = next(suffix for suffix in _LOOKED_AT if suffix in self.writers())
        path = Path(tempfile.mkdtemp(prefix="unified-io-"), f"{type(self).__name__.lower()}{suffix}")
        self.save(path)
        webbrowser.open(path.as_uri())
        return path

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """What a notebook shows: a picture as one, a sound to be played, of everything else its line."""
        shown: dict[str, Any] = {"text/plain": repr(self)}
        if ".png" in self.writers():
            shown["image/png"] = self._encoded(".png")
        elif ".wav" in self.writers():
            source = f"data:audio/wav;base64,{self._encoded('.wav')}"
            shown["text/html"] = f'<audio controls src="{source}"></audio>'
        return shown

    def _encoded(self, suffix: str) -> str:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, f"result{suffix}")
            self.save(path)
            return base64.b64encode(path.read_bytes()).decode("ascii")


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Ranked(Result):
    """Options in the order of how well they fit.

    Attributes:
      options: The best one first.
      scores: Log-probabilities in nats, a token or in all, as was asked for; float64 [n].
    """

    options: tuple[str, ...]
    scores: Float[np.ndarray, " n"]

    @property
    def best(self) -> str:
        """The option that fits best."""
        return self.options[0]

    def __repr__(self) -> str:
        shown = ", ".join(f"{o!r} {s:.2f}" for o, s in zip(self.options[:3], self.scores, strict=False))
        return f"Ranked({shown}{', …' if len(self.options) > 3 else ''})"

    def writers(self) -> Writers:
        return {".json": lambda path: _json(path, options=self.options, scores=self.scores)}


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Detections(Result):
    """Boxes found in an image.

    Attributes:
      boxes: (y1, x1, y2, x2) in pixels of the image, float32 [n, 4].
      labels: What is in each.
      skipped: What the model wrote that is no box.
    """

    boxes: Float[np.ndarray, "n 4"]
    labels: tuple[str, ...]
    skipped: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.boxes)

    def __repr__(self) -> str:
        return f"Detections({_counted(len(self), 'box', 'boxes')}: {_some(self.labels)})"

    def writers(self) -> Writers:
        return {".json": lambda path: _json(path, boxes=self.boxes, labels=self.labels)}


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Keypoints(Result):
    """Body parts of people.

    Attributes:
      points: (y, x) in pixels of the image, float32 [people, parts, 2]; a part that was not found lies at the mean of
        those that were.
      visible: Which parts were found, bool [people, parts].
      boxes: The people, (y1, x1, y2, x2) in pixels, float32 [people, 4].
      parts: Names of the parts.
    """

    points: Float[np.ndarray, "n K 2"]
    visible: Bool[np.ndarray, "n K"]
    boxes: Float[np.ndarray, "n 4"]
    parts: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.points)

    def __repr__(self) -> str:
        found = f"{int(self.visible.sum())} of {self.visible.size} parts found"
        return f"Keypoints({_counted(len(self), 'person', 'people')}, {found})"

    @property
    def coco(self) -> Float[np.ndarray, "n K 3"]:
        """The points as COCO has them: x, y, and 2 where found, 0 where not."""
        return np.concatenate([self.points[..., ::-1], 2.0 * self.visible[..., None]], axis=-1)

    def writers(self) -> Writers:
        return {
            ".json": lambda path: _json(
                path, parts=self.parts, points=self.points, visible=self.visible, boxes=self.boxes
            )
        }


@dataclasses.dataclass(frozen=True)
class Pose:
    """Where a robot arm is to be: metres on the table, radians about the vertical, and the words in front of it."""

    words: str
    x: float
    y: float
    rotation: float


@dataclasses.dataclass(frozen=True, repr=False)
class RobotActions(Result):
    """A plan for a robot arm.

    Attributes:
      steps: The poses of every step, e.g. pick from and place to.
      text: What the model wrote.
      skipped: Parts of it that are no pose.
    """

    steps: tuple[tuple[Pose, ...], ...]
    text: str
    skipped: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"RobotActions({_counted(len(self.steps), 'step', 'steps')})"

    def writers(self) -> Writers:
        steps = [[dataclasses.asdict(pose) for pose in step] for step in self.steps]
        return {
            ".json": lambda path: _json(path, steps=steps),
            ".txt": lambda path: path.write_text(self.text + "\n"),
        }


def _json(path: Path, **values: Any) -> None:
    plain = {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in values.items()}
    path.write_text(json.dumps(plain, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _some(labels: tuple[str, ...], most: int = 5) -> str:
    return ", ".join(labels[:most]) + (", …" if len(labels) > most else "")
