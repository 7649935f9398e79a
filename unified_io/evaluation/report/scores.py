"""Score tables with their bars, plain tables, and the matrix on top, as HTML."""

from unified_io.evaluation.report.exhibits import Table
from unified_io.evaluation.report.markup import Markup, element, join, paragraphs
from unified_io.evaluation.report.outline import Matrix
from unified_io.evaluation.report.results import LEVELS, Result, ScoreTable, verdict

_MARKS = {  # shapes around (0, 0), as tall as a bar's middle
    "chance": "M0 -9 L0 9",
    "floor": "M-4.5 9 L4.5 9 L0 2 Z",
    "ceiling": "M-4.5 -9 L4.5 -9 L0 -2 Z",
    "goal": "M0 -10 L0 10",
}


def score_table(table: ScoreTable) -> Markup:
    """Returns the results as rows: score, interval, a bar with every mark, the marks in figures, the verdict."""
    marks = [mark for mark in _MARKS if any(mark in dict(result.marks()) for result in table.results)]
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
        _bar_legend(marks) if len(table.results) > 1 else paragraphs(verdict(table.results[0]).sentence, class_="note"),
        class_="block",
    )


def _row(result: Result, table: ScoreTable, marks: list[str], judged: bool) -> Markup:
    found, known = verdict(result), dict(result.marks())
    sign, meaning = LEVELS[found.level]
    note = element("small", "; ".join(filter(None, (result.metric, result.note))))
    figures = [
        element("td", result.show(known[mark], with_unit=False), class_="number", data_label=mark)
        if mark in known
        else element("td", "", class_="number empty")
        for mark in marks
    ]
    return element(
        "tr",
        element("th", result.title, note, scope="row"),
        element(
            "td", element("b", result.show(result.score.score)), element("small", result.show_interval()), class_="number score"
        ),
        element("td", score_bar(result, _domain(result, table)), class_="bar"),
        figures,
        element("td", f"{result.score.n:,}", class_="number", data_label="n"),
        element("td", element("span", f"{sign} {_short(found.level)}", class_=f"chip {found.level}", title=meaning))
        if judged
        else None,
        class_=found.level,
    )


def _short(level: str) -> str:
    names = {"narrow": "narrowly", "close": "just missed", "short": "missed", "chance": "guessing", "open": "–"}
    return names.get(level, level)


def _domain(result: Result, table: ScoreTable) -> tuple[float, float]:
    """The ends of the bar: 0 to 100 %, or, in another unit, what the rows of that unit span, zero included."""
    if result.unit == "%":
        return 0.0, 1.0
    rows = [other for other in table.results if other.unit == result.unit]
    values = [v for other in rows for v in (*other.score.interval, other.score.score, *dict(other.marks()).values())]
    low, high = min(0.0, *values), max(0.0, *values)
    return low, high + 0.05 * (high - low) or 1.0


def score_bar(result: Result, domain: tuple[float, float]) -> Markup:
    """Returns a small bar: the interval as a band, the score as a dot, chance, floor, ceiling and goal as marks."""

    def place(value: float) -> str:
        share = (value - domain[0]) / (domain[1] - domain[0])
        return f"{100.0 * min(max(share, 0.0), 1.0):.2f}%"

    low, high = result.score.interval
    marks = [
        element("svg", element("path", d=_MARKS[name], class_=name), x=place(value), y=12, overflow="visible")
        for name, value in result.marks()
    ]
    words = ", ".join(f"{name} {result.show(value)}" for name, value in (("score", result.score.score), *result.marks()))
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
        picture = element("svg", rail, shapes, viewBox="-12 -12 24 24", width=24, height=24, aria_hidden="true")
        return element("span", picture, name)

    band = element("line", x1=-11, x2=11, y1=0, y2=0, class_="band")
    return element(
        "p",
        key("score and its interval", band, element("circle", cx=0, cy=0, r=4, class_="dot")),
        [key(mark, element("path", d=_MARKS[mark], class_=mark)) for mark in marks],
        class_="legend score-bar",
    )


def plain_table(table: Table) -> Markup:
    """Returns rows of values; numbers to the right."""
    numeric = [
        all(isinstance(row[i], int | float) and not isinstance(row[i], bool) for row in table.rows if row[i] is not None)
        for i in range(len(table.columns))
    ]
    classes = ["number" if right and table.rows else None for right in numeric]
    return element(
        "div",
        element("h4", table.title),
        paragraphs(table.note, class_="note"),
        element(
            "div",
            element(
                "table",
                element("thead", element("tr", _cells("th", table.columns, classes))),
                element("tbody", [element("tr", _cells("td", row, classes)) for row in table.rows]),
            ),
            class_="scroll",
        ),
        class_="block",
    )


def _cells(name: str, values: tuple[str | float | int | bool | None, ...], classes: list[str | None]) -> Markup:
    return join(*(element(name, show(v), class_=c) for v, c in zip(values, classes, strict=True)))


def show(value: str | float | int | bool | None) -> str:
    """Returns a plain value in words: yes and no, thousands parted, four digits of a fraction."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"
    return value


def matrix(grid: Matrix) -> Markup:
    """Returns inputs × outputs as a table: score, interval, and colour by how it stands to its goal."""
    seen = {verdict(result).level for result in grid.results}
    keys = [
        element("span", element("i", class_=f"swatch {level}"), meaning)
        for level, (_, meaning) in LEVELS.items()
        if level in seen
    ]
    corner = element("td", element("small", "in ↓ out →"), class_="corner")
    return element(
        "div",
        paragraphs(grid.note, class_="note"),
        element(
            "table",
            element("thead", element("tr", corner, [element("th", c, scope="col") for c in grid.columns])),
            element(
                "tbody",
                [
                    element("tr", element("th", row, scope="row"), [_cell(grid.at(row, c)) for c in grid.columns])
                    for row in grid.rows
                ],
            ),
            class_="matrix",
        ),
        element("p", keys, class_="legend"),
        class_="block",
    )


def _cell(result: Result | None) -> Markup:
    if result is None:
        return element("td", "–", class_="empty")
    found = verdict(result)
    goal = f"goal {result.show(result.goal, with_unit=False)}" if result.goal is not None else ""
    return element(
        "td",
        element("b", f"{result.show(result.score.score, with_unit=False)} {LEVELS[found.level][0]}"),
        element("small", result.show_interval()),
        element("small", goal),
        class_=found.level,
        title=found.sentence,
    )
