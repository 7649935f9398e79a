"""Visual Genome once more: finding its objects and completing its pictures."""

from data_tasks.datasets.coco_objects import DETECTION_AGAIN
from data_tasks.datasets.visual_genome import (
    ABOUT,
    IMAGES,
    OBJECT_FIELDS,
    OBJECT_SAMPLE,
    OBJECTS,
    named,
)
from data_tasks.formats.boxes import FindBoxes
from data_tasks.formats.fill import FillHole
from data_tasks.registry import register
from data_tasks.sources.stored import Record

OFTEN = {
    "airplane", "animal", "arm", "bag", "banana", "basket", "beach", "bear", "bed", "bench", "bike", "bird",
    "board", "boat", "book", "boot", "bottle", "bowl", "box", "boy", "branch", "building", "bus", "cabinet",
    "cap", "car", "cat", "chair", "child", "clock", "coat", "counter", "cow", "cup", "curtain", "desk",
    "dog", "door", "drawer", "ear", "elephant", "engine", "eye", "face", "fence", "finger", "flag",
    "flower", "food", "fork", "fruit", "giraffe", "girl", "glass", "glove", "guy", "hair", "hand", "handle",
    "hat", "head", "helmet", "hill", "horse", "house", "jacket", "jean", "kid", "kite", "lady", "lamp",
    "laptop", "leaf", "leg", "letter", "light", "logo", "man", "men", "motorcycle", "mountain", "mouth",
    "neck", "nose", "number", "orange", "pant", "paper", "paw", "people", "person", "phone", "pillow",
    "pizza", "plane", "plant", "plate", "player", "pole", "post", "pot", "racket", "railing", "rock",
    "roof", "room", "screen", "seat", "sheep", "shelf", "shirt", "shoe", "short", "sidewalk", "sign",
    "sink", "skateboard", "ski", "skier", "sneaker", "snow", "sock", "stand", "street", "surfboard",
    "table", "tail", "tie", "tile", "tire", "toilet", "towel", "tower", "track", "train", "tree", "truck",
    "trunk", "umbrella", "vase", "vegetable", "vehicle", "wave", "wheel", "window", "windshield", "wing",
    "wire", "woman", "zebra",
}  # fmt: skip
"""The 150 names that scene graphs are commonly made of; the others are mostly parts, or said once."""


def _often(record: Record) -> list[Record]:
    """Returns the record with the objects that have one of the names above; none if there is none."""
    things = [thing for thing in record["objects"] if thing["names"][:1] and thing["names"][0] in OFTEN]
    return named(record | {"objects": things})


for _name, _group, _form, _each in (
    ("vg_detection", "detection", FindBoxes("boxes_none", query="none"), named),
    ("vg_multi_localisation", "detection", FindBoxes("boxes_classes", query="classes"), named),
    ("vg_detection_augmented", "detection", DETECTION_AGAIN, named),
    ("vg_localisation", "localisation", FindBoxes("boxes_class", query="class"), _often),
    ("vg_inpainting", "inpainting", FillHole("fill"), named),
):
    register(
        _name,
        group=_group,
        stored=OBJECTS,
        fields=OBJECT_FIELDS,
        form=_form,
        each=_each,
        size=IMAGES,
        sample=OBJECT_SAMPLE,
        **ABOUT,
    )
