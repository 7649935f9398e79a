"""The table of registered tasks: what `unified-io data …` asks. Whoever registers a task need not know of it."""

import dataclasses
from collections.abc import Iterable
from typing import Any

from data_tasks.conversion import convert
from data_tasks.inspection import show
from data_tasks.paper import GROUPS
from data_tasks.registry import REGISTRY, Registration
from data_tasks.sources.stored import Mapped, Reading
from data_tasks.validation import validate
from unified_io.data.denoised import Denoised
from unified_io.errors import unknown
from unified_io.reliability.table import table as columns

__all__ = ["Row", "convert", "rows", "show", "sums", "table", "validate"]


@dataclasses.dataclass(frozen=True)
class Row:
    """One task, as a reader of the table sees it.

    Attributes:
      name: The task.
      group: Row of Table 10 or 11, "toy", "real" or a user's own.
      dataset: What people call it.
      modalities: "image, text -> text".
      format: Class of the format, or what a task of pre-training makes of its records.
      metric: The first one.
      obtain: Where to get the data.
      runnable: Whether the data can be had, so that the task runs once they lie here.
      here: Whether they lie here.
      why: Why it does not run now; "" where it does.
    """

    name: str
    group: str
    dataset: str
    modalities: str
    format: str
    metric: str
    obtain: str
    runnable: bool
    here: bool
    why: str


def rows(group: str | None = None) -> list[Row]:
    """Returns the registered tasks, or those of one group, in the order of the paper.

    Raises:
      ConfigError: No task has this group.
    """
    order = [*GROUPS]
    found = sorted(
        map(_row, REGISTRY.values()),
        key=lambda row: (order.index(row.group) if row.group in order else len(order), row.group, row.name),
    )
    if group is None:
        return found
    if group not in {row.group for row in found}:
        raise unknown("group of tasks", group, {*order, *(row.group for row in found)})
    return [row for row in found if row.group == group]


def sums() -> dict[str, Any]:
    """Returns how many tasks there are, in all and by group of the paper, as JSON values.

    `runnable` counts those whose data can be had, `here` those whose data lie here now, and `groups` has for every
    group of Tables 10 and 11 its registered tasks and how many it has in the paper; of another group both are ours.
    """
    found = rows()
    groups = {name: [0, group.tasks] for name, group in GROUPS.items()}
    for row in found:
        groups.setdefault(row.group, [0, 0])[0] += 1
        groups[row.group][1] += row.group not in GROUPS
    return {
        "registered": len(found),
        "runnable": sum(row.runnable for row in found),
        "here": sum(row.here for row in found),
        "groups": groups,
        "formats": sorted({row.format for row in found}),
    }


def table(group: str | None = None) -> str:
    """Returns the table in columns, and its sums behind it."""
    found = rows(group)
    names = ("task", "group", "dataset", "modalities", "format", "metric", "runs now", "where to get it")
    lines = [
        (
            *(row.name, row.group, row.dataset, row.modalities, row.format, row.metric),
            row.why or "yes",
            row.obtain,
        )
        for row in found
    ]
    text = columns([names, *lines])
    if group is not None:
        return text
    total = sums()
    shares = ((name, f"{have} of {of}") for name, (have, of) in total["groups"].items())
    return "\n".join(
        [
            text,
            "",
            columns([("group", "registered"), *shares]),
            "",
            f"{total['registered']} tasks in {len(total['formats'])} formats; the data of {total['runnable']} can be "
            f"had, those of {total['here']} lie here",
        ]
    )


def _row(task: Registration) -> Row:
    here = task.available and Reading().has(task.source)
    why = "" if here else _why_not(task)
    form, denoised = task.form, isinstance(task.form, Denoised)
    if denoised:
        ways = form.inputs, form.targets
        sides = [", ".join(names) if names else "any" for names in ways]
    else:
        sides = [_names(form.writes, side) for side in ("_inputs", "_targets")]
    metrics = () if denoised else form.metrics
    return Row(
        task.name,
        task.group,
        task.dataset,
        " -> ".join(sides),
        _pretraining(form) if denoised else type(form).__name__,
        metrics[0].name if metrics else "loss",
        task.obtain,
        task.available,
        here,
        why,
    )


def _pretraining(form: Denoised) -> str:
    """Names what a task of pre-training makes of its records, such as "Denoised text"."""
    made = getattr(form.record, "func", form.record)
    return f"Denoised {getattr(made, '__name__', type(made).__name__).strip('_')}"


def _names(fields: Iterable[str], side: str) -> str:
    return ", ".join(key.removesuffix(side) for key in fields if key.endswith(side))


def _why_not(task: Registration) -> str:
    return (
        "no: no data in " + str(Reading().folder / _folder(task)) if task.available else "no: can not be had"
    )


def _folder(task: Registration) -> str:
    return task.source.stored.name if isinstance(task.source, Mapped) else ""
