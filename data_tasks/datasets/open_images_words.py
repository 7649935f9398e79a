"""Open Images: what is asked of its boxes and relations in words."""

from typing import Any

from data_tasks.datasets.open_images import (
    BOXED,
    MEDIA,
    NAMES,
    OBJECT_FIELDS,
    OBJECT_SAMPLE,
    OBJECTS,
    OBTAIN,
    SPLITS,
    class_numbers,
    has_objects,
    single,
)
from data_tasks.formats.region import RegionText
from data_tasks.formats.relation import Relate
from data_tasks.registry import register
from data_tasks.sources import mapping
from data_tasks.sources.lines import Lines
from data_tasks.sources.mapping import ClassFile, Picture
from data_tasks.sources.stored import Context, Record

register(
    "open_images_region_class",
    group="region_classification",
    dataset="Open Images",
    stored=OBJECTS,
    fields=OBJECT_FIELDS,
    form=RegionText("region_class"),
    splits=SPLITS,
    keep=has_objects,
    each=single,
    obtain=OBTAIN,
    size=BOXED,
    sample=OBJECT_SAMPLE,
    media=MEDIA,
)


def _pair(record: Record) -> list[Record]:
    """Returns a row with the numbers of its classes; none where what stands second is no class, as in "is wooden"."""
    labels = [class_numbers().get(record[f"LabelName{place}"]) for place in (1, 2)]
    return [] if None in labels else [record | {"labels": labels}]


def _two_boxes(record: Record, context: Context) -> Any:
    sides = [
        [float(record[f"{side}{place}"]) for side in ("XMin", "YMin", "XMax", "YMax")] for place in (1, 2)
    ]
    return mapping.boxes(sides, "xyxy")


def _row(image: str, first: str, said: str, second: str) -> Record:
    box = {
        "XMin1": 0.1,
        "XMax1": 0.5,
        "YMin1": 0.1,
        "YMax1": 0.9,
        "XMin2": 0.4,
        "XMax2": 0.9,
        "YMin2": 0.3,
        "YMax2": 0.8,
    }
    return {"ImageID": image, "LabelName1": first, "LabelName2": second, **box, "RelationshipLabel": said}


register(
    "open_images_relation",
    group="relationship",
    dataset="Open Images, visual relationships",
    stored=Lines("open_images", "oidv6-{split}-annotations-vrd.csv"),
    fields={
        "image": Picture("ImageID", "{split}", name="{}.jpg"),
        "boxes": _two_boxes,
        "names": ClassFile("labels", NAMES),
        "relations": lambda record, context: [[0, record["RelationshipLabel"].replace("_", " "), 1]],
    },
    form=Relate("relation_pair", ask="pair"),
    each=_pair,
    obtain="storage.googleapis.com/openimages/web, its table of visual relationships; pictures in train and validation",
    size=400_000,
    sample=[
        _row("0a1", "/m/011k07", "is", "/m/wooden"),
        _row("0a1", "/m/011k07", "inside_of", "/m/012074"),
        _row("0a2", "/m/01226z", "holds", "/m/0120dh"),
    ],
    media=[NAMES, *(f"{split}/{name}.jpg" for split in ("train", "validation") for name in ("0a1", "0a2"))],
)
