"""COCO 2017: its objects, captions and persons as all tasks read them, and what is asked of its pictures in words."""

from typing import Any

import numpy as np
from jaxtyping import Float

from data_tasks.formats.caption import Caption
from data_tasks.formats.caption_augmented import RuledCaption
from data_tasks.formats.region import RegionText
from data_tasks.registry import register
from data_tasks.sources.coco import CocoJson
from data_tasks.sources.mapping import Boxes, Constant, Masks, Picture
from data_tasks.sources.stored import Context, Make, Record

SPLITS = {"train": "train2017", "validation": "val2017"}
OBTAIN = "cocodataset.org: train2017, val2017 and annotations_trainval2017"
IMAGES = 118_287
_PICTURES = "{split}/{file_name}"

OBJECTS = CocoJson("coco", {"objects": "annotations/instances_{split}.json"}, _PICTURES)
CAPTIONS = CocoJson("coco", {"captions": "annotations/captions_{split}.json"}, _PICTURES)
PEOPLE = CocoJson("coco", {"people": "annotations/person_keypoints_{split}.json"}, _PICTURES)
"""Each reads its own file: the three together are several gigabytes of JSON, in every process that reads."""

CLASSES = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light",
    "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow",
    "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee",
    "skis", "snowboard", "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard",
    "tennis racket", "bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple",
    "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch",
    "potted plant", "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard", "cell phone",
    "microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors", "teddy bear",
    "hair drier", "toothbrush",
)  # fmt: skip

SIZE = ("height", "width")
OBJECT_FIELDS: dict[str, str | Make] = {
    "image": Picture("file"),
    "boxes": Boxes("objects/bbox", "xywh", SIZE),
    "names": "objects/category",
    "crowd": "objects/iscrowd",
    "classes": Constant(CLASSES),
}
MASK_FIELDS = OBJECT_FIELDS | {"masks": Masks("objects/segmentation", SIZE)}
CAPTION_FIELDS: dict[str, str | Make] = {"image": Picture("file"), "captions": "captions/caption"}


def keypoints(record: Record, context: Context) -> Float[np.ndarray, "n 17 3"]:
    """Returns the joints of all persons as (y, x, visible) in [0, 1] of the picture."""
    joints = np.asarray([person["keypoints"] for person in record["people"]], np.float64).reshape(-1, 17, 3)
    visible = (joints[:, :, 2] > 0).astype(np.float64)
    places = joints[:, :, 1::-1] / [record["height"], record["width"]]
    return np.concatenate([np.clip(places, 0, 1), visible[:, :, None]], axis=2)


PEOPLE_FIELDS: dict[str, str | Make] = {
    "image": Picture("file"),
    "boxes": Boxes("people/bbox", "xywh", SIZE),
    "keypoints": keypoints,
}


def has_objects(record: Record) -> bool:
    """Whether anything is marked that is one thing; some pictures show nothing of the 80 classes, or crowds only."""
    return any(not thing["iscrowd"] for thing in record["objects"])


def single(record: Record) -> list[Record]:
    """Returns the record without crowds, for questions about one box."""
    return [record | {"objects": [thing for thing in record["objects"] if not thing["iscrowd"]]}]


def posed(record: Record) -> list[Record]:
    """Returns the record with those persons only of whom joints are marked."""
    people = [one for one in record["people"] if one.get("num_keypoints", 1) and not one["iscrowd"]]
    return [record | {"people": people}] if people else []


_SIZES = {"height": 24, "width": 32}
_FILES = ("000000000001.jpg", "000000000002.jpg", "000000000003.jpg")
MEDIA = tuple(f"{split}/{name}" for split in SPLITS.values() for name in _FILES)


def _thing(category: str, x: int, y: int, width: int, height: int) -> Record:
    corners = [x, y, x + width, y, x + width, y + height, x, y + height]
    return {
        "category": category,
        "category_id": CLASSES.index(category) + 1,
        "bbox": [x, y, width, height],
        "segmentation": [corners],
        "area": width * height,
        "iscrowd": 0,
    }


def _person(x: int, y: int, width: int, height: int) -> Record:
    joints = [
        number for place in range(17) for number in (x + width * place / 17, y + height * place / 17, 2)
    ]
    return _thing("person", x, y, width, height) | {"keypoints": joints, "num_keypoints": 17}


def _sample(kind: str, *said: list[Any]) -> list[Record]:
    return [
        {"id": number, "file_name": name, **_SIZES, kind: one}
        for number, (name, one) in enumerate(zip(_FILES, said, strict=True), 1)
    ]


OBJECT_SAMPLE = _sample(
    "objects",
    [_thing("person", 2, 2, 12, 20), _thing("dog", 16, 10, 14, 12), _thing("dog", 4, 14, 8, 8)],
    [_thing("cup", 8, 6, 16, 14), _thing("person", 0, 0, 20, 22)],
    [_thing("bus", 4, 4, 24, 16)],
)
CAPTION_SAMPLE = _sample(
    "captions",
    [{"caption": "A man walks two dogs."}, {"caption": "Two dogs and a man in the park"}],
    [{"caption": "A woman holds a red cup"}],
    [{"caption": "a bus waits at the corner of a street"}],
)
PEOPLE_SAMPLE = _sample(
    "people", [_person(2, 2, 12, 20), _person(14, 4, 16, 18)], [_person(4, 2, 24, 20)], []
)

_ABOUT: dict[str, Any] = {
    "dataset": "COCO 2017",
    "splits": SPLITS,
    "obtain": OBTAIN,
    "size": IMAGES,
    "media": MEDIA,
}

for _name, _form in (
    ("coco_caption", Caption("caption_image")),
    ("coco_caption_rules", RuledCaption("caption_rules")),
):
    register(
        _name,
        group="captioning",
        stored=CAPTIONS,
        fields=CAPTION_FIELDS,
        form=_form,
        sample=CAPTION_SAMPLE,
        **_ABOUT,
    )

register(
    "coco_region_class",
    group="region_classification",
    stored=OBJECTS,
    fields=OBJECT_FIELDS,
    form=RegionText("region_class"),
    keep=has_objects,
    each=single,
    sample=OBJECT_SAMPLE,
    **_ABOUT,
)
