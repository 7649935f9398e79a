"""VQA 2.0, OK-VQA and VizWiz: questions that ten people answered each; all ten answers are kept."""

from typing import Any

from data_tasks.formats.qa import Question
from data_tasks.registry import register
from data_tasks.sources.coco import CocoJson
from data_tasks.sources.lines import Lines
from data_tasks.sources.mapping import Picture
from data_tasks.sources.stored import Make, Record

_PICTURES = "{split}/COCO_{split}_{id:012d}.jpg"
_SPLITS = {"train": "train2014", "validation": "val2014"}
_MEDIA = [f"{split}/COCO_{split}_{number:012d}.jpg" for split in _SPLITS.values() for number in (9, 25)]


def questions(record: Record) -> list[Record]:
    """Returns one record a question of a picture, with its answers."""
    answers = {one["question_id"]: one["answers"] for one in record["answers"]}
    return [
        record | {"question": one["question"], "answers": answers[one["question_id"]]}
        for one in record["questions"]
        if one["question_id"] in answers
    ]


_FIELDS: dict[str, str | Make] = {
    "image": Picture("file"),
    "question": "question",
    "answers": "answers/answer",
}


def _votes(*answers: str) -> list[Record]:
    return [{"answer": answer, "answer_id": number} for number, answer in enumerate(answers, 1)]


_SAMPLE = [
    {
        "id": 9,
        "questions": [
            {"question_id": 9000, "question": "What colour is the cup?"},
            {"question_id": 9001, "question": "Is it full?"},
        ],
        "answers": [
            {"question_id": 9000, "answers": _votes(*["red"] * 9, "dark red")},
            {"question_id": 9001, "answers": _votes(*["no"] * 10)},
        ],
    },
    {
        "id": 25,
        "questions": [{"question_id": 25000, "question": "How many dogs are there?"}],
        "answers": [{"question_id": 25000, "answers": _votes(*["2"] * 10)}],
    },
]

for _name, _folder, _asked, _answered, _about in (
    (
        "vqa_v2",
        "vqa_v2",
        "v2_OpenEnded_mscoco_{split}_questions.json",
        "v2_mscoco_{split}_annotations.json",
        ("VQA 2.0", "visualqa.org", 443_757),
    ),
    (
        "okvqa_v1",
        "okvqa",
        "v1.0/OpenEnded_mscoco_{split}_questions.json",
        "v1.0/mscoco_{split}_annotations.json",
        ("OK-VQA 1.0", "okvqa.allenai.org, version 1.0 in a folder v1.0", 9_009),
    ),
    (
        "okvqa_v2",
        "okvqa",
        "v1.1/OpenEnded_mscoco_{split}_questions.json",
        "v1.1/mscoco_{split}_annotations.json",
        ("OK-VQA 1.1, answers corrected", "okvqa.allenai.org, version 1.1 in a folder v1.1", 9_009),
    ),
):
    register(
        _name,
        group="vqa",
        dataset=_about[0],
        stored=CocoJson(_folder, {"questions": _asked, "answers": _answered}, _PICTURES),
        fields=_FIELDS,
        form=Question("qa"),
        splits=_SPLITS,
        each=questions,
        obtain=f"{_about[1]}; pictures of COCO 2014 in train2014 and val2014",
        size=_about[2],
        sample=_SAMPLE,
        media=_MEDIA,
    )


def _vizwiz(image: str, question: str, answer: str) -> dict[str, Any]:
    votes = [{"answer": answer, "answer_confidence": "yes"}] * 10
    return {"image": image, "question": question, "answers": votes, "answer_type": "other", "answerable": 1}


register(
    "vizwiz_vqa",
    group="vqa",
    dataset="VizWiz",
    stored=Lines("vizwiz_vqa", "{split}.jsonl"),
    fields={"image": Picture("image", "{split}"), "question": "question", "answers": "answers/answer"},
    form=Question("qa"),
    splits={"train": "train", "validation": "val"},
    obtain="vizwiz.org, visual question answering; the lists of its annotations one object a line",
    size=20_523,
    sample=[
        _vizwiz("VizWiz_000001.jpg", "What is this can?", "green beans"),
        _vizwiz("VizWiz_000002.jpg", "Which colour?", "blue"),
    ],
    media=[f"{split}/VizWiz_00000{number}.jpg" for split in ("train", "val") for number in (1, 2)],
)
