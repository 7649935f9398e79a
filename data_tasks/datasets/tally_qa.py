"""TallyQA: questions that ask for a number, free or to choose from."""

from data_tasks.formats.choose import Choose
from data_tasks.formats.qa import Question
from data_tasks.registry import register
from data_tasks.sources.lines import Lines
from data_tasks.sources.mapping import Picture
from data_tasks.sources.stored import Context, Record

_CHOICES = 4


def _answer(record: Record, context: Context) -> str:
    return str(record["answer"])


def _options(record: Record, context: Context) -> list[str]:
    """Numbers in a row, the answer at any place of it that leaves none below zero."""
    first = max(record["answer"] - int(context.draw("options").integers(_CHOICES)), 0)
    return [str(number) for number in range(first, first + _CHOICES)]


_ASKED = {"image": Picture("image"), "question": "question"}

for _name, _form, _fields in (
    (
        "tally_qa",
        Question("qa_number", style="number"),
        {"answers": lambda record, context: [str(record["answer"])]},
    ),
    ("tally_qa_choice", Choose("choose"), {"name": _answer, "options": _options}),
):
    register(
        _name,
        group="vqa",
        dataset="TallyQA",
        stored=Lines("tally_qa", "{split}.jsonl"),
        fields=_ASKED | _fields,
        form=_form,
        splits={"train": "train", "validation": "test"},
        obtain="github.com/manoja328/TallyQA_dataset, its lists one object a line; pictures of COCO 2014 in "
        "train2014 and val2014, of Visual Genome in VG_100K and VG_100K_2",
        size=249_318,
        sample=[
            {"image": "VG_100K/1.jpg", "question": "How many dogs are there?", "answer": 2, "question_id": 1},
            {"image": "VG_100K/2.jpg", "question": "How many men wear hats?", "answer": 0, "question_id": 2},
        ],
        media=["VG_100K/1.jpg", "VG_100K/2.jpg"],
    )
