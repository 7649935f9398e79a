"""Sounds with descriptions: AudioCaps, Clotho, MACS and MusicCaps, to be described and to be made."""

from collections.abc import Callable, Mapping
from typing import Any

from data_tasks.formats.caption import Caption
from data_tasks.formats.speak import TextToAudio
from data_tasks.registry import register
from data_tasks.sources.lines import Lines
from data_tasks.sources.mapping import Sound
from data_tasks.sources.stored import Make, Record

_SPEAK, _DESCRIBE = TextToAudio("speak"), Caption("caption_sound", media=("sounds",))
RECORDED: dict[str, str | Make] = {"audio": Sound("file"), "audio_history": Sound("file", history=True)}
"""Fields of the sound of a record that has the name of its "file"."""


def filed(name: Callable[[Record], str]) -> Callable[[Record], list[Record]]:
    """Returns what adds the name of its file to a record."""
    return lambda record: [record | {"file": name(record)}]


def five(record: Record, context: object) -> list[str]:
    """Returns the five captions of a sound of Clotho."""
    return [record[f"caption_{number}"] for number in range(1, 6)]


def both(name: str, captions: str | Make, **about: Any) -> None:
    """Registers a set of described sounds twice: the sounds are made of the captions, the captions of the sounds."""
    fields: Mapping[str, str | Make] = RECORDED | {"captions": captions}
    register(f"{name}_sound", group="audio_from_text", fields=fields, form=_SPEAK, **about)
    register(f"{name}_caption", group="audio_captioning", fields=fields, form=_DESCRIBE, **about)


both(
    "audiocaps",
    "caption",
    dataset="AudioCaps",
    stored=Lines("audiocaps", "{split}.csv"),
    splits={"train": "train", "validation": "val"},
    each=filed(lambda record: f"audio/{record['youtube_id']}_{record['start_time']}.wav"),
    obtain="audiocaps.github.io: its tables; the ten seconds of each video as audio/ID_START.wav",
    size=49_838,
    sample=[
        {"audiocap_id": "1", "youtube_id": "yt1", "start_time": "30", "caption": "A dog barks twice"},
        {
            "audiocap_id": "2",
            "youtube_id": "yt2",
            "start_time": "0",
            "caption": "Rain falls on a roof of tin",
        },
    ],
    media=["audio/yt1_30.wav", "audio/yt2_0.wav"],
)

_CLOTHO = ("a bell rings", "a bell is struck", "somebody rings a bell", "one bell", "a bell sounds far away")
both(
    "clotho",
    five,
    dataset="Clotho v2.1",
    stored=Lines("clotho", "clotho_captions_{split}.csv"),
    splits={"train": "development", "validation": "validation"},
    each=filed(lambda record: f"audio/{record['file_name']}"),
    obtain="Zenodo record 4783391: its tables; the sounds of all parts in audio",
    size=3_839,
    sample=[
        {"file_name": f"bell {sound}.wav"} | {f"caption_{n}": text for n, text in enumerate(_CLOTHO, 1)}
        for sound in (1, 2)
    ],
    media=["audio/bell 1.wav", "audio/bell 2.wav"],
)

MACS = Lines("macs", "MACS.jsonl")
MACS_ABOUT: dict[str, Any] = {
    "dataset": "MACS",
    "stored": MACS,
    "splits": {"train": "train:400-", "validation": "train:-400"},
    "each": filed(lambda record: f"audio/{record['filename']}"),
    "obtain": "Zenodo record 5114771: the files of MACS.yaml as JSON, one a line; sounds of TAU Urban Acoustic Scenes",
    "size": 3_530,
    "sample": [
        {
            "filename": f"{scene}-lyon-1133-4240{number}-a.wav",
            "annotations": [
                {
                    "annotator_id": 1,
                    "sentence": f"people talk while a bird sings, {number}",
                    "tags": ["birds"],
                },
                {"annotator_id": 2, "sentence": "voices, then steps on stone", "tags": ["footsteps"]},
            ],
        }
        for number, scene in enumerate(("park", "airport", "public_square"))
    ],
    "media": [
        f"audio/{scene}-lyon-1133-4240{number}-a.wav"
        for number, scene in enumerate(("park", "airport", "public_square"))
    ],
}
both("macs", "annotations/sentence", **MACS_ABOUT)

both(
    "musiccaps",
    "caption",
    dataset="MusicCaps",
    stored=Lines("musiccaps", "musiccaps-{split}.csv"),
    splits={"train": "public:500-", "validation": "public:-500"},
    each=filed(lambda record: f"audio/{record['ytid']}_{record['start_s']}.wav"),
    obtain="Hugging Face google/MusicCaps: its table; the ten seconds of each video as audio/ID_START.wav",
    size=5_021,
    sample=[
        {"ytid": "m1", "start_s": "30", "end_s": "40", "caption": "A slow waltz on an old piano."},
        {"ytid": "m2", "start_s": "0", "end_s": "10", "caption": "Fast drums under a choir of children."},
    ],
    media=["audio/m1_30.wav", "audio/m2_0.wav"],
)
