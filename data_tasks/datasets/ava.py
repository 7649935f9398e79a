"""AVA: people in the middle of a stretch of a film, and what they do."""

from typing import Any

from data_tasks.formats.boxes import FindBoxes
from data_tasks.registry import register
from data_tasks.sources import mapping
from data_tasks.sources.lines import Lines
from data_tasks.sources.mapping import ClassFile, Frames
from data_tasks.sources.stored import Context, Record

_PART = 0.5  # seconds that one frame stands for
_ACTIONS = "actions.txt"


def _frames(record: Record, context: Context) -> list[Any]:
    """Reads frames up to the moment that is annotated, which is the middle of the last part."""
    moment = float(record["timestamp"])
    begin = moment + _PART / 2 - _PART * context.reading.frames
    clip = {"path": record["video"], "start": max(begin, 0.0), "end": moment + _PART / 2}
    return Frames()(clip, context)


def acting(record: Record) -> list[Record]:
    """Returns the record with a box for every action of every person."""
    found = [(one["box"], action) for one in record["people"] for action in one["actions"]]
    return [record | {"boxes": [box for box, _ in found], "labels": [action for _, action in found]}]


def _person(box: list[float], *actions: int) -> Record:
    return {"box": box, "actions": list(actions)}


register(
    "ava",
    group="action_localisation",
    dataset="AVA actions 2.2",
    stored=Lines("ava", "{split}.jsonl"),
    fields={
        "images": _frames,
        "boxes": lambda record, context: mapping.boxes(record["boxes"], "xyxy"),
        "names": ClassFile("labels", _ACTIONS, first=1),
    },
    form=FindBoxes("boxes_action", query="action"),
    splits={"train": "train", "validation": "val"},
    each=acting,
    obtain="research.google.com/ava: ava_train_v2.2.csv and ava_val_v2.2.csv, the rows of a moment as one line "
    '{"video", "timestamp", "people": [{"box": [x1, y1, x2, y2], "actions": [id, ...]}, ...]}; '
    f"{_ACTIONS} is the names of ava_action_list_v2.2.pbtxt by their id, from 1; films in videos",
    size=210_634,
    sample=[
        {
            "video": "videos/a1.mp4",
            "timestamp": 0.5,
            "people": [_person([0.1, 0.1, 0.5, 0.9], 12, 80), _person([0.6, 0.2, 0.9, 0.9], 11)],
        },
        {"video": "videos/b2.mp4", "timestamp": 0.5, "people": [_person([0.2, 0.2, 0.8, 0.9], 17)]},
    ],
    media=["videos/a1.mp4", "videos/b2.mp4", _ACTIONS],
)
