"""Videos of the web: YT-Temporal, HD-VILA, ACAV, AudioSet, WebVid and Ego4D, for pre-training; what some show."""

from typing import Any

import numpy as np

from data_tasks.datasets.audio_tags import ACAV, SEEN_AND_HEARD
from data_tasks.formats import denoised
from data_tasks.formats.caption import Caption
from data_tasks.formats.soundtrack import AudioFromVideo
from data_tasks.registry import register
from data_tasks.sources.mapping import Frames
from data_tasks.sources.stored import Context, Make, Record
from data_tasks.sources.tfds import Tfds
from data_tasks.sources.video import VideoList
from unified_io.data.denoised import Denoised

_ALL = ("text", "image", "audio", "image_history", "audio_history")
_OUT = ("text", "image", "audio")
_FROM_LISTS = "the videos in video, and lists of path, start and end with what is said"


def spoken(record: Record, context: Context) -> list[str]:
    """Returns the words said in each of as many equal parts of a clip as frames are read; `words` is [second, word]."""
    parts = context.reading.frames
    start, end = float(record["start"]), float(record["end"])
    said: list[list[str]] = [[] for _ in range(parts)]
    for second, word in record["words"]:
        if start <= second < end:
            said[int((second - start) / (end - start) * parts)].append(word)
    return [" ".join(words) for words in said]


def _videos(*names: str, **said: Any) -> list[Record]:
    return [{"path": f"video/{name}.mp4", "start": 0.0, "end": 1.0, **said} for name in names]


def _pretrain(
    name: str,
    captions: str | Make,
    weight: float,
    targets: tuple[str, ...] = _OUT,
    inputs: tuple[str, ...] = _ALL,
    **about: Any,
) -> None:
    about = {"fields": {**SEEN_AND_HEARD, "captions": captions}} | about
    form = Denoised(denoised.video, name, targets=targets, inputs=inputs)
    register(name, group="pretrain_video", form=form, weight=weight, **about)


_WORDS = [[0.1, "first"], [0.2, "cut"], [0.4, "the"], [0.5, "bread"], [0.7, "and"], [0.9, "eat"]]
_YT: dict[str, Any] = {
    "dataset": "YT-Temporal-1B",
    "stored": VideoList("yt_temporal", "{split}.jsonl"),
    "obtain": f"rowanzellers.com/merlotreserve: ids and words with their seconds; {_FROM_LISTS} as words",
    "size": 146_000_000,
    "sample": _videos("y1", "y2", words=_WORDS),
    "media": ["video/y1.mp4", "video/y2.mp4"],
}
_pretrain("pretrain_yt_temporal", spoken, 13.7, **_YT)
register(
    "yt_temporal_soundtrack",
    group="audio_from_video",
    fields={**SEEN_AND_HEARD, "captions": lambda record, context: [" ".join(spoken(record, context))]},
    form=AudioFromVideo("soundtrack"),
    **_YT,
)

_pretrain("pretrain_acav", "title", 3.98, inputs=("text", "image", "image_history"), **ACAV)
_pretrain(
    "pretrain_hd_vila",
    spoken,
    2.75,
    dataset="HD-VILA",
    stored=VideoList("hd_vila", "{split}.jsonl"),
    obtain=f"github.com/microsoft/XPretrain: ids and seconds; {_FROM_LISTS} as words",
    size=7_100_000,
    sample=_videos("h1", "h2", words=_WORDS),
    media=["video/h1.mp4", "video/h2.mp4"],
)
_pretrain(
    "pretrain_audioset",
    "labels",
    2.75,
    dataset="AudioSet",
    stored=VideoList("audioset_videos", "{split}.jsonl"),
    obtain="research.google.com/audioset: ids, seconds and labels; the videos in video, lists with the labels in words",
    size=1_700_000,
    sample=_videos("a1", "a2", labels="speech, wind"),
    media=["video/a1.mp4", "video/a2.mp4"],
)
_pretrain(
    "pretrain_ego4d",
    spoken,
    0.55,
    dataset="Ego4D",
    stored=VideoList("ego4d", "{split}.jsonl"),
    obtain=f"ego4d-data.org, on agreement to its licence; {_FROM_LISTS} of the narrations as words",
    size=700_000,
    sample=_videos("e1", "e2", words=[[0.2, "c opens a drawer"], [0.6, "c takes a spoon"]]),
    media=["video/e1.mp4", "video/e2.mp4"],
)

_PIXELS = np.zeros((4, 360, 640, 3), np.uint8) + np.arange(4, dtype=np.uint8)[:, None, None, None] * 40
_WEBVID: dict[str, Any] = {
    "dataset": "WebVid",
    "stored": Tfds("webvid", "webvid"),
    "fields": {"images": Frames("video"), "captions": "caption"},
    "splits": {"train": "train:2000-", "validation": "train:-2000"},
    "obtain": "withdrawn by its owner; tfds webvid reads a copy; HD-VILA and MSR-VTT are like it",
    "available": False,
    "size": 9_200_000,
    "sample": [
        {"id": str(number), "video": _PIXELS, "caption": caption, "url": ""}
        for number, caption in enumerate(("Waves at a beach in the evening", "A crowd crosses the street"))
    ],
}
_pretrain("pretrain_webvid", "caption", 1.23, targets=("text", "image"), **_WEBVID)
register(
    "webvid_caption", group="video_captioning", form=Caption("caption_video", media=("video",)), **_WEBVID
)
