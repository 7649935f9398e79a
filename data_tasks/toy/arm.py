"""A table seen from above and an arm that picks and places: what is to be done, and what moves do.

Places are (x, y) in [0, 1] of the table, x to the right, y down; turns are parts of a whole turn to the right. Knows no
picture, no model, and not where tables come from.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from unified_io.errors import DataError

THING, TRAY = 0.12, 0.26  # sides, parts of the table
_GRASP = 0.06  # how far from a thing's middle it can be gripped
_TURN = 1 / 16  # how far a turn may be off, part of a whole one
TURNED = ("cone", "capsule")  # shapes whose turn can be seen

Move = tuple[float, float, float, float, float, float]
"""Pick from (x, y, turn), place to (x, y, turn): the thing is turned by the difference of the two turns."""


@dataclasses.dataclass(frozen=True)
class Block:
    """A thing that can be moved."""

    shape: str
    colour: str
    x: float
    y: float
    turn: float = 0.0

    @property
    def words(self) -> str:
        """ "red cube"."""
        return f"{self.colour} {self.shape}"


@dataclasses.dataclass(frozen=True)
class Tray:
    """A coloured square that things are put on."""

    colour: str
    x: float
    y: float

    def holds(self, block: Block) -> bool:
        """Whether the middle of a thing lies on it."""
        return max(abs(block.x - self.x), abs(block.y - self.y)) <= TRAY / 2


@dataclasses.dataclass(frozen=True)
class Job:
    """What is to be done.

    Attributes:
      kind: "put" a thing on a tray, "put_all" of a colour, "put_others" of any other colour, "turn" or "grip" a thing.
      colour: Of the things that are meant.
      shape: Likewise; "" is any.
      tray: Number of the tray they go to; -1 for none.
      turn: By how much the thing is to be turned.
    """

    kind: str
    colour: str
    shape: str = ""
    tray: int = -1
    turn: float = 0.0

    def means(self, block: Block) -> bool:
        """Whether a thing is to be moved."""
        same = block.colour == self.colour and self.shape in ("", block.shape)
        return not same if self.kind == "put_others" else same


@dataclasses.dataclass(frozen=True)
class Table:
    """Things, trays and a job."""

    blocks: tuple[Block, ...]
    trays: tuple[Tray, ...]
    job: Job

    @property
    def goal(self) -> str:
        """The job in words."""
        job = self.job
        tray = f"the {self.trays[job.tray].colour} tray" if job.tray >= 0 else ""
        return {
            "put": f"put the {job.colour} {job.shape} on {tray}",
            "put_all": f"put all {job.colour} things on {tray}",
            "put_others": f"put all things that are not {job.colour} on {tray}",
            "turn": f"turn the {job.colour} {job.shape} by {round(job.turn * 360)} degrees",
            "grip": f"grip the {job.colour} {job.shape}",
        }[job.kind]


def expert(table: Table) -> list[Move]:
    """Returns moves that do the job: things go to places on the tray that do not touch, in the order of the table."""
    moves, job = [], table.job
    for block in table.blocks:
        if not job.means(block):
            continue
        if job.kind == "turn":
            moves.append((block.x, block.y, 0.0, block.x, block.y, job.turn))
        else:
            tray, number = table.trays[job.tray], len(moves)
            side = TRAY / 4
            x, y = tray.x + side * (number % 2 * 2 - 1), tray.y + side * (number // 2 % 2 * 2 - 1)
            moves.append((block.x, block.y, 0.0, x, y, 0.0))
    return moves


def execute(table: Table, moves: Sequence[Sequence[float]]) -> Table:
    """Returns the table after some moves. Where nothing can be gripped, nothing moves; broken moves do nothing."""
    blocks = list(table.blocks)
    for move in moves:
        if len(move) != 6 or not all(math.isfinite(one) for one in move):
            continue
        x, y, before, there_x, there_y, after = move
        near = [(math.dist((x, y), (one.x, one.y)), number) for number, one in enumerate(blocks)]
        distance, number = min(near)
        if distance <= _GRASP:
            turn = (blocks[number].turn + after - before) % 1.0
            blocks[number] = dataclasses.replace(blocks[number], x=there_x, y=there_y, turn=turn)
    return dataclasses.replace(table, blocks=tuple(blocks))


def done(before: Table, after: Table) -> bool:
    """Whether the job is done: what was meant is where it should be, and all else where it was."""
    job = before.job
    for old, new in zip(before.blocks, after.blocks, strict=True):
        moved = math.dist((old.x, old.y), (new.x, new.y))
        turned = (new.turn - old.turn) % 1.0
        if not job.means(old):
            right = moved <= _GRASP and _near(turned, 0.0)
        elif job.kind == "turn":
            right = moved <= _GRASP and _near(turned, job.turn)
        else:
            right = before.trays[job.tray].holds(new)
        if not right:
            return False
    return True


def run(table: Table, moves: Sequence[Sequence[float]]) -> bool:
    """Runs a programme of moves; true if the job is done."""
    return done(table, execute(table, moves))


def content(table: Table) -> str:
    """Returns what is equal for tables with the same things, trays and job, wherever they lie."""
    return repr(
        (sorted(one.words for one in table.blocks), sorted(one.colour for one in table.trays), table.goal)
    )


def to_world(table: Table) -> dict[str, Any]:
    """Returns a table as JSON values; `from_world` reads them."""
    return dataclasses.asdict(table)


def from_world(world: dict[str, Any]) -> Table:
    """Returns the table of JSON values.

    Raises:
      DataError: They are no table.
    """
    try:
        blocks = tuple(Block(**one) for one in world["blocks"])
        return Table(blocks, tuple(Tray(**one) for one in world["trays"]), Job(**world["job"]))
    except (KeyError, TypeError) as error:
        raise DataError(f"this is no table: {error}; give what arm.to_world made") from error


def _near(turn: float, wanted: float) -> bool:
    off = abs(turn - wanted) % 1.0
    return min(off, 1.0 - off) <= _TURN
