"""The matrix of inputs and outputs on top of the page, as HTML."""

from unified_io.evaluation.report.markup import Markup, element, paragraphs
from unified_io.evaluation.report.outline import Matrix
from unified_io.evaluation.report.results import LEVELS, Result, verdict


def matrix(grid: Matrix) -> Markup:
    """Returns inputs × outputs as a table: score, interval, and colour by how it stands to its goal."""
    seen = {verdict(result).level for result in grid.results}
    keys = [
        element("span", element("i", class_=f"swatch {level}"), meaning)
        for level, (_, _, meaning) in LEVELS.items()
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
                    element(
                        "tr", element("th", row, scope="row"), [_cell(grid.at(row, c)) for c in grid.columns]
                    )
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
