"""Tasks of the toy world that are seen and read: one of every format. Importing registers them."""

from data_tasks.formats import denoised
from data_tasks.formats.boxes import FindBoxes
from data_tasks.formats.camera import CameraPose
from data_tasks.formats.caption import Caption
from data_tasks.formats.choose import Choose
from data_tasks.formats.cuboids import FindCuboids
from data_tasks.formats.dense import DenseMap
from data_tasks.formats.edit import Edit
from data_tasks.formats.fill import FillHole
from data_tasks.formats.instruct import Instruct
from data_tasks.formats.keypoints import FindKeypoints
from data_tasks.formats.next_frame import NextFrame
from data_tasks.formats.patches import PastedPatches
from data_tasks.formats.properties import RegionProperty
from data_tasks.formats.qa import Question
from data_tasks.formats.region import RegionText
from data_tasks.formats.relation import Relate
from data_tasks.formats.tag import Tag
from data_tasks.formats.track import Track
from data_tasks.formats.views import NovelView
from data_tasks.registry import register
from data_tasks.toy.seeing import DrawTold
from data_tasks.toy.splits import REWORDED, SPLITS
from data_tasks.toy.world import LENGTHS, ToyWorld
from unified_io.data.denoised import Denoised

FARTHEST = 6.0
"""Metres that white stands for in a map of depth; no point of the room is farther from a camera."""

TASKS = {
    "toy_caption": ("scene", Caption("caption_image")),
    "toy_qa": ("question", Question("qa", whole=True)),
    "toy_choose": ("question", Choose("choose", whole=True)),
    "toy_tag": ("single", Tag("tag")),
    "toy_motion": ("video", Tag("tag_action", ("video",))),
    "toy_region_text": ("scene", RegionText("region_class")),
    "toy_relation": ("paired", Relate("relation_phrases", "phrases")),  # boxes would tell it unseen
    "toy_statement": ("related", Relate("relation_yes_no", "yes_no")),
    "toy_instruct": ("scene", Instruct("instruct", ("image",), whole=True)),
    "toy_dialogue": ("scene", Instruct("instruct", ("image",), ("turns",), whole=True)),
    "toy_boxes": ("scene", FindBoxes("boxes_none", "none")),
    "toy_referring": ("scene", FindBoxes("boxes_phrase", "phrase")),
    "toy_reading": ("board", FindBoxes("boxes_string", "string")),
    "toy_keypoints": ("person", FindKeypoints("keypoints_all")),
    "toy_parts": ("person", FindKeypoints("keypoints_some", "some")),
    "toy_property": ("scene", RegionProperty("property_phrase")),
    "toy_extent": ("single", RegionProperty("property_class", "class")),
    "toy_track": ("followed", Track("track")),
    "toy_cuboids": ("scene", FindCuboids("cuboids")),
    "toy_camera": ("views", CameraPose("camera")),
    "toy_mask": ("scene", DenseMap("dense_mask_phrase", query="phrase")),
    "toy_depth": ("scene", DenseMap("dense_depth", kind="depth", most=FARTHEST)),
    "toy_normals": ("scene", DenseMap("dense_normal", kind="normal")),
    "toy_flow": ("flow", DenseMap("dense_flow", kind="flow")),
    "toy_draw": ("scene", DrawTold("draw")),
    "toy_edit": ("edit", Edit("edit")),
    "toy_control": ("control", Edit("edit_map", "map")),
    "toy_inpaint": ("hole", FillHole("fill")),
    "toy_view": ("views", NovelView("novel_view")),
    "toy_next_frame": ("followed", NextFrame("next_frame_boxes")),
    "toy_patches": ("scene", PastedPatches("patches_list")),
    "toy_patch_count": ("scene", PastedPatches("patches_count", "count")),
}
"""Task -> what a record holds, and what is asked of it."""

DENOISED = {
    "toy_text_denoise": ("text", denoised.text, ("text",)),
    "toy_denoise": ("scene", denoised.captioned_image, ("image", "captions")),
    "toy_video_denoise": ("video", denoised.video, ("images", "captions")),
    "toy_views_denoise": ("views", denoised.views, ("images",)),
    "toy_interleave": ("document", denoised.document, ("text", "images")),
}
"""Task -> what a record holds, what makes a record to denoise of it, and the raw fields that needs."""

_CLOSED = ("toy_region_text",)  # tasks that choose from `classes`, which their format may do without


def _add(name: str, view: str, form: object, fields: tuple[str, ...]) -> None:
    register(
        name,
        group="toy",
        dataset="toy world",
        stored=ToyWorld("toy", view),
        fields={field: field for field in fields},
        form=form,
        splits={split: split for split in SPLITS},
        obtain="made here",
        size=LENGTHS["train"],
        reworded=REWORDED,
    )


for name, (view, form) in TASKS.items():
    _add(name, view, form, (*form.reads, *(("classes",) if name in _CLOSED else ())))
for name, (view, record, fields) in DENOISED.items():
    _add(name, view, Denoised(record, name), fields)
