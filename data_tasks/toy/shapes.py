"""Where rays first meet a solid, and the surface's normal there: closed forms, many rays at a time.

Rays leave one point outside of the solid. A miss is at infinity. Everything is in the frame of the caller.
"""

import dataclasses
import math

import numpy as np
from jaxtyping import Float

Rays = Float[np.ndarray, "n 3"]
Hits = tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n 3"]]
"""Steps along each ray, and unit normals that point outwards (anything where it misses)."""


@dataclasses.dataclass(frozen=True)
class Capsule:
    """All that is no further than a radius from a line; a sphere where its two ends are one point."""

    start: tuple[float, float, float]
    end: tuple[float, float, float]
    radius: float

    def hit(self, origin: Float[np.ndarray, "3"], rays: Rays) -> Hits:
        """Returns where the rays meet it."""
        start, end = np.array(self.start), np.array(self.end)
        steps = _ball(origin - start, rays, self.radius)
        length = float(np.linalg.norm(end - start))
        if length:
            steps = np.minimum(steps, _ball(origin - end, rays, self.radius))
            axis = (end - start) / length
            along, base = rays @ axis, float((origin - start) @ axis)
            side = _ball(origin - start - base * axis, rays - along[:, None] * axis, self.radius)
            with np.errstate(invalid="ignore"):
                inside = np.abs(base + side * along - length / 2) <= length / 2
            steps = np.where(inside, np.minimum(steps, side), steps)
        points = origin + _finite(steps)[:, None] * rays
        if length:
            start = start + np.clip((points - start) @ axis, 0.0, length)[:, None] * axis
        return steps, (points - start) / self.radius


@dataclasses.dataclass(frozen=True)
class Round:
    """A cylinder or a cone that stands on the floor of its frame, about the z axis.

    Attributes:
      radius: At the foot.
      height: Along z.
      taper: How much of the radius is gone at the top: 0 is a cylinder, 1 a cone.
    """

    radius: float
    height: float
    taper: float = 0.0

    def hit(self, origin: Float[np.ndarray, "3"], rays: Rays) -> Hits:
        """Returns where the rays meet it."""
        slope = self.radius * self.taper / self.height
        x, y, z = rays.T
        reach, narrowing = self.radius - slope * origin[2], -slope * z
        a = x * x + y * y - narrowing**2
        b = origin[0] * x + origin[1] * y - reach * narrowing
        c = origin[0] ** 2 + origin[1] ** 2 - reach**2
        with np.errstate(divide="ignore", invalid="ignore"):
            root = np.sqrt(b * b - a * c)
            sides = np.stack([(-b - root) / a, (-b + root) / a])
            level = origin[2] + sides * z
            sides = np.where((sides > 0) & (level >= 0) & (level <= self.height), sides, np.inf)
            ends = np.stack([-origin[2] / z, (self.height - origin[2]) / z])
            wide = np.array([[self.radius], [self.radius * (1 - self.taper)]])
            far = np.hypot(origin[0] + ends * x, origin[1] + ends * y)
            ends = np.where((ends > 0) & (far <= wide), ends, np.inf)
        side, steps = sides.min(axis=0), np.minimum(sides.min(axis=0), ends.min(axis=0))
        points = origin + _finite(steps)[:, None] * rays
        normals = points.copy()
        normals[:, 2] = slope * (self.radius - slope * points[:, 2])
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
        flat = steps < side
        normals[flat] = np.where(points[flat, 2:] > self.height / 2, 1.0, -1.0) * (0.0, 0.0, 1.0)
        return steps, normals


@dataclasses.dataclass(frozen=True)
class Convex:
    """What lies behind every one of several planes.

    Attributes:
      normals: Unit vectors that point outwards.
      offsets: Distance of every plane from the origin along its normal.
    """

    normals: tuple[tuple[float, float, float], ...]
    offsets: tuple[float, ...]

    def hit(self, origin: Float[np.ndarray, "3"], rays: Rays) -> Hits:
        """Returns where the rays meet it."""
        normals = np.array(self.normals)
        outside, along = np.array(self.offsets) - normals @ origin, rays @ normals.T
        along = np.where(along == 0.0, 1e-300, along)
        with np.errstate(over="ignore"):
            steps = outside / along
        entering = np.where(along < 0, steps, -np.inf)
        leaving = np.where(along > 0, steps, np.inf).min(axis=1)
        plane = entering.argmax(axis=1)
        enter = entering[np.arange(len(plane)), plane]
        return np.where((enter < leaving) & (enter > 0), enter, np.inf), normals[plane]


def block(width: float, depth: float, height: float) -> Convex:
    """Returns a box that stands on the floor, its sides along the axes."""
    axes = (
        (1.0, 0.0, 0.0),
        (-1.0, 0.0, 0.0),
        (0.0, 1.0, 0.0),
        (0.0, -1.0, 0.0),
        (0.0, 0.0, 1.0),
        (0.0, 0.0, -1.0),
    )
    return Convex(axes, (width / 2, width / 2, depth / 2, depth / 2, height, 0.0))


def pyramid(width: float, height: float) -> Convex:
    """Returns a pyramid with a square foot on the floor."""
    across, up = height / math.hypot(height, width / 2), width / 2 / math.hypot(height, width / 2)
    sides = ((across, 0.0, up), (-across, 0.0, up), (0.0, across, up), (0.0, -across, up))
    return Convex((*sides, (0.0, 0.0, -1.0)), (*(width / 2 * across,) * 4, 0.0))


def _ball(offset: np.ndarray, rays: Rays, radius: float) -> Float[np.ndarray, " n"]:
    """First step at which a ray is as near to a point as the radius; the point is at -offset from where rays start."""
    a = np.einsum("ij,ij->i", rays, rays)
    b = rays @ offset
    with np.errstate(invalid="ignore", divide="ignore"):
        steps = (-b - np.sqrt(b * b - a * (offset @ offset - radius**2))) / a
        return np.where(steps > 0, steps, np.inf)


def _finite(steps: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(steps), steps, 0.0)
