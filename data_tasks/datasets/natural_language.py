"""Natural language: instructions to follow. What Table 11 calls language modelling is in `corpora`."""

from data_tasks.formats.instruct import Instruct
from data_tasks.registry import register
from data_tasks.sources.lines import Lines
from data_tasks.sources.mapping import Joined
from data_tasks.sources.parquet import Parquet
from data_tasks.sources.stored import Record
from data_tasks.sources.tfds import Tfds

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
        sample=[
            {"inputs": "Name a colour of the rainbow.", "targets": "red"},
            {"inputs": "2 + 2?", "targets": "4"},
        ],
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
register(
    "code_alpaca",
    group="instruction_following",
    dataset="Code Alpaca",
    stored=Lines("code_alpaca", "code_alpaca_20k_{split}.jsonl"),
    fields={"instruction": "instruction", "context": "input", "response": "output"},
    form=Instruct("instruct", extra=("context",)),
    splits=_FIRST_2000,
    obtain="Hugging Face sahil2801/CodeAlpaca-20k, its list one object a line",
    size=20_022,
    sample=[
        {"instruction": "Double the number.", "input": "n = 4", "output": "n = 2 * n"},
        {"instruction": "Write an endless loop in C.", "input": "", "output": "for (;;) {}"},
    ],
)

register(
    "dolly",
    group="instruction_following",
    dataset="Dolly",
    stored=Tfds("dolly", "databricks_dolly"),
    fields={"instruction": "instruction", "context": "context", "response": "response"},
    form=Instruct("instruct", extra=("context",)),
    splits={"train": "train:1000-", "validation": "train:-1000"},
    obtain="tfds databricks_dolly",
    size=15_011,
)


def _conversation(record: Record) -> list[Record]:
    """Returns the record with its best conversation: of several replies the one that people ranked first."""
    turns, message = [], record["prompt"]
    while message:
        turns.append([{"prompter": "user"}.get(message["role"], message["role"]), message["text"]])
        ranked = sorted(message.get("replies") or [], key=lambda reply: reply.get("rank") or 0)
        message = ranked[0] if ranked else None
    return [record | {"turns": turns}] if len(turns) > 1 else []


def _tree(question: str, *replies: str) -> Record:
    said = [
        {"role": "assistant", "text": text, "rank": rank, "replies": []} for rank, text in enumerate(replies)
    ]
    prompt = {"role": "prompter", "text": question, "lang": "en", "replies": said[::-1]}
    return {"message_tree_id": question[:4], "tree_state": "ready_for_export", "prompt": prompt}


register(
    "oasst1",
    group="instruction_following",
    dataset="OpenAssistant conversations, English",
    stored=Lines("oasst1", "2023-04-12_oasst_{split}.trees.jsonl.gz"),
    fields={"turns": "turns"},
    form=Instruct("instruct", extra=("turns",)),
    splits={"train": "ready:500-", "validation": "ready:-500"},
    keep=lambda record: record["prompt"].get("lang") == "en",
    each=_conversation,
    obtain="Hugging Face OpenAssistant/oasst1, its file of trees",
    size=3_500,
    sample=[_tree("Why is it dark?", "It is night.", "No idea."), _tree("Name a tree.", "An oak.", "Tree.")],
)

register(
    "mbpp",
    group="instruction_following",
    dataset="MBPP",
    stored=Parquet("mbpp", "full/{split}-*.parquet"),
    fields={"instruction": Joined(("text", "test_list")), "response": "code"},
    form=Instruct("instruct"),
    obtain="Hugging Face google-research-datasets/mbpp",
    size=374,
    sample=[
        {
            "task_id": 1,
            "text": "Half a number.",
            "code": "half = lambda n: n / 2",
            "test_list": ["half(2) == 1"],
        },
        {"task_id": 2, "text": "Add two numbers.", "code": "add = sum", "test_list": ["add([1, 2]) == 3"]},
    ],
)
