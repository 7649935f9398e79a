"""ScienceQA: school questions about a picture, to choose from, or to answer with the reason."""

from data_tasks.formats.choose import Choose
from data_tasks.formats.qa import BECAUSE, Question
from data_tasks.registry import register
from data_tasks.sources.mapping import Joined, Picture
from data_tasks.sources.parquet import Parquet
from data_tasks.sources.stored import Context, Record

_MEDIA = ["pictures/1.png", "pictures/2.png"]


def _right(record: Record, context: Context) -> str:
    return record["choices"][record["answer"]]


def _reasoned(record: Record, context: Context) -> list[str]:
    return [f"{_right(record, context)}{BECAUSE}{record['solution']}"]


def _asks_picture(record: Record) -> bool:
    """Whether there is a picture; half of the questions have none."""
    return record["image"] is not None


def _explains(record: Record) -> bool:
    return _asks_picture(record) and bool(record["solution"].strip())


_ASKED = {"image": Picture("image"), "question": Joined(("hint", "question"))}
_SAMPLE = [
    {
        "image": {"bytes": None, "path": name},
        "question": "Which part is warmer?",
        "choices": ["the left", "the right"],
        "answer": number,
        "hint": "Look at the colours.",
        "lecture": "Colours tell of heat.",
        "solution": "the red part is drawn as warm.",
    }
    for number, name in enumerate(_MEDIA)
]

for _name, _form, _fields, _keep, _size in (
    ("science_qa", Choose("choose"), {"options": "choices", "name": _right}, _asks_picture, 6_218),
    (
        "science_qa_rationale",
        Question("qa_rationale", style="rationale"),
        {"answers": _reasoned},
        _explains,
        5_600,
    ),
):
    register(
        _name,
        group="vqa",
        dataset="ScienceQA",
        stored=Parquet("science_qa", "data/{split}-*.parquet"),
        fields=_ASKED | _fields,
        form=_form,
        keep=_keep,
        obtain="Hugging Face derek-thomas/ScienceQA",
        size=_size,
        sample=_SAMPLE,
        media=_MEDIA,
    )
