"""What other sensors give as SVG: points in space as dots, motion as curves."""

import numpy as np
from jaxtyping import Float

from unified_io.errors import DataError
from unified_io.evaluation.report.chart import line_chart
from unified_io.evaluation.report.exhibits import Chart, CloudPanel, MotionPanel, Series
from unified_io.evaluation.report.markup import Markup, element

_SIDE, _DOTS = 112, 600  # pixels of screen; more dots would make a heavy page and fill it
_AROUND, _DOWN = np.radians([30.0, 20.0])  # where the onlooker stands
_SHADES = 3


def cloud(panel: CloudPanel) -> Markup:
    """Draws points in space; far ones are paler, and near ones lie over them.

    Raises:
      DataError: They are no points, or not finite.
    """
    points = np.asarray(panel.points, np.float64)
    if points.ndim != 2 or points.shape[1] != 3 or not len(points) or not np.isfinite(points).all():
        raise DataError(f"a cloud has shape {points.shape}; want [n, 3], at least one point, all finite")
    places, depth = projected(points[np.linspace(0, len(points) - 1, min(len(points), _DOTS)).astype(int)])
    order = np.argsort(depth, kind="stable")
    shades = np.arange(len(order)) * _SHADES // len(order)
    dots = [
        element("circle", cx=float(x), cy=float(y), r=1.3, class_=f"dot d{shade}")
        for (x, y), shade in zip(places[order], shades, strict=True)
    ]
    words = element("title", f"cloud of {len(points)} points")
    drawing = element("svg", words, dots, viewBox="-6 -6 112 112", width=_SIDE, height=_SIDE, role="img")
    return element("span", drawing, class_="cloud")


def projected(
    points: Float[np.ndarray, "n 3"],
) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, " n"]]:
    """Returns where points lie on paper, x to the right and y down within [0, 100], and how near each is."""
    centred = points - (points.max(axis=0) + points.min(axis=0)) / 2
    x, y, z = (centred / max(np.linalg.norm(centred, axis=1).max(), 1e-12)).T
    right = np.cos(_AROUND) * x - np.sin(_AROUND) * z
    near = np.sin(_AROUND) * x + np.cos(_AROUND) * z
    up, near = np.cos(_DOWN) * y - np.sin(_DOWN) * near, np.sin(_DOWN) * y + np.cos(_DOWN) * near
    return np.stack([50 + 50 * right, 50 - 50 * up], axis=1), near


def motion(panel: MotionPanel) -> Markup:
    """Draws acceleration and rotation, each along three axes.

    Raises:
      DataError: There is no step, or not six numbers a step, all finite.
    """
    values = np.asarray(panel.values, np.float64)
    if values.ndim != 2 or values.shape[1] != 6 or not len(values) or not np.isfinite(values).all():
        raise DataError(f"motion has shape {values.shape}; want [n, 6], at least one step, all finite")
    seconds = np.arange(len(values)) / panel.rate
    charts = [
        Chart(
            name,
            tuple(Series(axis, seconds, values[:, first + i]) for i, axis in enumerate("xyz")),
            x_label="seconds",
        )
        for name, first in (("acceleration", 0), ("rotation", 3))
    ]
    return element("span", [line_chart(chart) for chart in charts], class_="motion")
