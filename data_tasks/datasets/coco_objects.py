"""COCO 2017 once more: finding its objects and its persons' joints, painting masks, making and completing pictures."""

from typing import Any

from data_tasks.datasets.coco import (
    IMAGES,
    MASK_FIELDS,
    MEDIA,
    OBJECT_FIELDS,
    OBJECT_SAMPLE,
    OBJECTS,
    OBTAIN,
    PEOPLE,
    PEOPLE_FIELDS,
    PEOPLE_SAMPLE,
    SPLITS,
    has_objects,
    posed,
    single,
)
from data_tasks.formats.boxes import FindBoxes
from data_tasks.formats.boxes_augmented import WrittenBoxes
from data_tasks.formats.dense import DenseMap
from data_tasks.formats.dense_augmented import SeveralClasses
from data_tasks.formats.fill import FillHole
from data_tasks.formats.keypoints import FindKeypoints
from data_tasks.formats.legend import FromLegend
from data_tasks.formats.one_of import one_of
from data_tasks.formats.properties import RegionProperty
from data_tasks.registry import register

DETECTION_AGAIN = one_of(
    WrittenBoxes("boxes_written_none", query="none"),
    WrittenBoxes("boxes_written_classes", query="classes"),
    RegionProperty("property_class", of="class"),
)
"""Detection asked in other ways: the boxes in another order, of some classes only, or a property of them."""
MASKS_OF_CLASSES = one_of(
    DenseMap("dense_mask_class", query="class"),
    SeveralClasses("dense_any", question="any"),
    SeveralClasses("dense_inside", question="inside"),
    SeveralClasses("dense_none_of", question="none"),
)
"""Segmentation of a class, and asked in other ways: of any of several, of one within a box, of none of some."""

_ABOUT: dict[str, Any] = {
    "dataset": "COCO 2017",
    "splits": SPLITS,
    "obtain": OBTAIN,
    "size": IMAGES,
    "media": MEDIA,
}

for _name, _group, _form in (
    ("coco_detection", "detection", FindBoxes("boxes_none", query="none")),
    ("coco_multi_localisation", "detection", FindBoxes("boxes_classes", query="classes")),
    ("coco_detection_augmented", "detection", DETECTION_AGAIN),
    ("coco_localisation", "localisation", FindBoxes("boxes_class", query="class")),
    ("coco_inpainting", "inpainting", FillHole("fill")),
):
    register(
        _name,
        group=_group,
        stored=OBJECTS,
        fields=OBJECT_FIELDS,
        form=_form,
        keep=has_objects,
        each=single,
        sample=OBJECT_SAMPLE,
        **_ABOUT,
    )

for _name, _group, _form in (
    ("coco_segmentation", "semantic_segmentation", MASKS_OF_CLASSES),
    ("coco_localised_segmentation", "localised_segmentation", DenseMap("dense_mask_box", query="box")),
    ("coco_from_masks", "controllable_editing", FromLegend("from_legend")),
):
    register(
        _name,
        group=_group,
        stored=OBJECTS,
        fields=MASK_FIELDS,
        form=_form,
        keep=has_objects,
        sample=OBJECT_SAMPLE,
        **_ABOUT,
    )

for _name, _form in (
    ("coco_pose", FindKeypoints("keypoints_all", parts="all")),
    ("coco_pose_parts", FindKeypoints("keypoints_some", parts="some")),
):
    register(
        _name,
        group="keypoints",
        stored=PEOPLE,
        fields=PEOPLE_FIELDS,
        form=_form,
        each=posed,
        sample=PEOPLE_SAMPLE,
        **_ABOUT | {"size": 56_599},
    )
