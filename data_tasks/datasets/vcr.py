"""VCR: what people in scenes of films do and why, to choose from; things are called by name and number.

Which thing has which number is told by its place in the list of objects alone: no boxes are drawn into the picture.
"""

from typing import Any

from data_tasks.formats.choose import Choose
from data_tasks.registry import register
from data_tasks.sources.lines import Lines
from data_tasks.sources.mapping import Picture
from data_tasks.sources.stored import Context, Make, Record


def _words(tokens: list[Any], objects: list[str]) -> str:
    """Returns a text of words and lists of numbers of things: [[0, 2], "smile", "."] -> "person 1 and dog 3 smile."."""
    words = [
        " and ".join(f"{objects[number]} {number + 1}" for number in token)
        if isinstance(token, list)
        else token
        for token in tokens
    ]
    text = " ".join(words)
    for mark in ("?", ".", ",", "!", "'"):
        text = text.replace(f" {mark}", mark)
    return text


def _question(record: Record, context: Context) -> str:
    return _words(record["question"], record["objects"])


def _options(kind: str) -> Make:
    """Makes the choices, each once: now and then two of them say the same."""

    def make(record: Record, context: Context) -> list[str]:
        return list(dict.fromkeys(_words(tokens, record["objects"]) for tokens in record[f"{kind}_choices"]))

    return make


def _right(kind: str) -> Make:
    def make(record: Record, context: Context) -> str:
        return _words(record[f"{kind}_choices"][record[f"{kind}_label"]], record["objects"])

    return make


def _why(record: Record, context: Context) -> str:
    return f"{_question(record, context)} {_right('answer')(record, context)} Why?"


_IMAGE = {"image": Picture("img_fn", "vcr1images")}
_MEDIA = ["vcr1images/film_a/1.jpg", "vcr1images/film_a/2.jpg"]
_SAMPLE = [
    {
        "movie": "film_a",
        "objects": ["person", "person", "cup"],
        "question": ["What", "does", [0], "hold", "?"],
        "answer_choices": [
            [[0], "holds", [2], "."],
            ["A", "hat", "."],
            [[1], "sleeps", "."],
            ["Nothing", "."],
        ],
        "answer_label": 0,
        "rationale_choices": [
            ["The", "hand", "is", "around", [2], "."],
            ["It", "rains", "."],
            [[0, 1], "smile", "."],
            ["It", "is", "late", "."],
        ],
        "rationale_label": 0,
        "img_fn": name.removeprefix("vcr1images/"),
    }
    for name in _MEDIA
]

for _name, _kind, _asked in (("vcr", "answer", _question), ("vcr_rationale", "rationale", _why)):
    register(
        _name,
        group="vqa",
        dataset="VCR",
        stored=Lines("vcr", "{split}.jsonl"),
        fields={**_IMAGE, "question": _asked, "options": _options(_kind), "name": _right(_kind)},
        form=Choose("choose"),
        splits={"train": "train", "validation": "val"},
        obtain="visualcommonsense.com, its JSON lines, and its pictures in vcr1images",
        size=212_923,
        sample=_SAMPLE,
        media=_MEDIA,
    )
