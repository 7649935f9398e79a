"""What Tables 10 and 11 of Unified-IO 2 train on: groups, their rates, and their numbers of tasks. Knows no dataset."""

from typing import NamedTuple


class Group(NamedTuple):
    """One row of Table 11, or one group of Table 10: per cent of the examples, and its number of tasks."""

    rate: float
    tasks: int


INSTRUCTION: dict[str, dict[str, Group]] = {
    "image_generation": {
        "image_from_text": Group(10.6, 5),
        "controllable_editing": Group(2.92, 4),
        "image_editing": Group(1.66, 3),
        "next_frame": Group(0.96, 2),
        "inpainting": Group(0.79, 3),
        "view_synthesis": Group(0.60, 4),
    },
    "audio_generation": {
        "audio_from_text": Group(5.62, 8),
        "audio_from_video": Group(1.88, 1),
    },
    "image_understanding": {
        "vqa": Group(6.23, 31),
        "captioning": Group(4.25, 14),
        "region_classification": Group(2.41, 4),
        "tagging": Group(2.38, 8),
        "relationship": Group(1.41, 6),
        "region_captioning": Group(0.60, 1),
        "image_instruction": Group(0.37, 6),
        "image_pair_qa": Group(0.17, 3),
    },
    "image_sparse": {
        "detection": Group(3.08, 9),
        "localisation": Group(1.31, 3),
        "referring_expression": Group(1.08, 7),
        "cuboids": Group(1.00, 2),
        "text_detection": Group(0.41, 3),
        "keypoints": Group(0.38, 2),
    },
    "image_dense": {
        "semantic_segmentation": Group(1.23, 4),
        "localised_segmentation": Group(1.17, 3),
        "normals": Group(1.03, 6),
        "referring_segmentation": Group(0.47, 3),
        "depth": Group(0.11, 1),
        "flow": Group(0.06, 2),
    },
    "video_understanding": {
        "video_captioning": Group(3.75, 3),
        "video_tagging": Group(3.75, 6),
        "video_qa": Group(2.84, 9),
        "video_instruction": Group(0.21, 6),
    },
    "video_sparse": {
        "tracking": Group(2.50, 3),
        "action_localisation": Group(0.61, 1),
        "sound_localisation": Group(0.31, 1),
    },
    "audio_understanding": {
        "audio_tagging": Group(1.25, 5),
        "audio_captioning": Group(1.25, 5),
    },
    "natural_language": {
        "instruction_following": Group(12.5, 10),
        "language_modelling": Group(12.5, 7),
    },
    "embodied": {
        "action_prediction": Group(3.37, 12),
        "next_state": Group(0.33, 2),
        "goal_image": Group(0.33, 3),
        "embodied_qa": Group(0.30, 6),
    },
}
"""Table 11: family -> group. The text prints 10.6 % for audio understanding; only the table's 2.50 adds up to 100."""

PRETRAINING: dict[str, Group] = {
    "pretrain_text": Group(33.0, 7),
    "pretrain_image_text": Group(31.3, 6),
    "pretrain_video": Group(25.0, 6),
    "pretrain_interleaved": Group(8.70, 4),
    "pretrain_multiview": Group(0.67, 2),
    "pretrain_agent": Group(0.33, 2),
    "pretrain_synthetic": Group(1.00, 3),
}
"""Table 10. The rates of its rows are the weights of their registrations."""

GROUPS: dict[str, Group] = {
    **PRETRAINING,
    **{name: group for family in INSTRUCTION.values() for name, group in family.items()},
}
