"""Frames with the box of one thing in each: following it, and drawing the frame that comes next."""

from typing import Any

from data_tasks.formats.next_frame import NextFrame
from data_tasks.formats.track import Track
from data_tasks.registry import register
from data_tasks.sources.lines import Lines
from data_tasks.sources.sequences import SequenceBoxes, SequenceFolders, SequenceFrames
from data_tasks.sources.stored import Record

_BOXES = [[2.0 + 2 * place, 4.0, 10.0, 12.0] for place in range(6)]  # of made-up frames


def _sequence(name: str, frames: str) -> Record:
    return {
        "name": name,
        "frames": [frames.format(name=name, place=place + 1) for place in range(6)],
        "boxes": _BOXES,
    }


def _both(name: str, dataset: str, step: int, sample: list[Record], **about: Any) -> None:
    """Registers both tasks of a set."""
    fields = {"images": SequenceFrames(step), "tracks": SequenceBoxes(step)}
    media = [frame for record in sample for frame in record["frames"]]
    for ending, group, form in (
        ("track", "tracking", Track("track")),
        ("next_frame", "next_frame", NextFrame("next_frame_boxes", given="boxes")),
    ):
        register(
            f"{name}_{ending}",
            group=group,
            dataset=dataset,
            fields=fields,
            form=form,
            sample=sample,
            media=media,
            **about,
        )


_both(
    "got10k",
    "GOT-10k",
    step=1,
    sample=[_sequence(f"GOT-10k_Train_00000{number}", "train/{name}/{place:08d}.jpg") for number in (1, 2)],
    stored=SequenceFolders("got10k"),
    splits={"train": "train", "validation": "val"},
    obtain="got-10k.aitestunion.com: full_data, as its folders train and val",
    size=9_335,
)
_both(
    "lasot",
    "LaSOT",
    step=1,
    sample=[
        _sequence(name, name.rpartition("-")[0] + "/{name}/img/{place:08d}.jpg")
        for name in ("cat-1", "bus-2")
    ],
    stored=SequenceFolders(
        "lasot", "{split}ing_set.txt", "{kind}/{name}/img/*.jpg", "{kind}/{name}/groundtruth.txt"
    ),
    splits={"train": "train", "validation": "test"},
    obtain="vision.cs.stonybrook.edu/~lasot: folders of classes; training_set.txt and testing_set.txt of its toolkit "
    "beside them",
    size=1_120,
)

register(
    "youtube_bb_track",
    group="tracking",
    dataset="YouTube-BB",
    stored=Lines("youtube_bb", "{split}.jsonl"),
    fields={"images": SequenceFrames(), "tracks": SequenceBoxes(order="xyxy", pixels=False)},
    form=Track("track"),
    obtain="research.google.com/youtube-bb: its table, the rows of an object as one line "
    '{"frames": [file, ...], "boxes": [[xmin, ymin, xmax, ymax], ...]}, a box of zeros where it is absent; frames cut '
    "out of the videos, of which many are gone",
    size=380_000,
    sample=[
        {
            "frames": [f"frames/{name}_{place}.jpg" for place in range(5)],
            "boxes": [[0.1 * place, 0.2, 0.3 + 0.1 * place, 0.8] for place in range(5)],
        }
        for name in ("a1", "b2")
    ],
    media=[f"frames/{name}_{place}.jpg" for name in ("a1", "b2") for place in range(5)],
)
