"""Flickr-SoundNet: where in a picture the sound comes from."""

from data_tasks.formats.boxes import FindBoxes
from data_tasks.registry import register
from data_tasks.sources.lines import Lines
from data_tasks.sources.mapping import Boxes, Picture, Sound
from data_tasks.sources.stored import Record

SOURCE = "source of the sound"
"""What every box is called: nobody named what is in it."""


def _line(name: str, *boxes: list[float]) -> Record:
    files = {"image": f"frames/{name}.jpg", "audio": f"audio/{name}.wav"}
    return files | {"height": 256, "width": 256, "boxes": list(boxes)}


register(
    "flickr_soundnet",
    group="sound_localisation",
    dataset="Flickr-SoundNet, annotated",
    stored=Lines("flickr_soundnet", "{split}.jsonl"),
    fields={
        "image": Picture("image"),
        "audio": Sound("audio"),
        "boxes": Boxes("boxes", "xyxy", ("height", "width")),
        "phrases": lambda record, context: [SOURCE] * len(record["boxes"]),
    },
    form=FindBoxes("boxes_sound", query="sound"),
    keep=lambda record: len(record["boxes"]) > 0,
    obtain="github.com/ardasnck/learning_to_localize_sound_source: its annotations as a list, one "
    '{"image", "audio", "height", "width", "boxes": [[xmin, ymin, xmax, ymax], ...]} a line, in pixels of that size; '
    "frames and sounds from the Flickr videos",
    size=2_500,
    sample=[_line("1", [40, 60, 180, 240]), _line("2", [10, 10, 120, 200], [130, 30, 250, 220])],
    media=[name for number in "12" for name in (f"frames/{number}.jpg", f"audio/{number}.wav")],
)
