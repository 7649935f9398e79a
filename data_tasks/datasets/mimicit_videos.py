"""MIMIC-IT: instructions about the frames of films, stories, short clips and rooms."""

from typing import Any

from data_tasks.formats.instruct import Instruct
from data_tasks.registry import register
from data_tasks.sources.lines import Lines
from data_tasks.sources.mapping import Frames
from data_tasks.sources.stored import Make, Record


def _pictures(record: Record) -> list[Record]:
    return [record | {"files": [f"{name}.jpg" for name in record["image_ids"]]}]


def _about(own: str, file: str, size: int, sample: list[Record]) -> dict[str, Any]:
    images = [f"{own}_IMG_{number}" for number in range(1, 4)]
    return {
        "group": "video_instruction",
        "dataset": f"MIMIC-IT, {own}",
        "stored": Lines("mimicit", f"data/{own}/{file}.jsonl"),
        "splits": {"train": "train:500-", "validation": "train:-500"},
        "each": _pictures,
        "obtain": f"Hugging Face pufanyi/MIMICIT: data/{own}, what its data holds one object a line, and its images as "
        f"data/{own}/images/ID.jpg",
        "size": size,
        "sample": [{"id": f"{own}_INS_{n}", "image_ids": images, **one} for n, one in enumerate(sample)],
        "media": [f"data/{own}/images/{name}.jpg" for name in images],
    }


def _seen(own: str) -> dict[str, str | Make]:
    return {"images": Frames("files", folder=f"data/{own}/images")}


for _name, _own, _size in (
    ("mimicit_tv_caption", "TVC", 137_607),
    ("mimicit_storytelling", "VST", 32_893),
    ("mimicit_dense_caption", "DC", 56_032),
    ("mimicit_navigation", "SN", 6_640),
):
    register(
        _name,
        fields={**_seen(_own), "instruction": "instruction", "response": "answer"},
        form=Instruct("instruct", media=("pictures",)),
        **_about(
            _own,
            f"{_own}_instructions",
            _size,
            [
                {"instruction": "What goes on?", "answer": "Two people meet.", "rel_ins_ids": []},
                {"instruction": "Who is it?", "answer": "A friend.", "rel_ins_ids": []},
            ],
        ),
    )


def _said(record: Record, context: object) -> list[list[str]]:
    """A room's questions and answers in a row."""
    return [
        [role, text]
        for one in record["dialogue"]
        for role, text in (("user", one["instruction"]), ("assistant", one["answer"]))
    ]


_TALK = [
    {"instruction": "Where is the lamp?", "answer": "By the door."},
    {"instruction": "And the bed?", "answer": "Under the window."},
]
_DIALOGUES = _about("SN", "SN_dialogues", 1_000, [{"dialogue": _TALK}, {"dialogue": _TALK[:1]}])
register(
    "mimicit_navigation_dialogue",
    fields={**_seen("SN"), "turns": _said},
    form=Instruct("instruct", media=("pictures",), extra=("turns",)),
    **_DIALOGUES
    | {"obtain": f"{_DIALOGUES['obtain']}; those of one room in a row, by rel_ins_ids, as its dialogue"},
)
