"""The report of a run: one description in plain objects, rendered as one HTML file and one JSON file.

    report = Report(title="Digits", summary="…", sections=(Section("Loss", parts=(Chart(…),)),))
    html, json = write(report, folder)

It knows scores, charts, tables and galleries, not which job, model or modality they come from.
"""

from unified_io.evaluation.report.document import to_json, write
from unified_io.evaluation.report.exhibits import (
    Box,
    Chart,
    CloudPanel,
    Gallery,
    ImagePanel,
    Item,
    MotionPanel,
    Series,
    SoundPanel,
    StrokesPanel,
    Table,
    TextPanel,
)
from unified_io.evaluation.report.outline import Matrix, Report, Section
from unified_io.evaluation.report.page import to_html
from unified_io.evaluation.report.results import Result, ScoreTable, Verdict, verdict

__all__ = [
    "Box",
    "Chart",
    "CloudPanel",
    "Gallery",
    "ImagePanel",
    "Item",
    "Matrix",
    "MotionPanel",
    "Report",
    "Result",
    "ScoreTable",
    "Section",
    "Series",
    "SoundPanel",
    "StrokesPanel",
    "Table",
    "TextPanel",
    "Verdict",
    "to_html",
    "to_json",
    "verdict",
    "write",
]
