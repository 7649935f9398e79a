"""From a mask of ink to lines one pixel wide in the order a pen could draw them."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

Pixel = tuple[int, int]
Path = list[Pixel]
LATE = 3.0  # sharp turns that starting at the bottom is as bad as
_SIDES = ((-1, 0), (0, -1), (1, 0), (0, 1))
_CORNERS = ((-1, -1), (1, -1), (1, 1), (-1, 1))


def trace(ink: Bool[np.ndarray, "s s"], spur: int) -> list[Path]:
    """Returns the strokes that cover the skeleton of the ink, each a path of pixels, in drawing order.

    Few strokes, straight on through junctions, from the top left: every part of the skeleton is drawn once.

    Args:
      ink: True where there is ink.
      spur: Side branches of fewer steps are taken for roughness of the edge and removed.
    """
    from skimage.morphology import skeletonize

    pixels = {(y - 1, x - 1) for y, x in np.argwhere(skeletonize(np.pad(ink, 1))).tolist()}
    paths = _without_spurs(pixels, spur)
    ends = _ends(paths)
    starts = [pixel for pixel, count in ends.items() if count % 2] or list(ends)
    walks = [_walk(paths, start, ink.shape[0]) for start in starts]
    return min(walks, key=lambda walk: walk[0])[1] if walks else []


def _links(pixels: set[Pixel]) -> dict[Pixel, list[Pixel]]:
    """Returns the neighbours of every pixel; a diagonal one only where no side neighbour already joins the two."""
    links = {}
    for y, x in pixels:
        near = [(y + i, x + j) for i, j in _SIDES if (y + i, x + j) in pixels]
        for i, j in _CORNERS:
            if (y + i, x + j) in pixels and (y + i, x) not in pixels and (y, x + j) not in pixels:
                near.append((y + i, x + j))
        links[y, x] = near
    return links


def _paths(pixels: set[Pixel]) -> list[Path]:
    """Returns the paths between ends and junctions, then the closed loops that have neither."""
    links = _links(pixels)
    nodes = {pixel for pixel, near in links.items() if len(near) != 2}
    paths, left = [], pixels - nodes

    def follow(path: Path) -> Path:
        while path[-1] in left:
            left.discard(path[-1])
            one, other = links[path[-1]]
            path.append(other if one == path[-2] else one)
        return path

    for node in sorted(nodes):
        for near in links[node]:
            if near in left or (near in nodes and node < near):
                paths.append(follow([node, near]))
    while left:
        top = min(left)
        left.discard(top)
        # To the left first: loops run anticlockwise, as most people draw them.
        paths.append(follow([top, min(links[top], key=lambda pixel: pixel[1])]))
    return paths


def _ends(paths: Iterable[Path]) -> Counter[Pixel]:
    return Counter(end for path in paths for end in (path[0], path[-1]))


def _without_spurs(pixels: set[Pixel], spur: int) -> list[Path]:
    while True:
        paths = _paths(pixels)
        ends = _ends(paths)
        loose = [
            path for path in paths if len(path) <= spur and (ends[path[0]] == 1) != (ends[path[-1]] == 1)
        ]
        if not loose:
            return paths
        path = min(loose, key=len)
        junction = path[-1] if ends[path[0]] == 1 else path[0]
        pixels = pixels - (set(path) - {junction})


def _heading(path: Path) -> np.ndarray:
    """Returns the direction in which a path sets out, of length 1."""
    (y0, x0), (y1, x1) = path[0], path[min(4, len(path) - 1)]
    way = np.array([y1 - y0, x1 - x0], float)
    return way / max(np.hypot(*way), 1e-9)


class _Way(NamedTuple):
    """One path on from where the pen is: how sharp the turn is (0 to 2) and how many other paths it cuts off."""

    index: int
    path: Path
    turn: float
    stranded: int


def _walk(paths: list[Path], start: Pixel, size: int) -> tuple[tuple[int, float], list[Path]]:
    """Returns how bad it is to begin at a pixel (strokes; turning and distance from the top left), and the strokes."""
    left = dict(enumerate(paths))
    strokes: list[Path] = []
    badness = _lateness(start, size)
    while left:
        if strokes:
            ends = _ends(left.values())
            start = min([end for end in ends if ends[end] % 2] or ends, key=lambda end: _lateness(end, size))
        stroke = [start]
        while ways := _ways_on(left, stroke):
            way = min(ways, key=lambda way: way.turn + 10 * way.stranded)
            badness += way.turn
            stroke += way.path[1:]
            del left[way.index]
        strokes.append(stroke)
    return (len(strokes), badness), strokes


def _lateness(pixel: Pixel, size: int) -> float:
    return LATE * (pixel[0] + 0.5 * pixel[1]) / size


def _ways_on(left: dict[int, Path], stroke: Path) -> list[_Way]:
    here, ways = stroke[-1], []
    for index, path in left.items():
        for way in (path, path[::-1]):
            if way[0] == here:
                turn = 1 + float(_heading(stroke[::-1]) @ _heading(way)) if len(stroke) > 1 else 0.0
                ways.append(_Way(index, way, turn, _stranded(left, index, here, way[-1])))
    return ways


def _stranded(left: dict[int, Path], taken: int, here: Pixel, there: Pixel) -> int:
    """Returns how many of the other paths at `here` could not be reached from `there` any more."""
    rest = [(path[0], path[-1]) for index, path in left.items() if index != taken]
    reached, grown = {there}, True
    while grown:
        size = len(reached)
        for ends in rest:
            if not reached.isdisjoint(ends):
                reached.update(ends)
        grown = len(reached) > size
    return sum(here in ends and reached.isdisjoint(ends) for ends in rest)
