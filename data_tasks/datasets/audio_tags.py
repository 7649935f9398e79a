"""Sounds of classes: AudioSet, VGGSound, Kinetics-Sounds, the scenes of MACS; some with pictures; ACAV's titles."""

from typing import Any

from data_tasks.datasets.audio_captions import MACS_ABOUT, RECORDED
from data_tasks.formats.speak import TextToAudio
from data_tasks.formats.tag import Tag
from data_tasks.registry import register
from data_tasks.sources.mapping import Constant, Frames, Sound, Soundtrack
from data_tasks.sources.parquet import Parquet
from data_tasks.sources.stored import Make, Record
from data_tasks.sources.texts import Classes
from data_tasks.sources.video import VideoList

NAMES = "class_names.txt"
SEEN_AND_HEARD: dict[str, str | Make] = {
    "images": Frames(),
    "audio": Soundtrack(),
    "audio_history": Soundtrack(history=True),
}
"""Fields of a row of a list of videos."""
_HEARD = {key: make for key, make in SEEN_AND_HEARD.items() if key != "images"}
_SPEAK, _TAG = TextToAudio("speak"), Tag("tag_sound", media=("sounds",))


def one_label(record: Record) -> list[Record]:
    """Returns the record once for every label that people gave it."""
    return [record | {"label": label} for label in record["human_labels"]]


_AUDIOSET: dict[str, Any] = {
    "dataset": "AudioSet",
    "stored": Parquet("audioset", "data/{split}/*.parquet"),
    "splits": {"train": "unbal_train", "validation": "eval"},
    "obtain": f"Hugging Face agkphysics/AudioSet; {NAMES} is the display_name of class_labels_indices.csv",
    "size": 1_738_000,
    "sample": [
        {
            "video_id": f"a{number}",
            "audio": {"bytes": None, "path": f"audio/a{number}.wav"},
            "labels": ["/m/05zppz"],
            "human_labels": ["made-up class 3", "made-up class 5"],
        }
        for number in (1, 2)
    ],
    "media": [NAMES, "audio/a1.wav", "audio/a2.wav"],
}
_SOUND = {"audio": Sound("audio"), "audio_history": Sound("audio", history=True)}
register(
    "audioset_sound",
    group="audio_from_text",
    fields={**_SOUND, "captions": lambda record, context: [", ".join(record["human_labels"])]},
    form=_SPEAK,
    **_AUDIOSET,
)
register(
    "audioset_tag",
    group="audio_tagging",
    fields={**_SOUND, "name": "label", "classes": Classes(NAMES)},
    form=_TAG,
    each=one_label,
    **_AUDIOSET,
)

_VGGSOUND: dict[str, Any] = {
    "dataset": "VGGSound",
    "stored": VideoList("vggsound", "{split}.csv"),
    "splits": {"train": "train", "validation": "test"},
    "obtain": "Hugging Face Loie/VGGSound: its table as train.csv and test.csv with columns path and label, what its "
    f"tar files hold in video; {NAMES} has every label once",
    "size": 183_730,
    "sample": [
        {"path": f"video/v{number}_000001.mp4", "label": f"made-up class {number}"} for number in (1, 2)
    ],
    "media": [NAMES, "video/v1_000001.mp4", "video/v2_000001.mp4"],
}
_LABELLED: dict[str, str | Make] = {"name": "label", "classes": Classes(NAMES)}
register(
    "vggsound_sound",
    group="audio_from_text",
    fields={**_HEARD, "captions": "label"},
    form=_SPEAK,
    **_VGGSOUND,
)
register("vggsound_tag", group="audio_tagging", fields={**_HEARD, **_LABELLED}, form=_TAG, **_VGGSOUND)
# Which the fifth task of this group is, no table says; this one asks the pictures too.
register(
    "vggsound_seen_tag",
    group="audio_tagging",
    fields={**SEEN_AND_HEARD, **_LABELLED},
    form=Tag("tag_sound", media=("video", "sounds")),
    **_VGGSOUND,
)

register(
    "kinetics_sounds_tag",
    group="audio_tagging",
    dataset="Kinetics-Sounds",
    stored=VideoList("kinetics_sounds", "{split}.csv"),
    fields={**SEEN_AND_HEARD, "name": "label", "classes": Classes(NAMES)},
    form=Tag("tag_action", media=("video", "sounds")),
    splits={"train": "train", "validation": "val"},
    obtain=f"those classes of Kinetics-400 that can be heard, in {NAMES}; tables of path and label, the class's name",
    size=23_000,
    sample=[{"path": f"video/k{number}.mp4", "label": f"made-up class {number}"} for number in (1, 2)],
    media=[NAMES, "video/k1.mp4", "video/k2.mp4"],
)


def _scene(record: Record, context: object) -> str:
    return record["filename"].partition("-")[0].replace("_", " ")


register(
    "macs_scene",
    group="audio_tagging",
    fields={**RECORDED, "name": _scene, "classes": Constant(("airport", "public square", "park"))},
    form=Tag("tag_surroundings", media=("sounds",)),
    **MACS_ABOUT,
)

ACAV: dict[str, Any] = {
    "dataset": "ACAV",
    "stored": VideoList("acav", "{split}.csv"),
    "obtain": "acav100m.github.io: ids and seconds; the videos in video, a table with path, start, end and their title",
    "size": 17_000_000,
    "sample": [
        {"path": f"video/c{number}.mp4", "start": 0.0, "end": 1.0, "title": f"Street band, part {number}"}
        for number in (1, 2)
    ],
    "media": ["video/c1.mp4", "video/c2.mp4"],
}
register("acav_sound", group="audio_from_text", fields={**_HEARD, "captions": "title"}, form=_SPEAK, **ACAV)
