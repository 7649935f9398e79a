"""Videos of one class: UCF101, Kinetics-710, Something-Something v2; what is done, now or next, in EPIC-KITCHENS."""

import functools
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from data_tasks.formats.tag import Tag
from data_tasks.registry import register
from data_tasks.sources.lines import Lines
from data_tasks.sources.mapping import ClassFile, Frames
from data_tasks.sources.stored import Record
from data_tasks.sources.texts import Classes
from data_tasks.sources.tfds import Tfds
from data_tasks.sources.video import VideoList

_NAMES = "class_names.txt"
_ACTION = Tag("tag_action", media=("video",))
_LEAD = 1.0  # seconds between what is seen and the action that is guessed
_SEEN = 4.0  # seconds that are seen of what goes before


@functools.cache
def _ucf_names() -> tuple[str, ...]:
    """The classes of UCF101 in plain words: "ApplyEyeMakeup" -> "apply eye makeup"."""
    given = tfds.builder("ucf101").info.features["label"].names
    return tuple(
        "".join(f" {one}" if one.isupper() else one for one in name).strip().lower() for name in given
    )


_PIXELS = np.zeros((4, 256, 256, 3), np.uint8) + np.arange(4, dtype=np.uint8)[:, None, None, None] * 50
register(
    "ucf101_tag",
    group="video_tagging",
    dataset="UCF101",
    stored=Tfds("ucf101", "ucf101"),
    fields={
        "images": Frames("video"),
        "name": lambda record, context: _ucf_names()[int(record["label"])],
        "classes": lambda record, context: _ucf_names(),
    },
    form=_ACTION,
    splits={"train": "train", "validation": "test"},
    obtain="tfds ucf101",
    size=9_537,
    sample=[{"video": _PIXELS, "label": label} for label in (0, 40)],
)

register(
    "kinetics710_tag",
    group="video_tagging",
    dataset="Kinetics-710",
    stored=VideoList("kinetics710", "{split}.csv"),
    fields={
        "images": Frames(),
        "name": ClassFile("label", _NAMES),
        "classes": Classes(_NAMES),
    },
    form=_ACTION,
    splits={"train": "train", "validation": "val"},
    obtain=f"github.com/OpenGVLab/UniFormerV2: lists of path and label, in columns; its names of classes in {_NAMES}",
    size=650_000,
    sample=[{"path": f"video/k{number}.mp4", "label": number} for number in (1, 2)],
    media=[_NAMES, "video/k1.mp4", "video/k2.mp4"],
)

_SSV2: dict[str, Any] = {
    "group": "video_tagging",
    "dataset": "Something-Something v2",
    "stored": Lines("ssv2", "labels/{split}.jsonl"),
    "fields": {
        "images": Frames("file"),
        "name": lambda record, context: record["template"].replace("[", "").replace("]", ""),
        "classes": Classes(_NAMES),
    },
    "splits": {"train": "train", "validation": "validation"},
    "each": lambda record: [record | {"file": f"video/{record['id']}.webm"}],
    "obtain": "developer.qualcomm.com: its lists one object a line, its videos in video; the keys of labels.json in "
    f"{_NAMES}",
    "size": 168_913,
    "sample": [
        {"id": str(number), "label": "made-up", "template": f"made-up class [{number}]", "placeholders": []}
        for number in (1, 2)
    ],
    "media": [_NAMES, "video/1.webm", "video/2.webm"],
}
register("ssv2_tag", form=_ACTION, **_SSV2)
register("ssv2_motion", form=Tag("tag_motion", media=("video",)), **_SSV2)


def seconds(clock: str) -> float:
    """Returns a time of EPIC-KITCHENS in seconds: "00:01:02.5" is 62.5."""
    hours, minutes, rest = clock.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(rest)


def _during(record: Record) -> list[Record]:
    start, end = (seconds(record[f"{side}_timestamp"]) for side in ("start", "stop"))
    return [_clip(record, start, end)]


def _before(record: Record) -> list[Record]:
    """What is seen until a second before the action begins; nothing of one that begins the video."""
    end = seconds(record["start_timestamp"]) - _LEAD
    return [_clip(record, max(end - _SEEN, 0.0), end)] if end > 0.0 else []


def _clip(record: Record, start: float, end: float) -> Record:
    path = f"{record['participant_id']}/videos/{record['video_id']}.MP4"
    return record | {"path": path, "start": start, "end": end}


_KITCHENS: dict[str, Any] = {
    "group": "video_tagging",
    "dataset": "EPIC-KITCHENS-100",
    "stored": Lines("epic_kitchens", "EPIC_100_{split}.csv"),
    "fields": {
        "images": Frames(),
        "name": lambda record, context: f"{record['verb']} {record['noun']}",
        "classes": Classes(_NAMES),
    },
    "splits": {"train": "train", "validation": "validation"},
    "obtain": f"epic-kitchens.github.io: its tables and videos; every verb with its noun once in {_NAMES}",
    "size": 67_217,
    "sample": [
        {
            "participant_id": "P01",
            "video_id": f"P01_0{number}",
            "start_timestamp": f"00:00:0{start}",
            "stop_timestamp": f"00:00:0{stop}",
            "verb": "made-up",
            "noun": f"class {number}",
        }
        for number, start, stop in ((1, "0.10", "0.90"), (2, "1.60", "3.00"))
    ],
    "media": [_NAMES, "P01/videos/P01_01.MP4", "P01/videos/P01_02.MP4"],
}
register("epic_action", form=_ACTION, each=_during, **_KITCHENS)
register("epic_next_action", form=Tag("tag_next_action", media=("video",)), each=_before, **_KITCHENS)
