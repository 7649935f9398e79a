"""Visual Genome: its objects, relations, regions and questions, as all tasks read them."""

from typing import Any

import numpy as np
from jaxtyping import Float

from data_tasks.sources import mapping
from data_tasks.sources.mapping import Picture
from data_tasks.sources.parquet import Parquet
from data_tasks.sources.stored import Context, Make, Record

OBTAIN = "Hugging Face ranjaykrishna/visual_genome, branch refs/convert/parquet, its version 1.2.0"
IMAGES = 108_077
SPLITS = {"train": "train:2000-", "validation": "train:-2000"}
"""It has no split of its own to validate on."""

OBJECTS = Parquet("visual_genome", "objects_v1.2.0/{split}/*.parquet")
RELATIONS = Parquet("visual_genome", "relationships_v1.2.0/{split}/*.parquet")
REGIONS = Parquet("visual_genome", "region_descriptions_v1.2.0/{split}/*.parquet")
QUESTIONS = Parquet("visual_genome", "question_answers_v1.2.0/{split}/*.parquet")


def frames(things: list[Record], record: Record) -> Float[np.ndarray, "n 4"]:
    """Returns the boxes of things or regions as (y1, x1, y2, x2) in [0, 1] of the picture."""
    sides = [
        (one["x"], one["y"], one.get("w", one.get("width")), one.get("h", one.get("height")))
        for one in things
    ]
    return mapping.boxes(sides, "xywh", (record["height"], record["width"]))


def within(thing: Record, record: Record) -> bool:
    """Whether the box of a thing or region lies in the picture; a few are beside it, or have no side."""
    width, height = thing.get("w", thing.get("width")), thing.get("h", thing.get("height"))
    left, top = max(thing["x"], 0), max(thing["y"], 0)
    inside = left < record["width"] and top < record["height"]
    return inside and thing["x"] + width > left and thing["y"] + height > top


def named(record: Record) -> list[Record]:
    """Returns the record with those objects that lie in the picture and have a name; none if there is none."""
    kept = [one for one in record["objects"] if one["names"] and within(one, record)]
    return [record | {"objects": kept}] if kept else []


def told(record: Record) -> list[Record]:
    """Returns the record with those regions that lie in the picture and have a phrase; none if there is none."""
    kept = [one for one in record["regions"] if one["phrase"].strip() and within(one, record)]
    return [record | {"regions": kept}] if kept else []


def joined(record: Record) -> list[Record]:
    """Returns the record with the things that are related, each once, and their relations by number."""
    things: dict[int, Record] = {}
    relations = []
    for one in record["relationships"]:
        pair, said = (one["subject"], one["object"]), one["predicate"].strip().lower()
        if not said or not all(thing["names"] and within(thing, record) for thing in pair):
            continue
        for thing in pair:
            things.setdefault(thing["object_id"], thing)
        places = [list(things).index(thing["object_id"]) for thing in pair]
        relations.append([places[0], said, places[1]])
    return [record | {"objects": list(things.values()), "relations": relations}] if relations else []


def asked(record: Record) -> list[Record]:
    """Returns one record a question."""
    return [record | {"qa": one} for one in record["qas"]]


def _first_names(record: Record, context: Context) -> list[str]:
    return [one["names"][0].strip().lower() for one in record["objects"]]


OBJECT_FIELDS: dict[str, str | Make] = {
    "image": Picture("image"),
    "boxes": lambda record, context: frames(record["objects"], record),
    "names": _first_names,
}
"""Of records that `named` made."""
RELATION_FIELDS = OBJECT_FIELDS | {"relations": "relations"}
"""Of records that `joined` made."""
REGION_FIELDS: dict[str, str | Make] = {
    "image": Picture("image"),
    "boxes": lambda record, context: frames(record["regions"], record),
    "phrases": "regions/phrase",
}
"""Of records that `told` made."""
QUESTION_FIELDS: dict[str, str | Make] = {
    "image": Picture("image"),
    "question": "qa/question",
    "answers": lambda record, context: [record["qa"]["answer"].strip().rstrip(".")],
}
"""Of records that `asked` made."""

MEDIA = ("images/1.jpg", "images/2.jpg", "images/3.jpg")


def _thing(number: int, name: str, *box: int) -> Record:
    return {"object_id": number, "names": [name], "synsets": [], **dict(zip("xywh", box, strict=True))}


def _region(number: int, phrase: str, *box: int) -> Record:
    sides = dict(zip(("x", "y", "width", "height"), box, strict=True))
    return {"region_id": number, "image_id": 1, "phrase": phrase, **sides}


def _related(number: int, predicate: str, subject: Record, thing: Record) -> Record:
    return {
        "relationship_id": number,
        "predicate": predicate,
        "synsets": [],
        "subject": subject,
        "object": thing,
    }


def _question(number: int, question: str, answer: str) -> Record:
    return {"qa_id": number, "image_id": 1, "question": question, "answer": answer}


def _sample(kind: str, said: list[Record]) -> list[Record]:
    """The same of every picture: whatever part of a split is read has all of it."""
    return [
        {"image": {"bytes": None, "path": name}, "image_id": number, "width": 32, "height": 24, kind: said}
        for number, name in enumerate(MEDIA, 1)
    ]


_TABLE, _CUP, _CAT = (
    _thing(11, "table", 0, 8, 30, 16),
    _thing(12, "cup", 6, 4, 10, 12),
    _thing(13, "cat", 16, 2, 14, 18),
)
OBJECT_SAMPLE = _sample("objects", [_TABLE, _CUP, _CAT])
RELATION_SAMPLE = _sample(
    "relationships",
    [
        _related(1, "ON", _CUP, _TABLE),
        _related(2, "behind", _CAT, _CUP),
        _related(3, "sits on", _CAT, _TABLE),
    ],
)
REGION_SAMPLE = _sample(
    "regions", [_region(21, "a red cup", 6, 4, 10, 12), _region(22, "cat with a long tail", 16, 2, 14, 18)]
)
QUESTION_SAMPLE = _sample(
    "qas", [_question(31, "What stands on the table?", "A cup."), _question(32, "Who sits?", "Cat.")]
)

ABOUT: dict[str, Any] = {"dataset": "Visual Genome", "splits": SPLITS, "obtain": OBTAIN, "media": MEDIA}
