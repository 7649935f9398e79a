"""Open Images once more: finding its objects and completing its pictures."""

from data_tasks.datasets.coco_objects import DETECTION_AGAIN
from data_tasks.datasets.open_images import (
    BOXED,
    MEDIA,
    OBJECT_FIELDS,
    OBJECT_SAMPLE,
    OBJECTS,
    OBTAIN,
    SPLITS,
    has_objects,
    single,
)
from data_tasks.formats.boxes import FindBoxes
from data_tasks.formats.fill import FillHole
from data_tasks.registry import register

for _name, _group, _form in (
    ("open_images_detection", "detection", FindBoxes("boxes_none", query="none")),
    ("open_images_multi_localisation", "detection", FindBoxes("boxes_classes", query="classes")),
    ("open_images_detection_augmented", "detection", DETECTION_AGAIN),
    ("open_images_localisation", "localisation", FindBoxes("boxes_class", query="class")),
    ("open_images_inpainting", "inpainting", FillHole("fill")),
):
    register(
        _name,
        group=_group,
        dataset="Open Images",
        stored=OBJECTS,
        fields=OBJECT_FIELDS,
        form=_form,
        splits=SPLITS,
        keep=has_objects,
        each=single,
        obtain=OBTAIN,
        size=BOXED,
        sample=OBJECT_SAMPLE,
        media=MEDIA,
    )
