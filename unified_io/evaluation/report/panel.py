"""Media as HTML that needs no other file: PNG and WAV inside the page, strokes and boxes as SVG."""

import numpy as np

from unified_io.errors import DataError
from unified_io.evaluation.report.embed import png, spectrogram, wav
from unified_io.evaluation.report.exhibits import (
    Box,
    CloudPanel,
    Gallery,
    ImagePanel,
    Item,
    MotionPanel,
    Panel,
    SoundPanel,
    StrokesPanel,
    TextPanel,
)
from unified_io.evaluation.report.markup import Markup, element, join, paragraphs
from unified_io.evaluation.report.sensors import cloud, motion

_SIDE = 112  # pixels of screen that a small picture is blown up to


def gallery(shown: Gallery) -> Markup:
    """Returns the items as cards, and how many of them are right."""
    judged = [item.correct for item in shown.items if item.correct is not None]
    right = f"{sum(judged)} of the {len(judged)} shown here are right." if judged else ""
    return element(
        "div",
        element("h4", shown.title) if shown.title else None,
        paragraphs(" ".join(filter(None, (shown.note, right))), class_="note"),
        element("div", [_card(item) for item in shown.items], class_="cards"),
        class_="block",
    )


def _card(item: Item) -> Markup:
    mark = {True: "✓ right", False: "✗ wrong", None: ""}[item.correct]
    kind = {True: "right", False: "wrong", None: "unjudged"}[item.correct]
    return element(
        "article",
        element("p", element("b", mark) if mark else None, item.caption, class_="caption")
        if mark or item.caption
        else None,
        _group("input", item.inputs),
        element(
            "div",
            _group("output", item.outputs),
            _group("expected", item.reference) if item.reference else None,
            class_="outcome",
        ),
        class_=f"card {kind}",
    )


def _group(name: str, panels: tuple[Panel, ...]) -> Markup:
    drawn = element("div", [_panel(panel) for panel in panels], class_="panels")
    return element("div", element("small", name), drawn, class_=f"group {name}")


def _panel(panel: Panel) -> Markup:
    match panel:
        case TextPanel():
            drawn = (
                element("blockquote", panel.text)
                if panel.text
                else element("blockquote", "(empty)", class_="note")
            )
        case ImagePanel():
            drawn = _image(panel)
        case SoundPanel():
            drawn = _sound(panel)
        case StrokesPanel():
            drawn = _strokes(panel)
        case CloudPanel():
            drawn = cloud(panel)
        case MotionPanel():
            drawn = motion(panel)
        case _:
            raise DataError(f"can not show a {type(panel).__name__}; want one of the panels of a report")
    return element(
        "figure", drawn, element("figcaption", panel.label) if panel.label else None, class_="panel"
    )


def _image(panel: ImagePanel) -> Markup:
    pixels = np.asarray(panel.pixels, np.float64)
    if pixels.ndim not in (2, 3) or pixels.shape[2:] not in ((), (3,)) or not pixels.size:
        raise DataError(f"picture has shape {pixels.shape}; want [h, w, 3] or [h, w]")
    if not np.isfinite(pixels).all():
        raise DataError("picture holds numbers that are not finite; mend what made it")
    height, width = pixels.shape[:2]
    scale = max(1, round(_SIDE / max(height, width)))
    words = f"picture of {height} by {width} pixels"
    picture = element(
        "img",
        src=png((pixels.clip(0, 1) * 255).round()),
        alt=words,
        width=width * scale,
        height=height * scale,
    )
    over = None
    if panel.boxes:
        tall = 100.0 * height / width
        over = element(
            "svg", [_box(box, tall) for box in panel.boxes], viewBox=f"0 0 100 {tall:g}", class_="over"
        )
    return element("span", picture, over, class_="picture")


def _box(box: Box, tall: float) -> Markup:
    y1, x1, y2, x2 = (float(value) for value in box.yxyx)
    kind = "truth" if box.truth else "predicted"
    top, left = tall * y1, 100.0 * x1
    name = (
        tall * y2 - 3.0 if box.truth else top + 11.0
    )  # names of a true box and of its prediction keep apart
    return join(
        element("rect", x=left, y=top, width=100.0 * (x2 - x1), height=tall * (y2 - y1), class_=kind),
        element("text", box.label, x=left + 2.0, y=name, class_=kind) if box.label else None,
    )


def _sound(panel: SoundPanel) -> Markup:
    waveform = np.asarray(panel.waveform, np.float64)
    if waveform.ndim != 1 or not waveform.size or not np.isfinite(waveform).all():
        raise DataError(f"sound has shape {waveform.shape}; want [samples], at least one, all finite")
    seconds = f"{len(waveform) / panel.sample_rate:.2f} s of sound"
    return element(
        "span",
        element("img", src=png(spectrogram(waveform)), alt=f"spectrogram of {seconds}", class_="spectrogram"),
        element(
            "audio",
            controls=True,
            preload="metadata",
            src=wav(waveform, panel.sample_rate),
            aria_label=seconds,
        ),
        class_="sound",
    )


def _strokes(panel: StrokesPanel) -> Markup:
    points = np.asarray(panel.points, np.float64).reshape(-1, 3)
    if not np.isfinite(points).all():
        raise DataError("strokes hold numbers that are not finite; mend what made them")
    drawn, lifted = [], []
    runs: list[list[str]] = []
    for index, (y, x, pen) in enumerate(points):
        here = f"{100 * x:.1f},{100 * y:.1f}"
        if pen >= 0.5 and index:
            runs[-1].append(here)
        else:
            if runs:
                lifted.append(element("polyline", points=f"{runs[-1][-1]} {here}", class_="lifted"))
            runs.append([here])
    for number, run in enumerate((run for run in runs if len(run) > 1), start=1):
        x, y = (float(value) for value in run[0].split(","))
        drawn.append(element("polyline", points=" ".join(run), class_=f"stroke s{number % 2}"))
        drawn.append(element("circle", cx=x, cy=y, r=5.5, class_=f"start s{number % 2}"))
        drawn.append(element("text", number, x=x, y=y + 2.8, text_anchor="middle"))
    words = f"pen trajectory of {len(points)} points" if len(points) else "no strokes"
    drawing = element(
        "svg",
        element("title", words),
        lifted,
        drawn,
        None
        if len(points)
        else element("text", "(empty)", x=50, y=53, text_anchor="middle", class_="nothing"),
        viewBox="-6 -6 112 112",
        width=_SIDE,
        height=_SIDE,
        role="img",
    )
    return element("span", drawing, class_="strokes")
