"""Run files and flags with one mistake each: an error before anything is compiled, which names the mistake."""

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from unified_io.reliability.drills import refusals
from unified_io.reliability.drills.ground import Ground, Run
from unified_io.reliability.drills.sessions import Session, Surroundings
from unified_io.reliability.drills.verdict import insist, tail

_WRONG_INPUT = 2
_BINDING = re.compile(r"^(s\d+/m\d+\.(\w+)\.(\w+)) = (.*)$", re.M)
_IMPORT = re.compile(r"^from (unified_io[\w.]*) import (\w+) as", re.M)


class Mistake(NamedTuple):
    """A command line with a mistake in it, and what the error must name: what is wrong, and what would be right."""

    what: str
    command: list[str]
    words: tuple[str, ...]


def wrong_config(ground: Ground) -> str:
    """Typos, wrong types, impossible numbers, missing files: exit code 2, nothing compiled, the key named."""
    mistakes = list(_mistakes(ground.run("mistaken", quick=False)))
    mistakes = (
        random.Random(0).sample(mistakes, min(40, len(mistakes))) if ground.quick else _drawn(mistakes, 200)
    )
    asked, found = (ground.folder / f"mistakes.{kind}.json" for kind in ("asked", "found"))
    asked.write_text(json.dumps([mistake.command for mistake in mistakes]))
    around = Surroundings(ground.cache)
    session = Session(refusals.try_all, [str(asked), str(found)], ground.folder / "mistakes.log", around)
    code = session.wait(3600)
    insist(code == 0, f"trying them ended with {code}: {tail(session.log)}")
    wrong = []
    for mistake, result in zip(mistakes, json.loads(found.read_text()), strict=True):
        if reason := _reason(mistake, result):
            print(f"{mistake.what}: {reason}\n{result['said']}\n")
            wrong.append(f"{mistake.what}: {reason}")
    insist(not wrong, f"{len(wrong)} of {len(mistakes)} mistakes: {'; '.join(wrong[:20])}")
    return f"{len(mistakes)} mistakes refused with exit code 2 before anything was compiled, each key named"


def _drawn(mistakes: list[Mistake], most: int) -> list[Mistake]:
    """All that are meant one by one, and as many of the others as there is room for."""
    own = [mistake for mistake in mistakes if not mistake.what.startswith(("key ", "type "))]
    others = [mistake for mistake in mistakes if mistake.what.startswith(("key ", "type "))]
    return own + random.Random(0).sample(others, min(max(most - len(own), 0), len(others)))


def _reason(mistake: Mistake, result: dict) -> str | None:
    """What is wrong with a refusal; None for a good one."""
    if result["code"] != _WRONG_INPUT:
        return f"exit code {result['code']}" if result["code"] != 0 else "was not refused"
    if result["compilations"]:
        return f"refused after {result['compilations']} compilations"
    missing = [word for word in mistake.words if word not in result["said"]]
    return f"does not name {' and '.join(missing)}" if missing else None


def _mistakes(run: Run) -> Iterator[Mistake]:
    text = run.file.read_text()
    for number, (what, changed, words) in enumerate(_in_the_file(text)):
        file = run.file.with_name(f"mistake-{number}.gin")
        file.write_text(changed)
        yield Mistake(what, _command(run, file), words)
    for flag, *words in _FLAGS:
        yield Mistake(f"flag {flag}", [*run.command, flag], tuple(words))
    yield Mistake("verb trian", ["trian", *run.command[1:]], ("train",))
    yield Mistake("file missing.gin", _command(run, Path("missing.gin")), ("missing.gin",))
    yield Mistake("file run/digitz.gin", _command(run, Path("run/digitz.gin")), ("run/digits.gin",))
    blocked = [*run.command[:2], f"--model_dir={run.file}/below"]
    yield Mistake("model_dir below a file", blocked, ("model_dir",))


def _command(run: Run, file: Path) -> list[str]:
    return [run.command[0], f"--gin_file={file}", *run.command[2:]]


def _in_the_file(text: str) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    for found in _BINDING.finditer(text):
        whole, kind, key, value = found.groups()
        wrong = _misspelt(key)
        place = whole.removesuffix(key)
        yield (
            f"key {kind}.{wrong}",
            text.replace(found[0], f"{place}{wrong} = {value}"),
            (wrong, key),
        )
        if not value.startswith("%"):
            yield f"type {kind}.{key}", text.replace(found[0], f"{whole} = {_of_another_type(value)}"), (key,)
    for kind in sorted({found[2] for found in _BINDING.finditer(text)}):
        wrong = _misspelt(kind)
        yield f"class {wrong}", text.replace(f".{kind}()", f".{wrong}()"), (wrong, kind)
    for found in _IMPORT.finditer(text):
        wrong = _misspelt(found[2])
        yield (
            f"import {wrong}",
            text.replace(found[0], f"from {found[1]} import {wrong} as"),
            (wrong, found[2]),
        )
    for line, *words in _LINES:
        yield f"line {line!r}", f"{text}\n{line}\n", tuple(words)
    for key, value, *words in _NUMBERS:
        yield f"{key} = {value}", _with(text, key, value), tuple(words)


def _with(text: str, key: str, value: str) -> str:
    """The file with a value in every scope of a class, whether or not it set one before."""
    kind, _, name = key.partition(".")
    scopes = sorted(set(re.findall(rf"@(s\d+/m\d+\.{kind})\(\)", text)))
    changed = re.sub(rf"^s\d+/m\d+\.{kind}\.{name} = .*\n", "", text, flags=re.M)
    return changed + "".join(f"{scope}.{name} = {value}\n" for scope in scopes)


def _misspelt(word: str) -> str:
    middle = len(word) // 2
    return word[:middle] + word[middle + 1 :] if len(word) > 3 else word + word[-1]


def _of_another_type(value: str) -> str:
    return "7" if value.startswith(("'", "[", "{", "(")) else "'many'"


# Flags with a mistake, and what the error must name.
_FLAGS = (
    ("--gin.TRAIN_STEP=3", "TRAIN_STEP", "TRAIN_STEPS"),
    ("--gin.MODEL_DIRR=x", "MODEL_DIRR", "MODEL_DIR"),
    ("--gin.MIXTURE_OR_TASK_NAM=x", "MIXTURE_OR_TASK_NAME"),
    ("--gin.TRAIN_STEPS=many", "TRAIN_STEPS", "total_steps"),
    ("--gin.TRAIN_STEPS=0", "total_steps"),
    ("--gin.TRAIN_STEPS=-5", "total_steps"),
    ("--gin.TRAIN_STEPS=1.5", "total_steps"),
    ("--gin.MIXTURE_OR_TASK_NAME=drill_mixtur", "drill_mixtur", "drill_mixture"),
    ("--gin.TrianJob.seed=1", "TrianJob", "TrainJob"),
    ("--gin.TrainJob.report_perod=1", "report_perod", "report_period"),
    ("--gin_bindings=TrainJob.seed=zero", "seed"),
    ("--gin_bindings=TrainJob.seed", "TrainJob.seed"),
    ("--gin.TrainJob.seed=[1", "TrainJob.seed"),
    ("--gin_fle=x", "gin_fle"),
    ("--steps=3", "--steps"),
)
# Lines behind the file, likewise.
_LINES = (
    ("TRAIN_STEPS = ", "gin:"),
    ("TRAIN_STEPS = [1", "gin:"),
    ("TRAIN_STEPS", "gin:"),
    ("from os import path as m99", "os", "may not import"),
    ("import subprocess", "subprocess", "may not import"),
    ("include 'run/digitz.gin'", "run/digits.gin"),
    ("nowhere.Thing.size = 3", "nowhere"),
)
# Values that can not work, likewise.
_NUMBERS = (
    ("TrainJob.microbatches", "0", "microbatches"),
    ("TrainJob.report_period", "0", "report_period"),
    ("TrainJob.eval_period", "0", "eval_period"),
    ("TrainJob.checkpoint_period", "0", "checkpoint_period"),
    ("TrainJob.eval_examples", "0", "examples"),
    ("TrainJob.lookahead", "0.5", "lookahead"),
    ("TrainJob.initial_params", "{'': 'no/such/model'}", "no/such/model"),
    ("TrainJob.source", "12", "source"),
    ("World.folder", "'no/such/world'", "no/such/world"),
    ("MeshConfig.data", "3", "data=3"),
    ("MeshConfig.model", "2", "model=2"),
    ("MeshConfig.fsdp", "0", "fsdp=0"),
    ("Budgets.rows", "0", "rows"),
    ("Budgets.encoder_length", "0", "encoder tokens"),
    ("Budgets.inputs", "{'text': 64}", "image", "audio"),
    ("Budgets.inputs", "{'text': 64, 'picture': 4, 'audio': 4}", "picture", "image"),
    ("Budgets.targets", "{'text': 48, 'image': 0}", "image target items"),
    ("Budgets.examples_per_row", "0", "examples"),
    ("OptimizerConfig.name", "'adamv'", "adamv", "adamw"),
    ("OptimizerConfig.frozen", "('/tokeniser/',)", "/tokeniser/"),
    ("ScheduleConfig.factors", "'constant * linear_warmpu'", "linear_warmpu", "linear_warmup"),
    ("ScheduleConfig.factors", "'cosine_decay'", "decay_steps"),
    ("BackboneConfig.remat", "'som'", "remat", "som"),
    ("BackboneConfig.dtype", "'float23'", "float23"),
    ("BackboneConfig.head_dim", "7", "head_dim"),
    ("ImageInput.patch", "5", "patch"),
    ("ImageInput.samples", "9", "samples"),
    ("VitConfig.num_heads", "3", "num_heads"),
    ("VQGANConfig.groups", "3", "groups"),
    ("ImageTarget.vocab_size", "10", "vocab_size"),
    ("Vocabulary.size", "2048", "size"),
    ("Vocabulary.base_size", "1000", "1000"),
    ("Vocabulary.path", "'no/such.model'", "no/such.model"),
    ("MelConfig.fmax", "9000.0", "fmax"),
)
