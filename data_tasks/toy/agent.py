"""An agent in a room of squares: what it may do, the shortest way to a thing, and whether it got there.

A pure function of (split, index). Knows no picture (`agent_view`) and no model.
"""

import dataclasses
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from data_tasks.toy.belonging import belongs
from data_tasks.toy.splits import generator, split
from unified_io.errors import DataError, unknown

ACTIONS = ("forward", "left", "right", "stop")
HEADINGS = ((-1, 0), (0, 1), (1, 0), (0, -1))  # up, right, down, left; rows first
SIDE = 7  # squares along a room, walls not counted
PATIENCE = 60  # steps before an agent is called lost

Pose = tuple[int, int, int]
"""Row, column and place in HEADINGS."""


@dataclasses.dataclass(frozen=True)
class Item:
    """A thing that fills one square."""

    shape: str
    colour: str
    row: int
    column: int

    @property
    def words(self) -> str:
        """ "red cube"."""
        return f"{self.colour} {self.shape}"


@dataclasses.dataclass(frozen=True)
class Room:
    """A room, who stands where, and what the agent is to find: the first of the things.

    Attributes:
      blocks: Squares (row, column) that nobody can enter.
      items: Things, no two alike; the first is the goal.
      start: Where the agent begins.
    """

    blocks: tuple[tuple[int, int], ...]
    items: tuple[Item, ...]
    start: Pose

    @property
    def goal(self) -> str:
        """What is asked: "go to the red cube"."""
        return f"go to the {self.items[0].words}"

    def free(self, row: int, column: int) -> bool:
        """Whether the agent may stand on a square."""
        taken = (row, column) in self.blocks or any(
            (one.row, one.column) == (row, column) for one in self.items
        )
        return 0 <= row < SIDE and 0 <= column < SIDE and not taken

    def reached(self, pose: Pose) -> bool:
        """Whether the goal is right in front of a pose."""
        row, column, heading = pose
        return (row + HEADINGS[heading][0], column + HEADINGS[heading][1]) == (
            self.items[0].row,
            self.items[0].column,
        )

    def after(self, pose: Pose, action: str) -> Pose:
        """Returns the pose after an action; what is in the way is not moved, nor does the agent move then.

        Raises:
          ConfigError: There is no such action.
        """
        row, column, heading = pose
        if action not in ACTIONS:
            raise unknown("action", action, ACTIONS)
        if action == "forward":
            there = row + HEADINGS[heading][0], column + HEADINGS[heading][1]
            return (*there, heading) if self.free(*there) else pose
        return row, column, (heading + {"left": -1, "right": 1, "stop": 0}[action]) % len(HEADINGS)


def steps_left(room: Room, pose: Pose) -> int | None:
    """Returns how many actions the shortest way has, the stop not counted; None where there is none."""
    plan = expert(room, pose)
    return None if plan is None else len(plan) - 1


def expert(room: Room, pose: Pose | None = None) -> list[str] | None:
    """Returns the shortest way to the goal from a pose, stop included; of equal ones the first in the order of ACTIONS.

    Found by breadth-first search; None where there is no way.
    """
    begin = pose or room.start
    came: dict[Pose, tuple[Pose, str] | None] = {begin: None}
    queue = deque([begin])
    while queue:
        here = queue.popleft()
        if room.reached(here):
            way = ["stop"]
            while (step := came[here]) is not None:
                here, action = step
                way.append(action)
            return way[::-1]
        for action in ACTIONS[:3]:
            there = room.after(here, action)
            if there not in came:
                came[there] = here, action
                queue.append(there)
    return None


def poses(room: Room, actions: Sequence[str]) -> list[Pose]:
    """Returns the pose before every action of a plan."""
    found = [room.start]
    for action in actions[:-1]:
        found.append(room.after(found[-1], action))
    return found


def run(room: Room, actions: Sequence[str]) -> bool:
    """Runs a whole plan; true if the agent says stop before the goal. What is no action fails."""
    left = iter(actions)
    return drive(room, lambda _: next(left, ""))


def drive(room: Room, policy: Callable[[list[Pose]], str]) -> bool:
    """Runs a policy that is asked for the next action at every step, given all poses so far; true if it gets there."""
    poses = [room.start]
    for _ in range(PATIENCE):
        action = policy(poses)
        if action not in ACTIONS or action == "stop":
            return action == "stop" and room.reached(poses[-1])
        poses.append(room.after(poses[-1], action))
    return False


def draw(name: str, index: int) -> Room:
    """Draws a room of a split; no room is in two splits, and in each the goal can be reached.

    Raises:
      ConfigError: There is no such split.
    """
    rng, pairs = generator(name, index, "room"), split(name).pairs
    while True:
        room = _room(pairs, rng)
        way = expert(room)
        if belongs(layout(room), name) and way is not None and len(way) > 2:
            return room


def layout(room: Room) -> str:
    """Returns what is equal for rooms with the same blocks and things, wherever the agent begins."""
    return repr((sorted(room.blocks), [dataclasses.astuple(item) for item in room.items]))


def to_world(room: Room) -> dict[str, Any]:
    """Returns a room as JSON values; `from_world` reads them."""
    return dataclasses.asdict(room)


def from_world(world: dict[str, Any]) -> Room:
    """Returns the room of JSON values.

    Raises:
      DataError: They are no room.
    """
    try:
        return Room(
            tuple((int(row), int(column)) for row, column in world["blocks"]),
            tuple(Item(**item) for item in world["items"]),
            tuple(int(one) for one in world["start"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"this is no room: {error}; give what agent.to_world made") from error


def _room(pairs: Sequence[tuple[str, str]], rng: np.random.Generator) -> Room:
    squares = rng.permutation(SIDE * SIDE)
    blocks, things = int(rng.integers(4, 11)), int(rng.integers(2, 5))
    at = [divmod(int(square), SIDE) for square in squares[: blocks + things + 1]]
    kinds = rng.permutation(len(pairs))[:things]
    items = tuple(
        Item(*pairs[kind], row, column)
        for kind, (row, column) in zip(kinds, at[blocks : blocks + things], strict=True)
    )
    return Room(tuple(sorted(at[:blocks])), items, (*at[-1], int(rng.integers(len(HEADINGS)))))
