"""A hand that grips one thing on a table: seven numbers, and whether they hold it.

x, y and z in [0, 1] of the table, z up; roll, pitch and yaw in radians; the gripper is 0 open, 1 closed.
"""

import dataclasses
import math
from collections.abc import Sequence

from data_tasks.toy.arm import TURNED, Job, Table, content
from data_tasks.toy.arm_draw import draw_things
from data_tasks.toy.belonging import belongs
from data_tasks.toy.splits import generator, split

LOW = (0.0, 0.0, 0.0, -math.pi, -math.pi, -math.pi, 0.0)
HIGH = (1.0, 1.0, 1.0, math.pi, math.pi, math.pi, 1.0)
HEIGHTS = {"sphere": 0.3, "cube": 0.3, "cylinder": 0.5, "cone": 0.5, "pyramid": 0.4, "capsule": 0.6}
"""How far above the table a shape is gripped."""
_NEAR, _LEVEL, _TILT = 0.06, 0.12, 0.35  # across, up, and radians that a grip may be off
_STEPS = 8  # turns of a thing, parts of a whole one


def draw(name: str, index: int) -> Table:
    """Draws a table of a split whose job is to grip its first thing; things that can be turned are.

    Raises:
      ConfigError: There is no such split.
    """
    rng, own = generator(name, index, "reach"), split(name)
    while True:
        drawn = draw_things(own, 0, rng)
        if drawn is None:
            continue
        turns = [float(turn) / _STEPS for turn in rng.integers(_STEPS, size=len(drawn[0]))]
        blocks = tuple(
            dataclasses.replace(one, turn=turn if one.shape in TURNED else 0.0)
            for one, turn in zip(drawn[0], turns, strict=True)
        )
        table = Table(blocks, (), Job("grip", blocks[0].colour, blocks[0].shape))
        if belongs(content(table), name):
            return table


def expert(table: Table) -> list[float]:
    """Returns the numbers that grip the thing: straight from above, the hand turned with it."""
    block = table.blocks[0]
    yaw = math.remainder(2 * math.pi * block.turn, 2 * math.pi)
    return [block.x, block.y, HEIGHTS[block.shape], 0.0, 0.0, min(max(yaw, -math.pi), math.pi), 1.0]


def run(table: Table, hand: Sequence[float]) -> bool:
    """Whether seven numbers hold the thing: near it, at its height, upright, turned with it, and closed."""
    if len(hand) != 7 or not all(math.isfinite(one) for one in hand):
        return False
    x, y, z, roll, pitch, yaw, gripper = hand
    wanted = expert(table)
    tilted = max(abs(math.remainder(one, 2 * math.pi)) for one in (roll, pitch, yaw - wanted[5]))
    across = math.dist((x, y), wanted[:2])
    return across <= _NEAR and abs(z - wanted[2]) <= _LEVEL and tilted <= _TILT and gripper >= 0.5
