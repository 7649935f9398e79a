"""VSR: how two things in a picture stand to each other, as a gap to fill and as a statement to judge."""

from data_tasks.formats.qa import Question
from data_tasks.registry import register
from data_tasks.sources.lines import Lines
from data_tasks.sources.mapping import Picture
from data_tasks.sources.stored import Context, Record
from unified_io.errors import DataError


def _gapped(record: Record, context: Context) -> str:
    """The statement with dots for its relation: "The cat is under the box." -> "The cat is ... the box.".

    Raises:
      DataError: The relation is not in it, word for word.
    """
    before, relation, after = record["caption"].partition(f" {record['relation']} ")
    if not relation:
        raise DataError(
            f"the caption {record['caption']!r} does not hold the relation {record['relation']!r}"
        )
    return f"{before} ... {after}"


def _true(record: Record) -> bool:
    return int(record["label"]) == 1


_FIELDS = {
    "vsr": {"question": _gapped, "answers": "relation"},
    "vsr_binary": {
        "question": "caption",
        "answers": lambda record, context: ["true" if _true(record) else "false"],
    },
}


def _row(image: str, caption: str, relation: str, label: int) -> Record:
    return {"image": image, "image_link": "", "caption": caption, "label": label, "relation": relation}


for _name, _form, _keep, _size in (
    ("vsr", Question("qa_gap"), _true, 3_900),
    ("vsr_binary", Question("qa_true"), None, 7_680),
):
    register(
        _name,
        group="relationship",
        dataset="Visual Spatial Reasoning",
        stored=Lines("vsr", "{split}.jsonl"),
        fields={"image": Picture("image", "images")} | _FIELDS[_name],
        form=_form,
        splits={"train": "train", "validation": "dev"},
        keep=_keep,
        obtain="Hugging Face cambridgeltl/vsr_random; its pictures, of COCO 2017, in images",
        size=_size,
        sample=[
            _row("000000000001.jpg", "The cow is ahead of the person.", "ahead of", 1),
            _row("000000000002.jpg", "The cat is under the bed.", "under", 0),
        ],
        media=["images/000000000001.jpg", "images/000000000002.jpg"],
    )
