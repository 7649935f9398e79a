"""Pictures of a room of squares: from above, and from the agent's own eye."""

import numpy as np
from jaxtyping import Float

from data_tasks.toy.agent import HEADINGS, SIDE, Pose, Room
from data_tasks.toy.scene import COLOURS
from data_tasks.toy.silhouettes import paint, silhouette

Picture = Float[np.ndarray, "h w 3"]

_FLOOR, _BLOCK, _AGENT = (0.62, 0.60, 0.56), (0.12, 0.12, 0.14), (0.95, 0.15, 0.75)
_SKY, _WALL = (0.80, 0.85, 0.90), (0.50, 0.45, 0.40)
_SQUARE = 12  # pixels of a square from above
_REACH, _STEP = SIDE * 1.5, 0.02  # squares the eye sees, and by how much it feels its way


def above(room: Room, pose: Pose) -> Picture:
    """Returns the room from above, up being its first row; the agent is a pink arrow."""
    picture = np.full((SIDE * _SQUARE, SIDE * _SQUARE, 3), _FLOOR, np.float32)
    picture[::_SQUARE] = picture[:, ::_SQUARE] = np.array(_FLOOR) * 0.9
    for row, column in room.blocks:
        picture[row * _SQUARE : (row + 1) * _SQUARE, column * _SQUARE : (column + 1) * _SQUARE] = _BLOCK
    for item in room.items:
        paint(picture, silhouette(item.shape, _SQUARE), _middle(item.row, item.column), COLOURS[item.colour])
    arrow = silhouette("cone", _SQUARE, pose[2] * np.pi / 2)
    paint(picture, arrow, _middle(*pose[:2]), _AGENT)
    return picture


def eye(room: Room, pose: Pose, side: int = 64) -> Picture:
    """Returns what the agent sees: a right angle wide, the nearer the larger; walls and blocks are brown.

    Args:
      room: The room.
      pose: Where the agent stands, and which way it looks.
      side: Rows and columns of the picture.
    """
    ahead = np.array(HEADINGS[pose[2]], float)
    aside = np.array([ahead[1], -ahead[0]])  # to the right: of up (-1, 0) it is (0, 1)
    where = np.array(pose[:2], float)
    across = (np.arange(side) + 0.5) / side * 2 - 1
    far = _wall_distances(room, where, ahead + across[:, None] * aside)
    rows = np.abs((np.arange(side) + 0.5) / side * 2 - 1)
    picture = np.where(np.arange(side)[:, None, None] < side / 2, _SKY, _FLOOR) * np.ones((side, side, 1))
    # A wall is one square high, so half of it takes the half of 1 / distance.
    wall = rows[:, None] < 0.5 / far
    picture = np.where(wall[..., None], np.array(_WALL) * (1 - 0.6 * far / _REACH)[:, None], picture)
    offsets = [np.array([item.row, item.column]) - where for item in room.items]
    for number in sorted(range(len(offsets)), key=lambda one: -float(ahead @ offsets[one])):
        depth, right = float(ahead @ offsets[number]), float(aside @ offsets[number])
        if depth < 0.5:
            continue
        item, size = room.items[number], max(1, round(0.4 * side / depth))
        layer = np.zeros((side, side, 3))
        middle = side / 2 + side / 2 * 0.1 / depth, side / 2 + side / 2 * right / depth
        paint(layer, silhouette(item.shape, size), middle, (1.0, 1.0, 1.0))
        seen = (layer[..., 0] > 0) & (depth < far)
        picture = np.where(seen[..., None], COLOURS[item.colour], picture)
    return picture.astype(np.float32)


def _middle(row: int, column: int) -> tuple[float, float]:
    return (row + 0.5) * _SQUARE, (column + 0.5) * _SQUARE


def _wall_distances(room: Room, where: np.ndarray, rays: np.ndarray) -> Float[np.ndarray, " side"]:
    """How far ahead every ray meets a block or the outer wall, in squares along the line of sight."""
    solid = np.ones((SIDE + 2, SIDE + 2), bool)
    solid[1:-1, 1:-1] = False
    for row, column in room.blocks:
        solid[row + 1, column + 1] = True
    distances = np.arange(_STEP, _REACH, _STEP)
    squares = np.rint(where + distances[:, None, None] * rays).astype(int).clip(-1, SIDE) + 1
    return distances[solid[squares[..., 0], squares[..., 1]].argmax(axis=0)]
