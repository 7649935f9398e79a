"""Every file of wordings with a part for evaluation: enough of them, all alike in their slots, none twice."""

import collections
import importlib
import re

import pytest

from data_tasks.formats.base import PROMPTS, Format
from data_tasks.formats.one_of import OneOf
from data_tasks.registry import REGISTRY
from unified_io.preprocess.prompts import HELD_OUT, read_wordings, slots

# The digits and the denoisers of old have files of their own making, which evaluation shares with training.
FILES = sorted(
    path for path in PROMPTS.glob("*.txt") if HELD_OUT in path.read_text(encoding="utf-8").splitlines()
)
_PARADIGM = re.compile(r"\[(Text|Image|Audio|S|R|X)\]")


def _name(path):
    return path.stem


def test_there_are_files():
    assert len(FILES) > 30


def test_only_the_digits_and_denoisers_have_no_wordings_for_evaluation():
    others = {path.stem for path in PROMPTS.glob("*.txt")} - {path.stem for path in FILES}
    assert not [name for name in others if not name.startswith(("digits_", "denoise_"))]


def test_registered_formats_have_wordings_for_evaluation():
    importlib.import_module("data_tasks.datasets")
    declared = [task.form for task in REGISTRY.values() if isinstance(task.form, Format)]
    assert declared
    forms = [form for one in declared for form in (one.forms if isinstance(one, OneOf) else (one,))]
    assert sorted({form.prompts for form in forms} - {path.stem for path in FILES}) == []


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_there_are_five_wordings_and_two_for_evaluation(path):
    wordings = read_wordings(path)
    assert len(wordings.training) >= 5
    assert len(wordings.held_out) >= 2


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_all_wordings_have_the_same_slots_once(path):
    training, held_out = read_wordings(path)
    wanted = slots(training[0])
    for template in (*training, *held_out):
        found = re.findall(r"\{(\w+)\}", template)
        assert set(found) == wanted and len(found) == len(wanted), template
        assert "{" not in re.sub(r"\{\w+\}", "", template), template


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_no_wording_stands_there_twice(path):
    training, held_out = read_wordings(path)
    counted = collections.Counter(" ".join(t.lower().split()).rstrip("?.!") for t in (*training, *held_out))
    assert not [template for template, count in counted.items() if count > 1]


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_wordings_are_plain_text_without_a_paradigm(path):
    text = path.read_bytes().decode("utf-8")
    assert text.endswith("\n") and "\r" not in text and "\t" not in text
    for line in text.splitlines():
        assert line == " ".join(line.split()), line
        assert line.isascii(), line
        assert not _PARADIGM.search(line), line
        assert len(line) <= 120, line
