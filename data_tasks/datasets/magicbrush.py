"""MagicBrush: pictures edited by people, in one step and in several."""

from typing import Any

from data_tasks.formats.edit import Edit
from data_tasks.registry import register
from data_tasks.sources.fitted import Fitted, fitted
from data_tasks.sources.lines import Lines
from data_tasks.sources.mapping import Picture
from data_tasks.sources.parquet import Parquet
from data_tasks.sources.stored import Context, Record

_MEDIA = tuple(
    f"images/{number}/{number}-{name}.png" for number in (7, 8) for name in ("input", "output1", "output2")
)
_SPLITS = {"train": "train", "validation": "dev"}


def _row(turn: int, before: str, after: str, instruction: str) -> Record:
    pictures = {
        key: {"bytes": None, "path": name} for key, name in (("source_img", before), ("target_img", after))
    }
    return {"img_id": "7", "turn_index": turn, "instruction": instruction, **pictures}


register(
    "magicbrush",
    group="image_editing",
    dataset="MagicBrush",
    stored=Parquet("magicbrush", "data/{split}-*.parquet"),
    fields={
        "image": Picture("source_img"),
        "image_target": Fitted(Picture("target_img"), Picture("source_img")),
        "instruction": "instruction",
    },
    form=Edit("edit"),
    splits=_SPLITS,
    obtain="Hugging Face osunlp/MagicBrush",
    size=8_807,
    sample=[
        _row(1, _MEDIA[0], _MEDIA[1], "make the sky red"),
        _row(2, _MEDIA[1], _MEDIA[2], "let there be a cat"),
    ],
    media=_MEDIA,
)


def steps(record: Record) -> list[Record]:
    """Returns one record a step from the second on, with all steps up to it."""
    done = record["steps"]
    return [record | {"steps": done[:last]} for last in range(2, len(done) + 1)]


def _pictures(record: Record, context: Context) -> list[Any]:
    """Reads what every step began with, in the size of the last."""
    pictures = [_read(record, step["input"], context) for step in record["steps"]]
    return [fitted(picture, pictures[-1].shape) for picture in pictures]


def _result(record: Record, context: Context) -> Any:
    """Reads what the last step ended with, in the size of what it began with."""
    before, after = (_read(record, record["steps"][-1][key], context) for key in ("input", "output"))
    return fitted(after, before.shape)


def _read(record: Record, name: str, context: Context) -> Any:
    return Picture("name", f"images/{record['img_id']}")({"name": name}, context)


def _session(number: str, *instructions: str) -> Record:
    names = [f"{number}-{name}.png" for name in ("input", "output1", "output2")]
    made = zip(names[:-1], names[1:], instructions, strict=True)
    return {
        "img_id": number,
        "steps": [{"input": old, "output": new, "instruction": said} for old, new, said in made],
    }


register(
    "magicbrush_turns",
    group="image_editing",
    dataset="MagicBrush, sessions",
    stored=Lines("magicbrush", "{split}_sessions.jsonl"),
    fields={
        "images": _pictures,
        "image_target": _result,
        "instruction": lambda record, context: "; ".join(step["instruction"] for step in record["steps"]),
    },
    form=Edit("edit_history", given="history"),
    splits=_SPLITS,
    each=steps,
    obtain='osu-nlp-group.github.io/MagicBrush: edit_sessions.json of a split, one {"img_id", "steps": its list} a '
    "line; pictures in images",
    size=4_512,
    sample=[
        _session("7", "make the sky red", "let there be a cat"),
        _session("8", "remove the car", "add snow"),
    ],
    media=_MEDIA,
)
