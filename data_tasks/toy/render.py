"""A picture of a state, and what is true of every pixel: depth, whose it is, its normal, the point it shows.

Rays are cast into closed forms, in float64. Knows no words and no files.
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from data_tasks.toy import camera as cameras
from data_tasks.toy import figure, lettering, shapes
from data_tasks.toy.scene import CEILING, COLOURS, FLOORS, HALF_ROOM, WALLS, Board, State, Thing

ROOM, PUPPET, BOARD = 0, 100, 200
"""Owners of pixels: things are 1, 2, …; puppets begin at PUPPET, a board is BOARD and its words follow it."""
BOARD_SIZE, BOARD_DEPTH = (1.0, 0.5), 0.04  # width and height, metres

_AMBIENT, _DIRECT, _SHADOW = 0.55, 0.55, 0.55
_RUG = 1.1  # radius of a rug, metres
_SHADE = 0.35  # a stripe or a check is the thing's colour, so much darker


class Picture(NamedTuple):
    """What a camera sees.

    Attributes:
      image: In [0, 1].
      depth: Metres along the camera's z axis.
      ids: Owner of every pixel.
      normals: Unit vectors in the camera's frame; they face the camera.
      points: The point of the world that every pixel shows.
    """

    image: Float[np.ndarray, "h w 3"]
    depth: Float[np.ndarray, "h w"]
    ids: Int[np.ndarray, "h w"]
    normals: Float[np.ndarray, "h w 3"]
    points: Float[np.ndarray, "h w 3"]


def render(state: State, size: int = 64) -> Picture:
    """Renders what a state's camera sees.

    Args:
      state: What there is.
      size: Height and width in pixels.
    """
    canvas = _Canvas(state, size)
    for number in state.present:
        canvas.thing(number + 1, state.things[number])
    for number, puppet in enumerate(state.puppets):
        for limb, colour in figure.limbs(puppet):
            middle = (np.array(limb.start) + np.array(limb.end)) / 2
            reach = limb.radius + math.dist(limb.start, limb.end) / 2
            canvas.solid(PUPPET + number, limb, middle, reach, lambda points, colour=colour: colour)
    if state.board:
        canvas.board(state.board)
    return canvas.picture()


def solid(thing: Thing) -> shapes.Capsule | shapes.Round | shapes.Convex:
    """Returns the solid of a thing in the thing's own frame: the middle of its underside, its axes."""
    size, half = thing.size, thing.width / 2
    match thing.shape:
        case "sphere":
            return shapes.Capsule((0.0, 0.0, half), (0.0, 0.0, half), half)
        case "capsule":
            return shapes.Capsule((0.0, 0.0, half), (0.0, 0.0, size - half), half)
        case "cube":
            return shapes.block(size, size, size)
        case "pyramid":
            return shapes.pyramid(size, size)
        case _:
            return shapes.Round(half, size, taper=float(thing.shape == "cone"))


class _Canvas:
    """Rays of a camera, and the nearest surface that each has met so far."""

    def __init__(self, state: State, size: int):
        self.state, self.size = state, size
        self.origin, self.rays = cameras.origin(state.camera), cameras.rays(state.camera, size)
        self.square = np.einsum("ij,ij->i", self.rays, self.rays)
        self.depth, self.normals, self.colour = self._room()
        self.ids = np.zeros(len(self.rays), np.int16)

    def solid(
        self, owner: int, form, middle, reach: float, paint, offset=(0.0, 0.0, 0.0), yaw: float = 0.0
    ) -> None:
        """Draws a solid whose frame stands at `offset`, turned by `yaw`; rays far from `middle` are left out."""
        toward = np.asarray(middle) - self.origin
        along = self.rays @ toward
        near = np.flatnonzero((along > 0) & (toward @ toward - along**2 / self.square <= reach**2 * 1.0001))
        if not len(near):
            return
        turn = _turn(yaw)
        start, rays = (self.origin - offset) @ turn, self.rays[near] @ turn
        steps, normals = form.hit(start, rays)
        closer = steps < self.depth[near]
        won = near[closer]
        self.depth[won], self.ids[won] = steps[closer], owner
        self.normals[won] = normals[closer] @ turn.T
        self.colour[won] = paint(start + steps[closer][:, None] * rays[closer])

    def thing(self, owner: int, thing: Thing) -> None:
        """Draws a thing, and its shadow on the floor."""
        self._shadow(thing)
        reach = math.hypot(thing.radius, thing.size / 2)
        base = np.array(COLOURS[thing.colour])

        def paint(points: np.ndarray) -> np.ndarray:
            dark = _pattern(thing.texture, points / (thing.size, thing.size, thing.size) - (0.0, 0.0, 0.5))
            return base * np.where(dark, _SHADE, 1.0)[:, None]

        self.solid(owner, solid(thing), thing.centre, reach, paint, thing.position, thing.yaw)

    def board(self, board: Board) -> None:
        """Draws a board; pixels of a word's rectangle belong to the word."""
        width, height = BOARD_SIZE
        middle, offset = np.array([*board.position, height / 2]), (*board.position, 0.0)
        form = shapes.block(BOARD_DEPTH, width, height)
        reach = math.hypot(width, height) / 2 + BOARD_DEPTH
        self.solid(BOARD, form, middle, reach, lambda points: (0.97, 0.97, 0.92), offset, board.yaw)
        mine = np.flatnonzero(self.ids == BOARD)
        points = (self.origin + self.depth[mine, None] * self.rays[mine] - offset) @ _turn(board.yaw)
        mine, points = (array[points[:, 0] > BOARD_DEPTH / 2 - 1e-4] for array in (mine, points))
        ink, owner = lettering.letters(board.words, board.font)
        rows, columns = ink.shape
        row = np.clip((1 - points[:, 2] / height) * rows, 0, rows - 1).astype(int)
        column = np.clip((points[:, 1] / width + 0.5) * columns, 0, columns - 1).astype(int)
        self.ids[mine] += owner[row, column].astype(np.int16)
        self.colour[mine[ink[row, column]]] = 0.05

    def picture(self) -> Picture:
        """Returns what has been drawn, lit."""
        light = self.state.light
        toward = np.array(
            [
                math.cos(light.height) * math.cos(light.azimuth),
                math.cos(light.height) * math.sin(light.azimuth),
                math.sin(light.height),
            ]
        )
        lit = _AMBIENT + _DIRECT * np.clip(self.normals @ toward, 0.0, None)
        image = np.clip(self.colour * lit[:, None], 0.0, 1.0)
        normals = self.normals @ cameras.rotation(self.state.camera).T
        points = self.origin + self.depth[:, None] * self.rays
        shape = self.size, self.size
        return Picture(
            image.astype(np.float32).reshape(*shape, 3),
            self.depth.astype(np.float32).reshape(shape),
            self.ids.reshape(shape),
            normals.astype(np.float32).reshape(*shape, 3),
            points.astype(np.float32).reshape(*shape, 3),
        )

    def _room(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Depth, normal and colour of the room's inside along every ray."""
        low, high = np.array([-HALF_ROOM, -HALF_ROOM, 0.0]), np.array([HALF_ROOM, HALF_ROOM, CEILING])
        rays = np.where(self.rays == 0.0, 1e-12, self.rays)
        steps = (np.where(rays > 0, high, low) - self.origin) / rays
        axis = steps.argmin(axis=1)
        every = np.arange(len(axis))
        depth = steps[every, axis]
        normals = np.zeros_like(rays)
        normals[every, axis] = -np.sign(rays[every, axis])
        room = self.state.room
        colour = np.broadcast_to(WALLS[room.wall], rays.shape).copy()
        # Neighbouring walls differ a little, so that corners show.
        colour[axis == 0] *= 0.88
        floor = (axis == 2) & (rays[:, 2] < 0)
        points = self.origin + depth[:, None] * rays
        dark = _pattern(room.texture, points[floor] * (0.7, 0.7, 0.0))
        colour[floor] = np.array(FLOORS[room.floor]) * np.where(dark, 0.75, 1.0)[:, None]
        if self.state.rug is not None:
            rug = np.flatnonzero(floor)[np.hypot(points[floor, 0], points[floor, 1]) < _RUG]
            colour[rug] = _wheel(np.arctan2(points[rug, 1], points[rug, 0]) - self.state.rug)
        colour[(axis == 2) & ~floor] = 0.8
        return depth, normals, colour

    def _shadow(self, thing: Thing) -> None:
        """Darkens the floor below a thing, whatever its height: without it a jump looks like a step away."""
        floor = np.flatnonzero((self.ids == ROOM) & (self.normals[:, 2] > 0.5))
        spot = self.origin[:2] + self.depth[floor, None] * self.rays[floor, :2] - thing.position[:2]
        self.colour[floor[np.einsum("ij,ij->i", spot, spot) < (1.08 * thing.width / 2) ** 2]] *= _SHADOW


def _pattern(texture: str, points: Float[np.ndarray, "n 3"]) -> np.ndarray:
    """Where a pattern of one unit's size is dark."""
    if texture == "plain":
        return np.zeros(len(points), bool)
    cells = np.floor(points * 3.0).astype(np.int64)
    return (cells[:, 0] if texture == "stripes" else cells.sum(axis=1)) % 2 == 1


def _wheel(angles: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n 3"]:
    """Muted colours of a rug: all hues, one after the other."""
    return 0.45 + 0.25 * np.cos(angles[:, None] - np.array([0.0, 2.0, 4.0]) * math.pi / 3)


def _turn(yaw: float) -> Float[np.ndarray, "3 3"]:
    """Matrix that takes rows of vectors of the world into a frame that is turned by yaw."""
    c, s = math.cos(yaw), math.sin(yaw)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
