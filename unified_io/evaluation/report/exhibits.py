"""What a report can show beside scores: charts, plain tables, and galleries of inputs and outputs.

Plain objects that hold arrays; how they look is decided in `chart.py` and `panel.py`.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from unified_io.errors import DataError


@dataclasses.dataclass(frozen=True, eq=False)
class Series:
    """One line of a chart. A `y` that is not finite is a gap.

    Raises:
      DataError: `x` and `y` differ in length, or `x` is not finite.
    """

    name: str
    x: Float[np.ndarray, "n"] | Sequence[float]
    y: Float[np.ndarray, "n"] | Sequence[float]

    def __post_init__(self):
        if len(self.x) != len(self.y) or not np.isfinite(np.asarray(self.x, np.float64)).all():
            raise DataError(
                f"series {self.name!r} has {len(self.x)} x and {len(self.y)} y; want as many, x finite"
            )

    def thinned(self, limit: int = 200) -> tuple[Float[np.ndarray, "k"], Float[np.ndarray, "k"]]:
        """Returns x and y with at most `limit` points: means of neighbours, gaps left out."""
        x, y = np.asarray(self.x, np.float64), np.asarray(self.y, np.float64)
        if len(x) <= limit:
            return x, np.where(np.isfinite(y), y, np.nan)
        run = np.arange(len(x)) * limit // len(x)
        real = np.isfinite(y)
        counts = np.bincount(run[real], minlength=limit)
        sums = np.bincount(run[real], weights=y[real], minlength=limit)
        means = np.divide(sums, counts, out=np.full(limit, np.nan), where=counts > 0)
        return np.bincount(run, weights=x) / np.bincount(run), means


@dataclasses.dataclass(frozen=True, eq=False)
class Chart:
    """Lines over a common x axis. With `log_y`, values that are not positive are gaps."""

    title: str
    series: tuple[Series, ...]
    x_label: str = "step"
    y_label: str = ""
    log_y: bool = False
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows of plain values under column headings; numbers are aligned to the right.

    Raises:
      DataError: A row has more or fewer values than there are columns.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | float | int | bool | None, ...], ...]
    note: str = ""

    def __post_init__(self):
        for row in self.rows:
            if len(row) != len(self.columns):
                raise DataError(
                    f"table {self.title!r} has {len(self.columns)} columns but a row of {len(row)}: {row}"
                )


@dataclasses.dataclass(frozen=True)
class TextPanel:
    """Words as they went in or came out."""

    text: str
    label: str = ""


@dataclasses.dataclass(frozen=True)
class Box:
    """A box (y1, x1, y2, x2) in [0, 1] of its picture. True ones are dashed, predicted ones solid."""

    yxyx: tuple[float, float, float, float]
    label: str = ""
    truth: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class ImagePanel:
    """A picture, with boxes over it.

    Attributes:
      pixels: [h, w, 3] or, in grey, [h, w]; in [0, 1], clipped to that.
      boxes: Drawn over the picture.
      label: A word under the picture.
    """

    pixels: Float[np.ndarray, "h w 3"] | Float[np.ndarray, "h w"]
    boxes: tuple[Box, ...] = ()
    label: str = ""


@dataclasses.dataclass(frozen=True, eq=False)
class SoundPanel:
    """A sound to play: waveform in [-1, 1], clipped to that, at `sample_rate` Hz."""

    waveform: Float[np.ndarray, "n"]
    sample_rate: int
    label: str = ""


@dataclasses.dataclass(frozen=True, eq=False)
class StrokesPanel:
    """A pen trajectory: points (y, x, pen) in [0, 1].

    A pen of 0.5 or more draws the line that leads to its point; below that the pen is lifted on the way.
    """

    points: Float[np.ndarray, "n 3"]
    label: str = ""


@dataclasses.dataclass(frozen=True, eq=False)
class CloudPanel:
    """Points (x, y, z) in space, seen from the front and a little from above; y points up. Any unit."""

    points: Float[np.ndarray, "n 3"]
    label: str = ""


@dataclasses.dataclass(frozen=True, eq=False)
class MotionPanel:
    """Acceleration and rotation over time.

    Attributes:
      values: Three channels of acceleration and three of rotation a step.
      rate: Steps a second.
      label: A word under the curves.
    """

    values: Float[np.ndarray, "n 6"]
    rate: float
    label: str = ""


Panel = TextPanel | ImagePanel | SoundPanel | StrokesPanel | CloudPanel | MotionPanel


@dataclasses.dataclass(frozen=True, eq=False)
class Item:
    """One example of a gallery: what went in, what came out, and, if shown, what was expected.

    Attributes:
      inputs: Panels that went in.
      outputs: Panels that came out.
      reference: Panels that were expected.
      caption: What the judge said, or another remark.
      correct: Right, wrong, or None if nobody judged it.
    """

    inputs: tuple[Panel, ...]
    outputs: tuple[Panel, ...]
    reference: tuple[Panel, ...] = ()
    caption: str = ""
    correct: bool | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Gallery:
    """Items side by side; `note` says how they were chosen."""

    title: str
    items: tuple[Item, ...]
    note: str = ""
