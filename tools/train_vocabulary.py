"""Trains the text vocabulary this repository ships: a small SentencePiece BPE model in LLaMA's layout.

The corpus is what every installation has at hand: the docstrings of Python's standard library, NumPy, SciPy
and scikit-learn, and the everyday sentences below, which are repeated until their words are single pieces.
The same libraries give the same bytes; other versions of them give a slightly different model, so retrain
only on purpose.

    python tools/train_vocabulary.py --output unified_io/vocabularies/small.model
"""

import argparse
import ast
import importlib.util
import io
import itertools
import sysconfig
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

import sentencepiece

LIBRARIES = ("numpy", "scipy", "sklearn")
# Words that also start a sentence, and words that seldom do.
OPENERS = """
zero one two three four five six seven eight nine draw say write read show tell describe find locate point
name count listen look hear see speak make generate create produce paint play match compare choose pick add
copy trace repeat complete fill segment detect recognise answer transcribe caption move follow continue stop
go turn is are was does do can should contains a an the this that these those it its of in on at to from by
with without for and or but than then as if so which what who where when how why there here you your we me
my i he she they them please any some each other another more most less above below between under over
inside outside before after while only also into up down
"""
OTHERS = """
ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty
sixty seventy eighty ninety hundred thousand first second third fourth fifth last next previous half double
none both all every image picture photo drawing sketch sound audio recording voice speech video frame clip
digit number letter word question color shape box line pen stroke action movement path circle square
triangle star cross dot corner edge middle side top bottom left right center row column object part face eye
ear nose shoulder elbow wrist hip knee ankle hand head body person man woman child dog cat bird horse car
bus train house tree flower sky water table chair cup book ball depth normal surface mask background noise
tone beep pitch music song instrument rain wind speaker room scene sentence text story step target input
output sum difference product pair list order size place position region area direction end start red green
blue yellow orange purple brown pink black white gray dark bright light large larger largest big bigger
small smaller smallest long longer short shorter high higher low lower loud louder quiet quieter fast slow
odd even same different equal true false yes no not near far upper inner outer new old good random blank
noisy clean hidden missing empty full thick thin round straight curved spoken written handwritten
"""
SENTENCES = (
    "What is in the image?",
    "What is in the picture?",
    "What digit is shown in this image?",
    "Which digit do you see?",
    "Which digit do you hear in the recording?",
    "What number is spoken in the sound?",
    "Which number is larger, the one in the image or the one in the sound?",
    "Which is larger: the digit you see or the digit you hear?",
    "Are the two digits the same? Answer yes or no.",
    "Is the number in the picture odd or even?",
    "What is the sum of the two numbers?",
    "Draw the digit. Draw a picture of the number.",
    "Draw the number you hear with a pen.",
    "Write the digit as a word. Write what you hear.",
    "Say the number in the picture. Say the digit aloud.",
    "Generate an image of the digit. Generate the sound of the word.",
    "An image of a random picture. A video of a random audio.",
    "Where is the digit? Find the box around the digit.",
    "Point at the digit on the left. Point at the digit on the right.",
    "Describe the image in one sentence. Describe the sound.",
    "Complete the hidden part of the image. Complete the missing part of the sound.",
    "The image shows the digit. The picture shows a number. The sound says the word.",
    "Trace the digit with the pen: start at the top and end at the bottom.",
    "Question: how many digits are there? Answer: there are two.",
    "I can not tell. It is a small handwritten digit in the middle of a dark image.",
)


def docstrings(limit: int) -> Iterator[str]:
    """Yields the prose lines of the docstrings of each library, at most `limit` characters of each."""
    standard = Path(sysconfig.get_paths()["stdlib"])
    yield from itertools.chain.from_iterable(
        _take(_lines(files), limit)
        for files in (
            sorted(standard.glob("*.py")),
            *(sorted(_folder(name).rglob("*.py")) for name in LIBRARIES),
        )
    )


def _folder(library: str) -> Path:
    spec = importlib.util.find_spec(library)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{library} is not installed; the corpus needs {', '.join(LIBRARIES)}")
    return Path(spec.origin).parent


def _lines(files: Iterable[Path]) -> Iterator[str]:
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for file in files:
        if "tests" in file.parts:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # other people's invalid escapes are not our business
            tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, documented):
                lines = map(str.strip, (ast.get_docstring(node) or "").splitlines())
                yield from (line for line in lines if _is_prose(line))


def _is_prose(line: str) -> bool:
    """Tells sentences from code, tables and underlines."""
    letters = sum(char.isalpha() or char == " " for char in line)
    return line.count(" ") >= 3 and not line.startswith((">>>", "...")) and letters >= 0.85 * len(line)


def _take(lines: Iterable[str], limit: int) -> Iterator[str]:
    for line in lines:
        limit -= len(line)
        if limit < 0:
            return
        yield line


def everyday(weight: int) -> Iterator[str]:
    """Yields the sentences of our own, each of their words about `weight` times or more."""
    for word in (*OPENERS.split(), *OTHERS.split()):
        yield from [word] * weight
    for word in OPENERS.split():
        yield from [word.capitalize()] * (weight // 4)
    for sentence in SENTENCES:
        yield from [sentence] * (weight // 8)


def train(corpus: Iterable[str], pieces: int) -> bytes:
    """Trains a BPE model of `pieces` pieces, bytes and control pieces included; returns the file's content.

    As in LLaMA's: nothing is normalised, spaces are kept as they are and one is put in front, digits stand
    alone, and what no piece covers is written in bytes.
    """
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus),
        model_writer=model,
        model_type="bpe",
        vocab_size=pieces,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        add_dummy_prefix=True,
        allow_whitespace_only_pieces=True,
        split_digits=True,
        byte_fallback=True,
        character_coverage=0.9999,
        required_chars="".join(map(chr, range(0x21, 0x7F))),
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=-1,
        num_threads=1,  # so that the order of equal merges is always the same
        minloglevel=2,
    )
    return model.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Train the small text vocabulary.", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    shipped = Path("unified_io/vocabularies/small.model")
    parser.add_argument("--output", type=Path, default=shipped, help="file to write")
    parser.add_argument(
        "--pieces", type=int, default=2048, help="pieces, with 256 bytes and 3 control pieces"
    )
    parser.add_argument("--limit", type=int, default=1_000_000, help="characters taken from each library")
    parser.add_argument("--weight", type=int, default=2000, help="times each everyday word is repeated")
    args = parser.parse_args()
    model = train(itertools.chain(docstrings(args.limit), everyday(args.weight)), args.pieces)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_bytes(model)
    print(f"{args.output}: {args.pieces} pieces, {len(model) / 1000:.1f} kB")


if __name__ == "__main__":
    main()
