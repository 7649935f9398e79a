"""GQA: questions made from scene graphs, answered in a word or in a sentence."""

from data_tasks.formats.qa import Question
from data_tasks.registry import register
from data_tasks.sources.mapping import Picture
from data_tasks.sources.parquet import Parquet
from data_tasks.sources.stored import Record


def _row(number: int, question: str, answer: str, sentence: str) -> Record:
    return {
        "id": f"0{number}",
        "imageId": str(number),
        "question": question,
        "answer": answer,
        "fullAnswer": sentence,
        "isBalanced": True,
    }


for _name, _form, _answer in (
    ("gqa", Question("qa"), "answer"),
    ("gqa_sentence", Question("qa_sentence", style="sentence"), "fullAnswer"),
):
    register(
        _name,
        group="vqa",
        dataset="GQA",
        stored=Parquet("gqa", "{split}_balanced_instructions/{split}-*.parquet"),
        fields={
            "image": Picture("imageId", "images", name="{}.jpg"),
            "question": "question",
            "answers": _answer,
        },
        form=_form,
        splits={"train": "train", "validation": "val"},
        obtain="Hugging Face lmms-lab/GQA, the balanced instructions; the pictures of GQA's own site in images",
        size=943_000,
        sample=[
            _row(1, "Is the cup red?", "yes", "Yes, the cup is red."),
            _row(2, "What is left of the table?", "chair", "The chair is left of the table."),
        ],
        media=["images/1.jpg", "images/2.jpg"],
    )
