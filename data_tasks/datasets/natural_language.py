"""Natural language: instructions to follow, and the texts of pre-training once more as language modelling."""

from data_tasks.formats.instruct import Instruct
from data_tasks.registry import register
from data_tasks.sources.lines import Lines
from data_tasks.sources.parquet import Parquet

# No set but OASST1 and MBPP has a split to validate on: it is their first examples, as many as the released code takes.
_FIRST_2000 = {"train": "train:2000-", "validation": "train:-2000"}

for _name, _hub, _size in (
    ("flan2021", "flan2021", 5_362_361),
    ("flan_t0", "t0", 1_650_308),
    ("flan_niv2", "niv2", 10_066_896),
    ("flan_cot", "cot", 183_848),
    ("flan_dialog", "dialog", 553_869),
):
    register(
        _name,
        group="instruction_following",
        dataset=f"FLAN v2, {_hub}",
        stored=Parquet(_name, "data/{split}-*.parquet"),
        fields={"instruction": "inputs", "response": "targets"},
        form=Instruct("instruct"),
        splits=_FIRST_2000,
        obtain=f"Hugging Face conceptofmind/{_hub}_submix_original",
        size=_size,
        sample=[{"inputs": "Name a colour of the rainbow.", "targets": "red"}, {"inputs": "2 + 2?", "targets": "4"}],
    )

register(
    "alpaca",
    group="instruction_following",
    dataset="Alpaca, cleaned",
    stored=Lines("alpaca", "alpaca_data_cleaned_{split}.jsonl"),
    fields={"instruction": "instruction", "context": "input", "response": "output"},
    form=Instruct("instruct", extra=("context",)),
    splits=_FIRST_2000,
    obtain="Hugging Face yahma/alpaca-cleaned, its list one object a line",
    size=51_760,
    sample=[
        {"instruction": "Write it in capitals.", "input": "a quiet day", "output": "A QUIET DAY"},
        {"instruction": "Name a fish.", "input": "", "output": "A trout."},
    ],
)
