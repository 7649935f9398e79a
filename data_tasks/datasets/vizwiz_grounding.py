"""VizWiz grounding: the part of a picture that answers a blind person's question."""

import numpy as np
from jaxtyping import Bool

from data_tasks.formats.dense import DenseMap
from data_tasks.registry import register
from data_tasks.sources.lines import Lines
from data_tasks.sources.mapping import Picture
from data_tasks.sources.maps import polygons
from data_tasks.sources.stored import Context, Record


def _mask(record: Record, context: Context) -> Bool[np.ndarray, "1 h w"]:
    corners = [side for corner in record["answer_grounding"] for side in (corner["x"], corner["y"])]
    return polygons([corners], int(record["height"]), int(record["width"]))[None]


def _line(image: str, question: str, answer: str, *corners: tuple[int, int]) -> Record:
    return {
        "image": image,
        "question": question,
        "most_common_answer": answer,
        "height": 24,
        "width": 32,
        "answer_grounding": [{"x": x, "y": y} for x, y in corners],
    }


register(
    "vizwiz_grounding",
    group="semantic_segmentation",
    dataset="VizWiz answer grounding",
    stored=Lines("vizwiz", "{split}_grounding.jsonl"),
    fields={
        "image": Picture("image", "{split}"),
        "masks": _mask,
        "phrases": lambda record, context: [record["question"]],
    },
    form=DenseMap("dense_mask_answer", query="phrase"),
    splits={"train": "train", "validation": "val"},
    obtain='vizwiz.org: train_grounding.json and val_grounding.json, one picture a line, its name as "image"; pictures '
    "of VizWiz-VQA in train and val",
    size=6_494,
    sample=[
        _line("VizWiz_00000001.jpg", "What is in this can?", "soup", (4, 4), (24, 4), (24, 20), (4, 20)),
        _line("VizWiz_00000002.jpg", "Which colour is it?", "blue", (8, 2), (30, 10), (12, 22)),
    ],
    media=[f"{split}/VizWiz_0000000{number}.jpg" for split in ("train", "val") for number in (1, 2)],
)
