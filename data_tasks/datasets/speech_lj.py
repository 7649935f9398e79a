"""LJ Speech: one voice that reads from books, to be written down and to be made."""

from typing import Any

import numpy as np

from data_tasks.formats.speak import TextToAudio
from data_tasks.formats.transcribe import Transcribe
from data_tasks.registry import register
from data_tasks.sources.mapping import Sound
from data_tasks.sources.tfds import Tfds

_RATE = 22_050
_WAVE = (8000 * np.sin(2 * np.pi * 220 * np.arange(_RATE // 2) / _RATE)).astype(np.int16)
_ABOUT: dict[str, Any] = {
    "dataset": "LJ Speech",
    "stored": Tfds("lj_speech", "ljspeech"),
    "splits": {"train": "train:500-", "validation": "train:-500"},
    "obtain": "tfds ljspeech",
    "size": 13_100,
    "sample": [
        {"id": f"LJ001-000{number}", "speech": _WAVE, "text": text, "text_normalized": text}
        for number, text in enumerate(("The book was printed in Mainz.", "It has six hundred leaves."))
    ],
}
_HEARD = {
    "audio": Sound("speech", rate=_RATE),
    "audio_history": Sound("speech", rate=_RATE, history=True),
}

register(
    "lj_speech_sound",
    group="audio_from_text",
    fields={**_HEARD, "captions": "text_normalized"},
    form=TextToAudio("speak_words"),
    **_ABOUT,
)
register(
    "lj_speech_text",
    group="audio_captioning",
    fields={**_HEARD, "text": "text_normalized"},
    form=Transcribe("transcribe", media=("sounds",)),
    **_ABOUT,
)
