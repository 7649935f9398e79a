"""COCO-Text: its written words and where they stand, and the question what one says."""

from data_tasks.formats.region import RegionText
from data_tasks.registry import register
from data_tasks.sources.coco import CocoJson
from data_tasks.sources.mapping import Boxes, Picture
from data_tasks.sources.stored import Make, Record

STORED = CocoJson("coco_text", {"texts": "cocotext.{split}.json"}, "train2014/{file_name}")
OBTAIN = (
    "bgshih.github.io/cocotext: cocotext.v2.json, the imgs and anns of a set as lists images and annotations of a file "
    "of its own; pictures of COCO 2014 in train2014"
)
SPLITS = {"train": "train", "validation": "val"}
PICTURES = 43_686
FIELDS: dict[str, str | Make] = {
    "image": Picture("file"),
    "boxes": Boxes("texts/bbox", "xywh", ("height", "width")),
    "names": "texts/utf8_string",
}
"""Of records that `legible` made."""


def legible(record: Record) -> list[Record]:
    """Returns the record with the texts that can be read and have a box; none if there is none."""
    kept = [
        one
        for one in record["texts"]
        if one["legibility"] == "legible" and one.get("utf8_string", "").strip() and min(one["bbox"][2:]) > 0
    ]
    return [record | {"texts": kept}] if kept else []


def _text(words: str, *box: float) -> Record:
    return {"utf8_string": words, "legibility": "legible", "language": "english", "bbox": list(box)}


_FILES = ("COCO_train2014_000000000001.jpg", "COCO_train2014_000000000002.jpg")
_TEXTS = (
    [_text("STOP", 4, 4, 10, 6), _text("24", 18, 12, 10, 8)],
    [_text("Open", 2, 10, 20, 8), _text("daily", 4, 18, 12, 5)],
)
MEDIA = tuple(f"train2014/{name}" for name in _FILES)
SAMPLE: list[Record] = [
    {"id": number, "file_name": name, "height": 24, "width": 32, "texts": texts}
    for number, (name, texts) in enumerate(zip(_FILES, _TEXTS, strict=True), 1)
]

register(
    "coco_text_qa",
    group="vqa",
    dataset="COCO-Text",
    stored=STORED,
    fields=FIELDS,
    form=RegionText("read_region"),
    splits=SPLITS,
    each=legible,
    obtain=OBTAIN,
    size=PICTURES,
    sample=SAMPLE,
    media=MEDIA,
)
