"""VATEX and MSR-VTT: videos with many descriptions each."""

from data_tasks.formats.caption import Caption
from data_tasks.registry import register
from data_tasks.sources.lines import Lines
from data_tasks.sources.mapping import Frames

_FORM = Caption("caption_video", media=("video",))

register(
    "vatex_caption",
    group="video_captioning",
    dataset="VATEX",
    stored=Lines("vatex", "vatex_{split}_v1.0.jsonl"),
    fields={"images": Frames("file"), "captions": "enCap"},
    form=_FORM,
    splits={"train": "training", "validation": "validation"},
    each=lambda record: [record | {"file": f"video/{record['videoID']}.mp4"}],
    obtain="eric-xw.github.io/vatex-website: its lists one object a line, the ten seconds of each as video/ID.mp4",
    size=25_991,
    sample=[
        {
            "videoID": f"v{number}_000001_000011",
            "enCap": ["A man throws a ball.", "Somebody plays."],
            "chCap": [],
        }
        for number in (1, 2)
    ],
    media=["video/v1_000001_000011.mp4", "video/v2_000001_000011.mp4"],
)

MSRVTT_SPLITS = {"train": "train_7k", "validation": "test_1k"}
register(
    "msrvtt_caption",
    group="video_captioning",
    dataset="MSR-VTT",
    stored=Lines("msrvtt", "msrvtt_{split}.jsonl"),
    fields={"images": Frames("video", folder="video"), "captions": "caption"},
    form=_FORM,
    splits=MSRVTT_SPLITS,
    obtain="Hugging Face friedrichor/MSR-VTT: its lists one object a line, its videos in video",
    size=7_010,
    sample=[
        {
            "video_id": f"video{number}",
            "video": f"video{number}.mp4",
            "caption": ["a cook stirs soup", "soup boils"],
        }
        for number in (1, 2)
    ],
    media=["video/video1.mp4", "video/video2.mp4"],
)
