"""OCR-VQA and TextVQA: questions about what is written in a picture."""

from data_tasks.formats.qa import Question
from data_tasks.registry import register
from data_tasks.sources.mapping import Picture
from data_tasks.sources.parquet import Parquet
from data_tasks.sources.stored import Record

_MEDIA = ["pictures/1.jpg", "pictures/2.jpg"]
_IMAGES = [{"bytes": None, "path": name} for name in _MEDIA]


def _pairs(record: Record) -> list[Record]:
    """Returns one record a question about a cover."""
    return [
        record | {"question": question, "answer": answer}
        for question, answer in zip(record["questions"], record["answers"], strict=True)
    ]


register(
    "ocr_vqa",
    group="vqa",
    dataset="OCR-VQA",
    stored=Parquet("ocr_vqa", "data/{split}-*.parquet"),
    fields={
        "image": Picture("image"),
        "question": "question",
        "answers": "answer",
    },
    form=Question("qa"),
    each=_pairs,
    obtain="Hugging Face howard-hou/OCR-VQA",
    size=801_673,
    sample=[
        {
            "image": image,
            "image_id": str(number),
            "questions": ["Who wrote this?", "Is it a novel?"],
            "answers": ["Ann Author", "No"],
        }
        for number, image in enumerate(_IMAGES)
    ],
    media=_MEDIA,
)

register(
    "text_vqa",
    group="vqa",
    dataset="TextVQA",
    stored=Parquet("text_vqa", "{split}/*.parquet"),
    fields={"image": Picture("image"), "question": "question", "answers": "answers"},
    form=Question("qa"),
    obtain="Hugging Face facebook/textvqa, branch refs/convert/parquet, its folders train and validation",
    size=34_602,
    sample=[
        {
            "image": image,
            "image_id": str(number),
            "question": "What does the sign say?",
            "answers": ["stop"] * 9 + ["stop!"],
        }
        for number, image in enumerate(_IMAGES)
    ],
    media=_MEDIA,
)
