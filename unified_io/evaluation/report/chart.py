"""Line charts as inline SVG: axes, round ticks, a legend that wraps. Colours come from the page's style."""

import math
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from unified_io.evaluation.report.exhibits import Chart
from unified_io.evaluation.report.markup import Markup, element, join

_WIDTH, _HEIGHT = 480.0, 270.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 20.0, 24.0, 40.0
_COLOURS = 7  # as many as the style has; later lines repeat them with dashes
_DASHES = (None, "6 4", "2 3")


def line_chart(chart: Chart) -> Markup:
    """Returns a figure with the chart's title, its legend, and its lines."""
    lines = [(series.name, *series.thinned()) for series in chart.series]
    if chart.log_y:
        lines = [(name, x, np.where(y > 0.0, y, np.nan)) for name, x, y in lines]
    values = np.concatenate([np.zeros(0), *(y[np.isfinite(y)] for _, _, y in lines)])
    head = element("figcaption", element("strong", chart.title), _legend(chart), _note(chart))
    if not values.size:
        return element("figure", head, element("p", "Nothing was recorded.", class_="note"), class_="chart")
    places = np.concatenate([np.asarray(series.x, np.float64) for series in chart.series])
    across = _Axis(places, _LEFT, _WIDTH - _RIGHT, log=False)
    up = _Axis(values, _HEIGHT - _BOTTOM, _TOP, log=chart.log_y)
    drawing = element(
        "svg",
        element("title", f"{chart.title}: {chart.y_label} over {chart.x_label}"),
        [_horizontal(up, value) for value in up.ticks],
        [_vertical(across, value) for value in across.ticks],
        _words(chart, across),
        [_line(index, name, across(x), up(y)) for index, (name, x, y) in enumerate(lines)],
        viewBox=f"0 0 {_WIDTH:g} {_HEIGHT:g}",
        role="img",
    )
    return element("figure", head, drawing, class_="chart")


class _Axis:
    """Values to places on paper, and the round values to label."""

    def __init__(self, values: Float[np.ndarray, "n"], start: float, end: float, *, log: bool):
        low, high = float(values.min()), float(values.max())
        if low == high:
            low, high = (low / 2.0, low * 2.0) if log else (low - 0.5, high + 0.5)
        self.log, self.start, self.end = log, start, end
        self.ticks = _log_ticks(low, high) if log else _linear_ticks(low, high)
        vertical = start > end
        self.low = min(low, self.ticks[0]) if vertical else low
        self.high = max(high, self.ticks[-1]) if vertical else high
        self.ticks = [
            tick for tick in self.ticks if self.low * (1 - 1e-9) <= tick <= self.high * (1 + 1e-9)
        ] or [low]

    def __call__(self, values: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
        low, high = (math.log10(self.low), math.log10(self.high)) if self.log else (self.low, self.high)
        values = np.log10(values) if self.log else values
        return self.start + (np.asarray(values) - low) / (high - low) * (self.end - self.start)

    def label(self, value: float) -> str:
        """Returns a tick's words: digits that tell it from the next, in thousands (k) from 10,000 on."""
        if not value:
            return "0"
        largest = max(map(abs, self.ticks))
        step = value if self.log or len(self.ticks) < 2 else self.ticks[1] - self.ticks[0]
        scale, letter = (1000.0, "k") if largest >= 10_000.0 else (1.0, "")
        decimals = next(
            (n for n in range(5) if math.isclose(round(step / scale, n), step / scale, rel_tol=1e-6)), None
        )
        return f"{value:.2g}" if decimals is None else f"{value / scale:,.{decimals}f}{letter}"


def _linear_ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    raw = (high - low) / wanted
    unit = 10.0 ** math.floor(math.log10(raw))
    step = min((factor * unit for factor in (1.0, 2.0, 2.5, 5.0, 10.0)), key=lambda size: abs(size - raw))
    return [
        round(n * step, 12) for n in range(math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9) + 1)
    ]


def _log_ticks(low: float, high: float) -> list[float]:
    first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
    for digits in ((1,), (1, 3), (1, 2, 5)):
        ticks = [digit * 10.0**power for power in range(first, last + 1) for digit in digits]
        # One tick past either end at most, so that the lines fill the paper.
        begin = max((i for i, tick in enumerate(ticks) if tick <= low * (1 + 1e-9)), default=0)
        end = min((i for i, tick in enumerate(ticks) if tick >= high * (1 - 1e-9)), default=len(ticks) - 1)
        if end - begin >= 3:
            break
    stride = max(1, math.ceil((end - begin) / 6))
    return ticks[begin : end + stride : stride]


def _horizontal(axis: _Axis, value: float) -> Markup:
    y = float(axis(np.asarray(value)))
    return join(
        element("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y, y2=y, class_="grid"),
        element("text", axis.label(value), x=_LEFT - 7.0, y=y + 4.0, text_anchor="end"),
    )


def _vertical(axis: _Axis, value: float) -> Markup:
    x, base = float(axis(np.asarray(value))), _HEIGHT - _BOTTOM
    return join(
        element("line", x1=x, x2=x, y1=base, y2=base + 4.0, class_="axis"),
        element("text", axis.label(value), x=x, y=base + 17.0, text_anchor="middle"),
    )


def _words(chart: Chart, across: _Axis) -> Markup:
    base = _HEIGHT - _BOTTOM
    unit = f"{chart.y_label} (log scale)" if chart.log_y else chart.y_label
    return join(
        element("line", x1=across.start, x2=across.end, y1=base, y2=base, class_="axis"),
        element("text", unit, x=2.0, y=12.0, class_="axis-name"),
        element(
            "text", chart.x_label, x=_WIDTH - _RIGHT, y=_HEIGHT - 5.0, text_anchor="end", class_="axis-name"
        ),
    )


def _line(index: int, name: str, x: Float[np.ndarray, "n"], y: Float[np.ndarray, "n"]) -> Markup:
    title = element("title", name)
    runs = list(_runs(x, y))
    path = "".join(f"M{' L'.join(f'{a:.1f} {b:.1f}' for a, b in run)}" for run in runs if len(run) > 1)
    dots = [element("circle", title, cx=a, cy=b, r=3.5) for run in runs if len(run) == 1 for a, b in run]
    line = element("path", title, d=path, stroke_dasharray=_dash(index)) if path else None
    return element("g", line, dots, class_=f"line c{index % _COLOURS}")


def _runs(x: Float[np.ndarray, "n"], y: Float[np.ndarray, "n"]) -> Iterator[list[tuple[float, float]]]:
    """Yields the runs of points between gaps."""
    run: list[tuple[float, float]] = []
    for a, b in zip(x.tolist(), y.tolist(), strict=True):
        if math.isfinite(b):
            run.append((a, b))
        elif run:
            yield run
            run = []
    if run:
        yield run


def _legend(chart: Chart) -> Markup | None:
    if len(chart.series) == 1:
        return None
    keys = [
        element(
            "span",
            element(
                "svg",
                element(
                    "g",
                    element("path", d="M0 5 L22 5", stroke_dasharray=_dash(index)),
                    class_=f"line c{index % _COLOURS}",
                ),
                viewBox="0 0 22 10",
                width=22,
                height=10,
                aria_hidden="true",
            ),
            series.name,
        )
        for index, series in enumerate(chart.series)
    ]
    return element("span", keys, class_="legend")


def _note(chart: Chart) -> Markup | None:
    merged = max(
        (math.ceil(len(line.x) / len(line.thinned()[0])) for line in chart.series if len(line.x)), default=1
    )
    words = " ".join(
        filter(None, (chart.note, f"A point is the mean of up to {merged} values." if merged > 1 else ""))
    )
    return element("span", words, class_="note") if words else None


def _dash(index: int) -> str | None:
    return _DASHES[index // _COLOURS % len(_DASHES)]
