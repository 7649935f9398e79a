"""COCO-Text: where something is written in a picture, and what."""

from data_tasks.formats.boxes import FindBoxes
from data_tasks.registry import register
from data_tasks.sources.lines import Lines
from data_tasks.sources.mapping import Boxes, Picture
from data_tasks.sources.stored import Make, Record

_FIELDS: dict[str, str | Make] = {
    "image": Picture("file_name", "train2014"),
    "boxes": Boxes("anns/bbox", "xywh", ("height", "width")),
    "names": "anns/utf8_string",
}


def legible(record: Record) -> list[Record]:
    """Returns the record with the texts that somebody could read; none if there is none."""
    kept = [
        one for one in record["anns"] if one["legibility"] == "legible" and one.get("utf8_string", "").strip()
    ]
    return [record | {"anns": kept}] if kept else []


def _text(words: str, *box: float) -> Record:
    return {"bbox": list(box), "utf8_string": words, "legibility": "legible", "class": "machine printed"}


_FILES = ("COCO_train2014_000000000001.jpg", "COCO_train2014_000000000002.jpg")
_TEXTS = (
    [_text("STOP", 4, 4, 10, 6), _text("24", 18, 12, 10, 8)],
    [_text("Open", 2, 10, 20, 8), _text("daily", 4, 18, 12, 5)],
)
for _name, _fields, _form in (
    ("coco_text_all", _FIELDS, FindBoxes("boxes_text", query="none")),
    ("coco_text_one", _FIELDS | {"phrases": _FIELDS["names"]}, FindBoxes("boxes_string", query="string")),
    ("coco_text_several", _FIELDS, FindBoxes("boxes_strings", query="classes")),
):
    register(
        _name,
        group="text_detection",
        dataset="COCO-Text",
        stored=Lines("coco_text", "{split}.jsonl"),
        fields=_fields,
        form=_form,
        splits={"train": "train", "validation": "val"},
        each=legible,
        obtain="github.com/bgshih/cocotext: cocotext.v2.json, a picture of a set a line: its entry of imgs with its "
        "entries of anns as a list; pictures of COCO 2014 in train2014",
        size=19_039,
        sample=[
            {"id": number, "file_name": name, "height": 24, "width": 32, "anns": texts}
            for number, (name, texts) in enumerate(zip(_FILES, _TEXTS, strict=True), 1)
        ],
        media=[f"train2014/{name}" for name in _FILES],
    )
