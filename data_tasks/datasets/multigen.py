"""MultiGen-20M: pictures made of a map, or of several maps of the same picture."""

from typing import Any

from data_tasks.formats.edit import Edit
from data_tasks.registry import register
from data_tasks.sources.fitted import Fitted, fitted
from data_tasks.sources.lines import Lines
from data_tasks.sources.mapping import Picture
from data_tasks.sources.stored import Context, Record

KINDS = {
    "control_canny": "edges",
    "control_hed": "soft edges",
    "control_hedsketch": "a sketch",
    "control_depth": "depth",
    "control_normal": "surface normals",
    "control_seg": "a segmentation",
    "control_openpose": "a person's pose",
    "control_bbox": "boxes",
}
"""Key of a map in a record -> what the prompt calls it."""
_MOST = 3  # maps at once
_TARGET = Picture("source", "images")


def _maps(record: Record) -> list[str]:
    return [key for key in KINDS if record.get(key)]


def one_each(record: Record) -> list[Record]:
    """Returns one record a map."""
    return [record | {"map": record[key], "kind": KINDS[key]} for key in _maps(record)]


def _chosen(record: Record, context: Context) -> list[str]:
    """Draws two or three of the maps; in evaluation, the first ones."""
    found = _maps(record)[: None if context.training else _MOST]
    if not context.training:
        return found
    rng = context.draw("maps")
    count = int(rng.integers(2, min(_MOST, len(found)) + 1))
    return [found[place] for place in rng.permutation(len(found))[:count]]


def _pictures(record: Record, context: Context) -> list[Any]:
    size = _TARGET(record, context).shape
    maps = (Picture(key, "conditions")(record, context) for key in _chosen(record, context))
    return [fitted(one, size) for one in maps]


def _told(record: Record, context: Context) -> str:
    kinds = ", ".join(KINDS[key] for key in _chosen(record, context))
    return f"{record['prompt']} ({kinds})"


def _line(number: int, prompt: str) -> Record:
    named = {key: f"{key}/{number}.png" for key in ("control_canny", "control_depth", "control_seg")}
    return {"source": f"{number}.jpg", "prompt": prompt, **named}


_SAMPLE = [_line(1, "a boat on a calm sea"), _line(2, "an old street")]
_ABOUT: dict[str, Any] = {
    "group": "controllable_editing",
    "dataset": "MultiGen-20M",
    "stored": Lines("multigen", "{split}.jsonl"),
    "splits": {"train": "train:2000-", "validation": "train:-2000"},
    "size": 2_800_000,
    "sample": _SAMPLE,
    "media": [
        *(f"images/{line['source']}" for line in _SAMPLE),
        *(f"conditions/{line[key]}" for line in _SAMPLE for key in line if key in KINDS),
    ],
}
_OBTAIN = (
    'github.com/salesforce/UniControl: MultiGen-20M; its lists, {"source", "prompt", "control_...": file} a line, as '
    "one with all the maps of a picture in its line"
)

register(
    "multigen",
    fields={
        "image": Fitted(Picture("map", "conditions"), _TARGET),
        "image_target": _TARGET,
        "instruction": lambda record, context: f"{record['prompt']} ({record['kind']})",
    },
    form=Edit("edit_map", given="map"),
    each=one_each,
    obtain=_OBTAIN,
    **_ABOUT,
)
register(
    "multigen_combined",
    fields={"images": _pictures, "image_target": _TARGET, "instruction": _told},
    form=Edit("edit_maps", given="history"),
    keep=lambda record: len(_maps(record)) > 1,
    obtain=_OBTAIN,
    **_ABOUT,
)
