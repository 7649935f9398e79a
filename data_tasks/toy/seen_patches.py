"""Pictures of the toy world with what is true of every patch: what an image encoder learns from before the model does.

Of training states only. The owner of a patch is what covers most of it: a thing, a puppet, a word, a pasted shape.
"""

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from data_tasks.formats import patches
from data_tasks.toy import agent, agent_view, arm, arm_draw, arm_view, still, truth
from data_tasks.toy.lettering import WORDS as LETTERED
from data_tasks.toy.placing import draw_camera_beside
from data_tasks.toy.render import BOARD, PUPPET, ROOM, render
from data_tasks.toy.scene import COLOURS, SHAPES, SIZES, TEXTURES, State
from data_tasks.toy.splits import generator, split
from unified_io.encoders.labels import Labelled, waves
from unified_io.modalities.image import ImageInput
from unified_io.preprocess import image_ops
from unified_io.preprocess.patches import patch_mask, patchify
from unified_io.preprocess.window import Window
from unified_io.structures import COCO_PARTS

_HEADED = ("facing up", "facing right", "facing down", "facing left")  # in the order of agent.HEADINGS
WORDS = (
    *(*SIZES, *TEXTURES.values(), *COLOURS, *SHAPES),
    *(*(colour for colour in patches.COLOURS if colour not in COLOURS), *patches.SHAPES),
    *("person", "board", "tray", "block", "agent"),
    *(*LETTERED, *_HEADED, *COCO_PARTS),
)
_PLACE = {word: place for place, word in enumerate(WORDS)}

_SIZE = 64  # pixels along a picture
_LEAST = 0.125  # of a patch that its owner covers at the least
_INK = 4  # cells along a patch whose colours are told
_OCTAVES = 5  # of places; half a wave of the last is 6 % of the picture, and a patch 12 %
_PASTED = 300  # owners of shapes that are pasted on a picture begin here
_SOLID, _SURFACE = 8, 8  # numbers of a thing in space, and of what a camera sees


class _Shown(NamedTuple):
    """A picture and what is true of it.

    Attributes:
      image: In [0, 1].
      ids: Owner of every pixel.
      words: Owner -> what it is called.
      solids: Owner -> what is known of it as a thing in space.
      surface: Of every pixel; NaN where there is no camera.
      joints: (y, x, visible) of the parts of every puppet.
    """

    image: Float[np.ndarray, "h w 3"]
    ids: Int[np.ndarray, "h w"]
    words: Mapping[int, tuple[str, ...]]
    solids: Mapping[int, list[float]]
    surface: Float[np.ndarray, "h w 8"]
    joints: Float[np.ndarray, "p 17 3"]


@dataclasses.dataclass(frozen=True)
class SeenPatches:
    """Makes labelled pictures.

    The numbers of a patch: box (y1, x1, y2, x2) and middle (y, x) of its owner, and (y, x) of a part of a body in it,
    all as they are and as waves; where the owner is a thing in space its centre (x, y, z) in the camera's frame,
    height, width and turn; depth, normal, polar angle and distance of the camera, sine and cosine of its azimuth from a
    rug; its colours, in 4 x 4 cells. Lengths in metres, places in [0, 1] of the square; NaN where there is none.

    Attributes:
      whole: How many are shown whole, as in evaluation; the others through a window, as in training.
    """

    whole: float = 0.3

    def __call__(self, index: int, media: ImageInput) -> Labelled:
        """Returns one training picture as the encoder reads it, and its labels.

        Args:
          index: Number of the picture; the same number gives the same picture.
          media: How a model is shown pictures.
        """
        rng = generator("train", index, "patches")
        makers, odds = zip(*_MAKERS, strict=True)
        shown = makers[rng.choice(len(makers), p=odds)](index, rng)
        size = shown.ids.shape
        return _labelled(
            shown, Window.around(size) if rng.random() < self.whole else Window.draw(size, rng), media
        )


def _labelled(shown: _Shown, through: Window, media: ImageInput) -> Labelled:
    array, square = media.pixels(through.cut(shown.image))
    real = patch_mask(image_ops.resize_nearest(through.real, media.size) & square, media.grid)
    ids = _cells(image_ops.resize_nearest(through.cut(shown.ids), media.size), media.patch)
    owners = np.array([_owner(cells) for cells in ids])
    words, joints = _words(shown, owners, through, media.grid)
    boxes, solids = _owned(shown, owners, through)
    places = np.concatenate([boxes, (boxes[:, :2] + boxes[:, 2:]) / 2, joints], axis=1)
    around, colours = _around(shown, through, media), _colours(array, media.patch)
    numbers = np.concatenate([places, waves(places, _OCTAVES), solids, around, colours], axis=1)
    return Labelled(patchify(array, media.patch), real, words, numbers)


def _scene(index: int, rng: np.random.Generator, **plan: object) -> _Shown:
    return _rendered(split("train").draw(rng, **plan))


def _views(index: int, rng: np.random.Generator) -> _Shown:
    state = still.on_rug(split("train").draw(rng), rng)
    return _rendered(state.seen_from(draw_camera_beside(state.camera, rng)) if rng.random() < 0.5 else state)


def _rendered(state: State) -> _Shown:
    made, camera = render(state, _SIZE), state.camera
    turn = np.nan if state.rug is None else camera.phi - state.rug
    seen = np.full((_SIZE, _SIZE, 4), (camera.theta, camera.r, np.sin(turn), np.cos(turn)))
    things = {number + 1: thing for number, thing in enumerate(state.things)}
    return _Shown(
        made.image,
        made.ids,
        {int(owner): _called(state, int(owner)) for owner in np.unique(made.ids) if owner != ROOM},
        {owner: _solid(state, owner - 1) for owner in things},
        np.concatenate([made.depth[..., None], made.normals, seen], axis=2),
        truth.keypoints(state, made),
    )


def _people(index: int, rng: np.random.Generator) -> _Shown:
    return _scene(index, rng, puppets=(1, 2), count=(1, 2))


def _board(index: int, rng: np.random.Generator) -> _Shown:
    return _scene(index, rng, board=True, count=(0, 1))


def _table(index: int, rng: np.random.Generator) -> _Shown:
    table = arm_draw.draw("train", index)
    image = arm_view.above(table)
    parts = [(one, arm.TRAY, (one.colour, "tray")) for one in table.trays]
    parts += [(one, arm.THING, (one.colour, one.shape)) for one in table.blocks]
    places = [
        (one.y - side / 2, one.x - side / 2, one.y + side / 2, one.x + side / 2) for one, side, _ in parts
    ]
    return _flat(image, places, [words for *_, words in parts])


def _room(index: int, rng: np.random.Generator) -> _Shown:
    room = agent.draw("train", index)
    way = agent.poses(room, agent.expert(room))
    row, column, heading = pose = way[rng.integers(len(way))]
    squares = [(*block, ("block",)) for block in room.blocks]
    squares += [(one.row, one.column, (one.colour, one.shape)) for one in room.items]
    squares.append((row, column, ("agent", _HEADED[heading])))
    places = [
        (y / agent.SIDE, x / agent.SIDE, (y + 1) / agent.SIDE, (x + 1) / agent.SIDE) for y, x, _ in squares
    ]
    return _flat(agent_view.above(room, pose), places, [words for *_, words in squares])


def _pasted(index: int, rng: np.random.Generator) -> _Shown:
    below = _scene(index, rng)
    found = patches.draw_patches(np.ones(below.ids.shape, bool), rng)
    ids, words, surface = below.ids.copy(), dict(below.words), below.surface.copy()
    for owner, (name, (y1, x1, y2, x2), shape) in enumerate(found, start=_PASTED):
        ids[y1:y2, x1:x2][shape] = owner
        surface[y1:y2, x1:x2][shape] = np.nan
        words[owner] = tuple(name.split())
    image = patches.paste(below.image, found, rng)
    return below._replace(image=image, ids=ids, words=words, surface=surface)


_MAKERS = (
    (_scene, 0.3),
    (_people, 0.15),
    (_board, 0.15),
    (_views, 0.1),
    (_table, 0.1),
    (_room, 0.1),
    (_pasted, 0.1),
)


def _flat(
    image: Float[np.ndarray, "h w 3"],
    places: list[tuple[float, float, float, float]],
    words: list[tuple[str, ...]],
) -> _Shown:
    """A picture from above of what fills boxes; the later lie on the earlier."""
    ids = np.zeros(image.shape[:2], int)
    for owner, box in enumerate(places, start=1):
        top, left, bottom, right = np.rint(np.clip(box, 0, 1) * len(image)).astype(int)
        ids[top:bottom, left:right] = owner
    surface = np.full((*ids.shape, _SURFACE), np.nan)
    return _Shown(image, ids, dict(enumerate(words, start=1)), {}, surface, np.zeros((0, 17, 3)))


def _called(state: State, owner: int) -> tuple[str, ...]:
    if owner < PUPPET:
        return state.things[owner - 1].words
    if owner < BOARD:
        return ("person",)
    return ("board",) if owner == BOARD else ("board", state.board.words[owner - BOARD - 1])


def _solid(state: State, number: int) -> list[float]:
    cuboid = truth.cuboid(state.things[number], state.camera)
    return [*cuboid["center"], *cuboid["dims"][:2], *cuboid["rotation"][0]]


def _owner(cells: Int[np.ndarray, " n"]) -> int:
    counts = np.bincount(cells)
    counts[ROOM] = 0
    found = int(counts.argmax())
    return found if counts[found] >= _LEAST * len(cells) else ROOM


def _words(
    shown: _Shown, owners: Int[np.ndarray, " P"], through: Window, grid: tuple[int, int]
) -> tuple[Bool[np.ndarray, "P W"], Float[np.ndarray, "P 2"]]:
    """What is true of every patch in words, and where in it a part of a body is."""
    words, places = np.zeros((len(owners), len(WORDS)), bool), np.full((len(owners), 2), np.nan, np.float32)
    for owner in np.unique(owners[owners != ROOM]):
        for word in shown.words[owner]:
            words[owners == owner, _PLACE[word]] = True
    for joints in shown.joints:
        points = through.points(joints[:, :2])
        cells = np.floor(points * grid).astype(int)
        seen = (joints[:, 2] > 0) & (cells >= 0).all(axis=1) & (cells < grid).all(axis=1)
        for part in np.flatnonzero(seen):
            patch = cells[part, 0] * grid[1] + cells[part, 1]
            words[patch, _PLACE[COCO_PARTS[part]]] = True
            places[patch] = points[part]
    return words, places


def _owned(
    shown: _Shown, owners: Int[np.ndarray, " P"], through: Window
) -> tuple[Float[np.ndarray, "P 4"], Float[np.ndarray, "P 8"]]:
    """The box of every patch's owner, and what is known of that as a thing in space."""
    places = np.full((len(owners), 4), np.nan, np.float32)
    solids = np.full((len(owners), _SOLID), np.nan, np.float32)
    for owner in np.unique(owners[owners != ROOM]):
        mine = owners == owner
        boxes, _ = through.boxes(truth.boxes(truth.masks(shown.ids, [owner])))
        places[mine] = boxes[0]
        if owner in shown.solids:
            solids[mine] = shown.solids[owner]
    return places, solids


def _around(shown: _Shown, through: Window, media: ImageInput) -> Float[np.ndarray, "P M"]:
    pixels = _cells(image_ops.resize_nearest(through.cut(shown.surface, np.nan), media.size), media.patch)
    known = ~np.isnan(pixels)
    means = np.where(known, pixels, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return np.where(known.any(axis=1), means, np.nan)


def _colours(array: Float[np.ndarray, "H W 3"], patch: int) -> Float[np.ndarray, "P M"]:
    ink = patch // _INK
    cells = patchify(array, patch).reshape(-1, _INK, ink, _INK, ink, array.shape[-1])
    return cells.mean(axis=(2, 4)).reshape(len(cells), -1)


def _cells(array: np.ndarray, patch: int) -> np.ndarray:
    """The pixels of every patch: [P, patch * patch, ...]."""
    channels = array if array.ndim == 3 else array[..., None]
    cells = patchify(channels, patch).reshape(-1, patch * patch, channels.shape[-1])
    return cells if array.ndim == 3 else cells[..., 0]
