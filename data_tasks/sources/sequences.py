"""Folders of frames with the box of one thing in each, as trackers are trained on, and what makes a part of one.

A record is a sequence: {"name", "frames": [file, ...], "boxes": [[x, y, w, h], ...]}, boxes as they are stored.
"""

import dataclasses
import itertools
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from jaxtyping import Float

from data_tasks.sources.mapping import boxes
from data_tasks.sources.media import inside
from data_tasks.sources.stored import Context, Record, Stored
from unified_io.errors import DataError
from unified_io.preprocess import image_ops


@dataclasses.dataclass(frozen=True)
class SequenceFolders(Stored):
    """One record a folder; {split}, {name} and {kind}, which is the name up to its last dash, may stand in paths.

    Attributes:
      listing: File with the name of one sequence a line.
      frames: Pattern of its pictures, in the order of their names.
      boxes: File with a box a line, four numbers between commas: x, y, width, height.
    """

    listing: str = "{split}/list.txt"
    frames: str = "{split}/{name}/*.jpg"
    boxes: str = "{split}/{name}/groundtruth.txt"

    def length(self, folder: Path, split: str) -> int:
        return len(self._names(folder, split))

    def record(self, folder: Path, split: str, index: int) -> Record:
        names = self._names(folder, split)
        if not 0 <= index < len(names):
            raise DataError(f"sequence {index} of {len(names)} in {folder}")
        name = names[index]
        frames = sorted(folder.glob(_filled(self.frames, split, name)))
        path = folder / _filled(self.boxes, split, name)
        try:
            lines = path.read_text(encoding="utf-8").split("\n")
            found = [[float(number) for number in line.split(",")] for line in lines if line.strip()]
        except (OSError, ValueError) as error:
            raise DataError(
                f"{path} can not be read: {error}; want x,y,width,height on every line"
            ) from error
        if len(frames) != len(found):
            raise DataError(f"{name} has {len(frames)} frames and {len(found)} boxes; get it again")
        return {"name": name, "frames": [str(one.relative_to(folder)) for one in frames], "boxes": found}

    def write(self, folder: Path, split: str, records: Iterable[Record]) -> None:
        """Writes the list and the boxes; the frames are files that lie there already."""
        records = list(records)
        for record in records:
            path = folder / _filled(self.boxes, split, record["name"])
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(",".join(map(str, box)) + "\n" for box in record["boxes"]))
        listing = folder / self.listing.format(split=split)
        listing.parent.mkdir(parents=True, exist_ok=True)
        listing.write_text("".join(f"{record['name']}\n" for record in records))

    def files(self, folder: Path, split: str) -> list[str]:
        return [str(folder / self.listing.format(split=split))]

    def _names(self, folder: Path, split: str) -> list[str]:
        path = folder / self.listing.format(split=split)
        try:
            return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(
                f"the list of sequences {path} can not be read: {error}; get the dataset"
            ) from error


@dataclasses.dataclass(frozen=True)
class SequenceFrames:
    """Reads as many frames of a record's "frames" as `Reading.frames`, every `step`-th from a place on.

    The place is drawn in training, else the first; `SequenceBoxes` of the same step gives their boxes.
    """

    step: int = 1

    def __call__(self, record: Record, context: Context) -> list[Float[np.ndarray, "h w 3"]]:
        names = itertools.compress(record["frames"], _chosen(record, context, self.step))
        return [image_ops.read(inside(context.folder, "", name)) for name in names]


@dataclasses.dataclass(frozen=True)
class SequenceBoxes:
    """Gives the boxes of the frames that `SequenceFrames` reads; one without area is a thing out of sight.

    Attributes:
      step: As there.
      order: As of `mapping.Boxes`.
      pixels: Whether they are in pixels of the frames.
    """

    step: int = 1
    order: str = "xywh"
    pixels: bool = True

    def __call__(self, record: Record, context: Context) -> Float[np.ndarray, "n 4"]:
        chosen = list(itertools.compress(record["boxes"], _chosen(record, context, self.step)))
        size = None
        if self.pixels:
            size = image_ops.read(inside(context.folder, "", record["frames"][0])).shape[:2]
        return boxes(chosen, self.order, size)


def _chosen(record: Record, context: Context, step: int) -> list[bool]:
    """Says of every frame whether it is one of those that are read."""
    total, count = len(record["frames"]), context.reading.frames
    last = total - 1 - step * (count - 1)
    if last < 0:
        raise DataError(f"a sequence of {total} frames, {count} are wanted, every {step}th")
    first = int(context.draw("part").integers(last + 1)) if context.training else 0
    wanted = range(first, first + step * count, step)
    return [place in wanted for place in range(total)]


def _filled(pattern: str, split: str, name: str) -> str:
    return pattern.format(split=split, name=name, kind=name.rpartition("-")[0])
