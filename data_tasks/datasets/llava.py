"""LLaVA-150K and LLaVAR: conversations about pictures, written by language models that saw descriptions of them."""

from data_tasks.formats.instruct import Instruct
from data_tasks.registry import register
from data_tasks.sources.lines import Lines
from data_tasks.sources.mapping import Picture
from data_tasks.sources.stored import Context, Record

_ROLES = {"human": "user", "gpt": "assistant"}
_MARK = "<image>"  # where the picture stands in a turn
_SPLITS = {"train": "train:2000-", "validation": "train:-2000"}


def _turns(record: Record, context: Context) -> list[list[str]]:
    return [
        [_ROLES[turn["from"]], turn["value"].replace(_MARK, "").strip()] for turn in record["conversations"]
    ]


def _asked(record: Record, context: Context) -> str:
    return _turns(record, context)[0][1]


def _answered(record: Record, context: Context) -> str:
    return _turns(record, context)[1][1]


def _goes_on(record: Record) -> bool:
    """Whether there is more than a question and its answer."""
    return len(record["conversations"]) > 2


_FIRST = {"instruction": _asked, "response": _answered}
_SAMPLE = [
    {
        "id": str(number),
        "image": name,
        "conversations": [
            {"from": "human", "value": "What is in the picture?\n<image>"},
            {"from": "gpt", "value": "Small squares of many colours."},
            {"from": "human", "value": "How many of them are there in a row?"},
            {"from": "gpt", "value": "There are eight in every row."},
        ],
    }
    for number, name in enumerate(("1.jpg", "2.jpg"))
]

for _name, _stored, _folder, _turned, _about in (
    ("llava", Lines("llava", "llava_instruct_150k.jsonl"), "train2017", False, ("LLaVA-150K", 157_712)),
    ("llava_turns", Lines("llava", "llava_instruct_150k.jsonl"), "train2017", True, ("LLaVA-150K", 56_681)),
    ("llavar", Lines("llavar", "llavar_16k.jsonl"), "finetune", False, ("LLaVAR", 16_000)),
):
    _hub = {"llava": "liuhaotian/LLaVA-Instruct-150K", "llavar": "SALT-NLP/LLaVAR"}[_stored.name]
    register(
        _name,
        group="image_instruction",
        dataset=_about[0],
        stored=_stored,
        fields={"image": Picture("image", _folder), **({"turns": _turns} if _turned else _FIRST)},
        form=Instruct("instruct", media=("image",), extra=("turns",) if _turned else ()),
        splits=_SPLITS,
        keep=_goes_on if _turned else None,
        obtain=f"Hugging Face {_hub}, its list one object a line; pictures in {_folder}",
        size=_about[1],
        sample=_SAMPLE,
        media=[f"{_folder}/1.jpg", f"{_folder}/2.jpg"],
    )
