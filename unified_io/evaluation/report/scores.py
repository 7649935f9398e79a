"""Score tables with their bars, as HTML."""

from unified_io.evaluation.report.markup import Markup, element, paragraphs
from unified_io.evaluation.report.results import LEVELS, Result, ScoreTable, verdict

_MARKS = {  # shapes around (0, 0), as tall as a bar's middle
    "chance": "M0 -9 L0 9",
    "floor": "M-4.5 9 L4.5 9 L0 2 Z",
    "ceiling": "M-4.5 -9 L4.5 -9 L0 -2 Z",
    "goal": "M0 -10 L0 10",
}


def score_table(table: ScoreTable) -> Markup:
    """Returns the results as rows: score, interval, a bar with every mark, marks in figures, verdict."""
    marks = [mark for mark in _MARKS if any(mark in dict(result.marks()) for result in table.results)]
    first, *others = table.results
    judged = any(result.goal is not None for result in table.results)
    heads = (
        element("th", "", scope="col"),
        element("th", "score ", element("small", "95 % interval"), scope="col", class_="number score"),
        element("th", "", scope="col", class_="bar"),
        [element("th", mark, scope="col", class_="number") for mark in marks],
        element("th", "n", scope="col", class_="number"),
        element("th", "verdict", scope="col") if judged else None,
    )
    return element(
        "div",
        element("h4", table.title) if table.title else None,
        paragraphs(table.note, class_="note"),
        element(
            "table",
            element("thead", element("tr", heads)),
            element("tbody", [_row(result, table, marks, judged) for result in table.results]),
            class_="scores",
        ),
        _bar_legend(marks) if others else paragraphs(verdict(first).sentence, class_="note"),
        class_="block",
    )


def _row(result: Result, table: ScoreTable, marks: list[str], judged: bool) -> Markup:
    found, known = verdict(result), dict(result.marks())
    sign, word, meaning = LEVELS[found.level]
    note = element("small", "; ".join(filter(None, (result.metric, result.note))))
    figures = [
        element(
            "td",
            _limit(result, mark),
            result.show(known[mark], with_unit=False),
            class_="number",
            data_label=mark,
        )
        if mark in known
        else element("td", "", class_="number empty")
        for mark in marks
    ]
    return element(
        "tr",
        element("th", result.title, note, scope="row"),
        element(
            "td",
            element("b", result.show(result.score.score)),
            element("small", result.show_interval()),
            class_="number score",
        ),
        element("td", _bar(result, _domain(result, table)), class_="bar"),
        figures,
        element("td", f"{result.score.n:,}", class_="number", data_label="n"),
        element(
            "td",
            element("span", f"{sign} {word}", class_=f"chip {found.level}", title=meaning),
        )
        if judged
        else None,
        class_=found.level,
    )


def _limit(result: Result, mark: str) -> str | None:
    return "≤ " if mark == "goal" and result.better == "lower" else None


def _domain(result: Result, table: ScoreTable) -> tuple[float, float]:
    """The ends of the bar: 0 to 100 %, or, in another unit, what the rows of that unit span and zero."""
    if result.unit == "%":
        return 0.0, 1.0
    rows = [other for other in table.results if other.unit == result.unit]
    values = [
        v for other in rows for v in (*other.score.interval, other.score.score, *dict(other.marks()).values())
    ]
    low, high = min(0.0, *values), max(0.0, *values)
    return low, high + 0.05 * (high - low) or 1.0


def _bar(result: Result, domain: tuple[float, float]) -> Markup:
    """A small bar: the interval as a band, the score as a dot, and chance, floor, ceiling, goal."""

    def place(value: float) -> str:
        share = (value - domain[0]) / (domain[1] - domain[0])
        return f"{100.0 * min(max(share, 0.0), 1.0):.2f}%"

    low, high = result.score.interval
    marks = [
        element("svg", element("path", d=_MARKS[name], class_=name), x=place(value), y=12, overflow="visible")
        for name, value in result.marks()
    ]
    words = ", ".join(
        f"{name} {result.show(value)}" for name, value in (("score", result.score.score), *result.marks())
    )
    drawing = element(
        "svg",
        element("title", f"{words}; interval {result.show_interval()}"),
        element("line", x1="0%", x2="100%", y1=12, y2=12, class_="rail"),
        element("line", x1=place(low), x2=place(high), y1=12, y2=12, class_="band"),
        marks,
        element("circle", cx=place(result.score.score), cy=12, r=4, class_="dot"),
        width="100%",
        height=24,
        role="img",
    )
    return element("span", drawing, class_="score-bar")


def _bar_legend(marks: list[str]) -> Markup:
    def key(name: str, *shapes: Markup) -> Markup:
        rail = element("line", x1=-12, x2=12, y1=0, y2=0, class_="rail")
        picture = element(
            "svg", rail, shapes, viewBox="-12 -12 24 24", width=24, height=24, aria_hidden="true"
        )
        return element("span", picture, name)

    band = element("line", x1=-11, x2=11, y1=0, y2=0, class_="band")
    return element(
        "p",
        key("score and its interval", band, element("circle", cx=0, cy=0, r=4, class_="dot")),
        [key(mark, element("path", d=_MARKS[mark], class_=mark)) for mark in marks],
        class_="legend score-bar",
    )
