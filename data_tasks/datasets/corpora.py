"""Corpora: running text of seven sources, for pre-training, and once more as the language modelling of Table 11."""

from data_tasks.formats import denoised
from data_tasks.registry import register
from data_tasks.sources.lines import Lines
from data_tasks.sources.mapping import Joined
from data_tasks.sources.parquet import Parquet
from data_tasks.sources.stored import Make, Record, Stored
from data_tasks.sources.tfds import Tfds
from unified_io.data.denoised import Denoised

HELD_OUT = {"train": "train:2000-", "validation": "train:-2000"}
_FACTS = "The tide comes in twice a day, and the boats of the small harbour rise and fall with it."


def is_code(record: Record) -> bool:
    """Whether a file of the Stack is of a language other than Markdown, which is a row of its own."""
    return record["lang"] != "Markdown"


def _page(text: str, **other: str) -> Record:
    return {"text": text, "timestamp": "2019", "url": "", "content-length": "", "content-type": "", **other}


_PAGES = [_page(_FACTS), _page("A letter took three days then; nobody thought that long.")]


def _corpus(
    name: str,
    dataset: str,
    stored: Stored,
    weight: float,
    size: int,
    obtain: str,
    sample: list[Record],
    *,
    text: str | Make = "text",
    splits: dict[str, str] = HELD_OUT,
    keep: object = None,
    available: bool = True,
) -> None:
    """Registers a corpus for pre-training, and as a task of language modelling."""
    for task, group in ((f"pretrain_{name}", "pretrain_text"), (f"lm_{name}", "language_modelling")):
        register(
            task,
            group=group,
            dataset=dataset,
            stored=stored,
            fields={"text": text},
            form=Denoised(denoised.text, task, targets=("text",), inputs=("text",)),
            splits=splits,
            keep=keep,
            obtain=obtain,
            available=available,
            size=size,
            weight=weight if group == "pretrain_text" else 1.0,
            sample=sample,
        )


_corpus(
    "mc4",
    "mC4, English",
    Tfds("c4", "c4/multilingual"),
    11.7,
    5_000_000_000,
    "tfds c4/multilingual; Hugging Face allenai/c4 has the same texts",
    _PAGES,
    splits={"train": "en", "validation": "en-validation"},
)
_corpus(
    "c4",
    "C4",
    Tfds("c4", "c4/en"),
    10.6,
    266_000_000,
    "tfds c4/en; Hugging Face allenai/c4 has the same texts",
    _PAGES,
    splits={"train": "train", "validation": "validation"},
)

_STACK = "Hugging Face bigcode/the-stack-dedup, gated: "
_SOURCE = [
    {"content": "def half(number):\n    return number / 2\n", "lang": "Python", "ext": "py"},
    {"content": "int twice(int number) { return 2 * number; }\n", "lang": "C", "ext": "c"},
]
_corpus(
    "stack",
    "The Stack",
    Parquet("the_stack", "data/*/*.parquet"),
    3.55,
    147_000_000,
    _STACK + "the folders of the languages wanted",
    _SOURCE,
    text="content",
    keep=is_code,
)
_corpus(
    "red_pajama",
    "RedPajama, Common Crawl",
    Lines("red_pajama", "common_crawl/*/*.jsonl"),
    3.55,
    1_200_000_000,
    "Hugging Face togethercomputer/RedPajama-Data-1T, its list of files; unpack them with zstd",
    [
        {"text": _FACTS, "source": "cc/2023-06/en_head_0000.json.gz/line1"},
        {"text": "The mill has been still since the river changed its bed.", "source": ""},
    ],
)
_corpus(
    "wikipedia",
    "Wikipedia, English",
    Tfds("wikipedia", "wikipedia/20230601.en"),
    1.42,
    6_800_000,
    "tfds wikipedia/20230601.en",
    [
        {"title": "Tide", "text": _FACTS},
        {"title": "Letter", "text": "A letter is a message on paper that is sent to somebody."},
    ],
    text=Joined(("title", "text"), "\n\n"),
)
_corpus(
    "books",
    "RedPajama, Books",
    Lines("red_pajama", "book/*.jsonl"),
    1.06,
    13_000_000,
    "withdrawn; pg19, old books of Project Gutenberg, stands in for it",
    [
        {"meta": {"title": "The mill"}, "text": f"Chapter one. {_FACTS}"},
        {
            "meta": {"title": "The inn"},
            "text": "It was late, and the inn had long been closed for the night.",
        },
    ],
    available=False,
)
_corpus(
    "stack_markdown",
    "The Stack, Markdown",
    Parquet("the_stack", "data/markdown/*.parquet"),
    1.06,
    34_000_000,
    _STACK + "the folder of Markdown",
    [
        {"content": "# Tides\n\n* twice a day\n* never late\n", "lang": "Markdown", "ext": "md"},
        {"content": "## How to install it\n\nUnpack the file and run it.\n", "lang": "Markdown", "ext": "md"},
    ],
    text="content",
)
_corpus(
    "pg19",
    "PG-19",
    Tfds("pg19", "pg19"),
    1.06,
    28_602,
    "tfds pg19; stands in for the books that were withdrawn",
    [
        {
            "book_id": number,
            "book_title": f"Book {number}",
            "book_link": "",
            "publication_date": "1899",
            "book_text": text,
        }
        for number, text in enumerate((f"Chapter one. {_FACTS}", "It was late, and the inn had been closed."))
    ],
    text="book_text",
    splits={"train": "train", "validation": "validation"},
)
