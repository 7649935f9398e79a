"""Mixtures of the toy world and of the real set. Importing registers them and their tasks."""

import seqio

import data_tasks.real
import data_tasks.toy.tasks
import data_tasks.toy.tasks_heard  # noqa: F401
from data_tasks.registry import REGISTRY
from unified_io.data.denoised import Denoised

# Parts of the examples; a task not named has 1. More for what is slow to learn, less for second tasks of a format.
WEIGHTS: dict[str, float] = {
    "toy_relation": 2.5,
    "toy_property": 1.5,
    "toy_extent": 1.5,
    "toy_keypoints": 2.0,
    "toy_parts": 2.0,
    "toy_camera": 2.0,
    "toy_view": 2.0,
    "toy_act_numbers": 1.5,
    "toy_boxes": 1.5,
    "toy_referring": 1.5,
    "toy_patches": 1.5,
    "toy_draw": 1.5,
    "toy_soundtrack": 1.5,
    "toy_cuboids": 1.2,
    "toy_edit": 0.7,
    "toy_next_frame": 0.7,
    "toy_region_text": 0.7,
    "toy_transcribe": 0.7,
    "toy_denoise": 0.7,
    "toy_statement": 0.6,
    "toy_caption": 0.5,
    "toy_tag": 0.5,
    "toy_instruct": 0.5,
    "toy_choose": 0.5,
    "toy_depth": 0.5,
    "toy_mask": 0.5,
    "toy_act_words": 0.5,
    "toy_patch_count": 0.5,
    "toy_interleave": 0.5,
    "toy_sound_tag": 0.4,
    "toy_sound_caption": 0.4,
    "toy_sound_boxes": 0.4,
    "toy_motion": 0.4,
    "toy_reading": 0.4,
    "toy_speak": 0.4,
    "toy_text_denoise": 0.4,
    "toy_act_program": 0.3,
    "toy_control": 0.3,
    "toy_dialogue": 0.2,
    "toy_normals": 0.2,
    "toy_flow": 0.2,
    "toy_act_eye": 0.2,
    "toy_video_denoise": 0.2,
    "toy_views_denoise": 0.2,
}

_toy = {name: task for name, task in REGISTRY.items() if task.group == "toy"}
_asked = [name for name, task in _toy.items() if not isinstance(task.form, Denoised)]
_drawn = [name for name in _asked if REGISTRY[name].form.output == "image"]
_heard = [name for name in _asked if REGISTRY[name].form.output == "audio"]

MIXTURES = {
    "toy": list(_toy),
    "toy_instruction": _asked,
    "toy_pretrain": [name for name in _toy if name not in _asked],
    "toy_pictures": _drawn,  # what the image tokenizer learns from
    "toy_sounds": _heard,
    "real": [name for name, task in REGISTRY.items() if task.group == "real"],
}
for _name, _tasks in MIXTURES.items():
    seqio.MixtureRegistry.add(_name, [(task, WEIGHTS.get(task, 1.0)) for task in _tasks])
