"""Views of scanned rooms as CroCo rendered them in Habitat: one completed with the help of others."""

from typing import Any

from data_tasks.formats.cross_view import CompleteView
from data_tasks.registry import register
from data_tasks.sources.lines import Lines
from data_tasks.sources.mapping import Picture
from data_tasks.sources.stored import Context, Record


def _views(record: Record, context: Context) -> list[Any]:
    """Reads two of the views; the second is to be completed. In training they are drawn, in either order."""
    names = record["views"]
    if context.training:
        names = [names[place] for place in context.draw("views").permutation(len(names))]
    return [Picture("name")({"name": name}, context) for name in names[:2]]


_SAMPLE = [{"views": [f"scene/0000000{number}_{view}.jpeg" for view in (1, 2)]} for number in (0, 1)]
for _name, _hidden, _most in (("habitat_views_easy", 0.4, 0.7), ("habitat_views_hard", 0.7, 0.95)):
    register(
        _name,
        group="view_synthesis",
        dataset="CroCo's views in Habitat",
        stored=Lines("habitat_views", "{split}.jsonl"),
        fields={"images": _views},
        form=CompleteView("cross_view", hidden=_hidden, most=_most),
        splits={"train": "all:10000-", "validation": "all:-10000"},
        keep=lambda record: len(record["views"]) > 1,
        obtain="made with Habitat-sim from the metadata of github.com/naver/croco and the scans that it names; as "
        '{"views": [file, ...]}, the views of one place a line',
        size=2_600_000,
        sample=_SAMPLE,
        media=[name for line in _SAMPLE for name in line["views"]],
    )
