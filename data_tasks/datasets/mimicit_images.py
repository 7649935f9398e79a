"""MIMIC-IT on pairs of pictures: what differs, in alike pictures of COCO and in two moments of one scene."""

import numpy as np
from jaxtyping import Float

from data_tasks.formats.instruct import Instruct
from data_tasks.registry import register
from data_tasks.sources.lines import Lines
from data_tasks.sources.mapping import Picture
from data_tasks.sources.stored import Context, Make, Record


def _pair(folder: str) -> Make:
    read = Picture("image", folder, name="{}.jpg")

    def make(record: Record, context: Context) -> list[Float[np.ndarray, "h w 3"]]:
        return [read({"image": one}, context) for one in record["image_ids"]]

    return make


for _name, _own, _what, _size in (
    ("mimicit_difference_general", "CGD", "general", 141_869),
    ("mimicit_difference_subtle", "SD", "subtle", 15_867),
):
    _images = [f"{_own}_IMG_{number}" for number in (1, 2)]
    register(
        _name,
        group="image_pair_qa",
        dataset=f"MIMIC-IT, spot the difference, {_what}",
        stored=Lines("mimicit", f"data/{_own}/{_own}_instructions.jsonl"),
        fields={"images": _pair(f"data/{_own}/images"), "instruction": "instruction", "response": "answer"},
        form=Instruct("instruct", media=("pictures",)),
        splits={"train": "train:500-", "validation": "train:-500"},
        obtain=f"Hugging Face pufanyi/MIMICIT: data/{_own}, what its data holds one object a line, and its images as "
        f"data/{_own}/images/ID.jpg",
        size=_size,
        sample=[
            {
                "id": f"{_own}_INS_{number}",
                "instruction": "What is not the same in the two pictures?",
                "answer": f"The squares at the {side} have other colours.",
                "image_ids": _images,
            }
            for number, side in enumerate(("left", "right"))
        ],
        media=[f"data/{_own}/images/{name}.jpg" for name in _images],
    )
