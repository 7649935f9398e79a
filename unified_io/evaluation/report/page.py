"""The report as one HTML file: nothing from elsewhere, no script; readable on a phone and in the dark."""

import re
from collections.abc import Sequence

from unified_io.evaluation.report.chart import line_chart
from unified_io.evaluation.report.exhibits import Chart, Gallery, Table
from unified_io.evaluation.report.facts import fact, facts_table
from unified_io.evaluation.report.markup import Markup, element, join, paragraphs
from unified_io.evaluation.report.outline import Part, Report, Section
from unified_io.evaluation.report.overview import matrix
from unified_io.evaluation.report.panel import gallery
from unified_io.evaluation.report.results import LEVELS, Result, ScoreTable, Verdict, verdict
from unified_io.evaluation.report.scores import score_table
from unified_io.evaluation.report.style import STYLE
from unified_io.evaluation.report.tables import plain_table

# The browser is told to fetch nothing: whatever a caption holds, the page stays by itself.
_POLICY = "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'"


def to_html(report: Report) -> str:
    """Returns the whole page."""
    sections = _framed(report)
    anchors = _Anchors()
    body = [_section(section, content, anchors) for section, content in sections]
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("title", report.title),
        element("style", Markup(STYLE)),
    )
    header = element("header", element("h1", report.title), paragraphs(report.summary), _tiles(report))
    page = element(
        "body", header, element("div", anchors.contents(), element("main", body), class_="columns")
    )
    return f"<!doctype html>\n{element('html', head, page, lang='en')}\n"


def _framed(report: Report) -> list[tuple[Section, Markup]]:
    """The report's sections between those the page adds: overview and verdicts before, facts behind."""
    framed = []
    if report.matrix:
        framed.append((Section(report.matrix.title), matrix(report.matrix)))
    if any(result.goal is not None for result in report.results()):
        framed.append((Section("What was reached, and what was not"), _verdicts(report)))
    framed += [(section, Markup("")) for section in report.sections]
    if report.facts:
        framed.append((Section("The run"), facts_table(report.facts)))
    return framed


class _Anchors:
    """Gives every heading an address of its own and remembers them for the table of contents."""

    def __init__(self):
        self.entries: list[tuple[str, str, int]] = []

    def add(self, title: str, depth: int) -> str:
        stem = re.sub(r"[^a-z0-9]+", "-", title.lower().replace("→", "to")).strip("-") or "section"
        taken = {anchor for anchor, _, _ in self.entries}
        anchor = next(a for a in (stem, *(f"{stem}-{n}" for n in range(2, len(taken) + 3))) if a not in taken)
        self.entries.append((anchor, title, depth))
        return anchor

    def contents(self) -> Markup:
        links = [
            element("li", element("a", title, href=f"#{anchor}"), class_=f"depth{depth}")
            for anchor, title, depth in self.entries
        ]
        return element("nav", element("h2", "Contents"), element("ul", links), aria_label="Contents")


def _section(section: Section, content: Markup, anchors: _Anchors, depth: int = 0) -> Markup:
    anchor = anchors.add(section.title, depth)
    heading = element(f"h{min(depth + 2, 4)}", section.title)
    inner = [_section(small, Markup(""), anchors, depth + 1) for small in section.sections]
    return element(
        "section", heading, paragraphs(section.text), content, _parts(section.parts), inner, id=anchor
    )


def _parts(parts: Sequence[Part]) -> Markup:
    """The parts in their order; charts that follow each other stand side by side."""
    drawn, charts = [], []
    for part in (*parts, None):
        if isinstance(part, Chart):
            charts.append(line_chart(part))
            continue
        if charts:
            drawn.append(element("div", charts, class_="charts"))
            charts = []
        if part is not None:
            drawn.append(_part(part))
    return join(*drawn)


def _part(part: ScoreTable | Table | Gallery) -> Markup:
    if isinstance(part, ScoreTable):
        return score_table(part)
    return plain_table(part) if isinstance(part, Table) else gallery(part)


def _tiles(report: Report) -> Markup:
    goals = [verdict(result).reached for result in report.results() if result.goal is not None]
    tiles = [(f"{sum(map(bool, goals))} of {len(goals)}", "goals reached")] if goals else []
    share = report.normalised_mean()
    if share is not None:
        tiles.append((f"{100 * share:.0f} %", "of the way from chance to ceiling, mean of the matrix"))
    named = {"wall_seconds": "wall time", "cpu_seconds": "CPU time", "peak_rss_bytes": "peak memory"}
    tiles += [(fact(key, report.facts[key]), words) for key, words in named.items() if key in report.facts]
    return element(
        "dl", [element("div", element("dt", words), element("dd", value)) for value, words in tiles]
    )


def _verdicts(report: Report) -> Markup:
    judged = [(result, verdict(result)) for result in report.results() if result.goal is not None]
    sides = (("Reached", True), ("Not reached", False))
    return element(
        "div",
        [
            element(
                "div", element("h3", f"{title}: {len(rows)}"), element("ul", rows) if rows else "Nothing."
            )
            for title, side in sides
            for rows in [[_verdict(result, found) for result, found in judged if found.reached is side]]
        ],
        class_="verdicts",
    )


def _verdict(result: Result, found: Verdict) -> Markup:
    sign = element("i", LEVELS[found.level][0], class_=f"chip {found.level}")
    words = found.sentence.replace(" %", "\N{NO-BREAK SPACE}%").replace(
        "n = ", "n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}"
    )
    return element("li", sign, element("b", result.title), f" – {result.metric}: {words}")
