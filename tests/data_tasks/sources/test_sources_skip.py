"""A record that can not be read is named by dataset, split, number and field; the next ones are read all the same."""

import itertools

import numpy as np
import pytest
import seqio
from PIL import Image

from data_tasks.formats.caption import Caption
from data_tasks.registry import REGISTRY, register
from data_tasks.sources import mapping
from data_tasks.sources.lines import Lines
from data_tasks.sources.made import Made
from data_tasks.sources.stored import Reading
from tests.data.fakes import INPUTS, TARGETS
from unified_io.data import pipeline
from unified_io.data.budgets import Budgets
from unified_io.data.loader import Loader
from unified_io.data.records import Records
from unified_io.errors import DataError

NAME = "sources_skip"
GOOD = {"image": "a.png", "captions": ["a grey square"]}
BAD = {
    1: ({"image": "broken.png", "captions": ["x"]}, "field image: .*broken.png"),
    2: ({"image": "absent.png", "captions": ["x"]}, "field image: no image at .*absent.png"),
    4: ({"captions": ["x"]}, "field image: 'image' is missing; the record has captions"),
    5: ({"image": "a.png", "captions": 3}, "field captions is '3'"),
    6: ({"image": "a.png", "captions": [" "]}, "caption"),
    8: ({"image": "../a.png", "captions": ["x"]}, "field image: .*outside of the dataset"),
    9: ({"image": None, "captions": ["x"]}, "field image: it is empty"),
}


@pytest.fixture(scope="module")
def reading(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    stored = Lines("squares")
    records = [BAD[number][0] if number in BAD else GOOD for number in range(11)]
    for split in ("train", "validation"):
        stored.write(folder / "squares", split, records)
    Image.fromarray(np.full((9, 7, 3), 128, np.uint8)).save(folder / "squares/a.png")
    (folder / "squares/broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    fields = {"image": mapping.Picture("image"), "captions": "captions"}
    register(NAME, group="test", dataset="squares", stored=stored, fields=fields, form=Caption("caption"))
    yield Reading(str(folder))
    seqio.TaskRegistry.remove(NAME)
    del REGISTRY[NAME]


@pytest.fixture
def task(reading):
    declared = seqio.TaskRegistry.get(NAME)
    return declared.replace(source=reading.in_place_of(declared.source))


def read(examples):
    """All that is there: names of the good, errors of the others."""
    good, errors = [], []
    while True:
        try:
            example = next(examples)
        except StopIteration:
            return good, errors
        except DataError as error:
            errors.append(str(error))
        else:
            good.append(example["meta/id"])


@pytest.mark.parametrize("split", ["train", "validation"])
@pytest.mark.parametrize("shuffle", [False, True])
def test_the_next_example_is_behind_the_broken_one(task, split, shuffle):
    good, errors = read(pipeline.examples(task, split, seed=1, shuffle=shuffle))
    assert sorted(good) == sorted(f"squares {split} {number}" for number in range(11) if number not in BAD)
    assert len(errors) == len(BAD)
    for number, (_, says) in BAD.items():
        (error,) = [error for error in errors if f"squares {split} {number}:" in error]
        with pytest.raises(DataError, match=says):
            raise DataError(error)


@pytest.mark.parametrize("split", ["train", "validation"])
def test_records_go_on_behind_it_too(task, split):
    records = Records(task, split, seed=3, draw=0)
    good, errors = set(), set()
    for _ in range(22):
        try:
            example, place = next(records)
        except DataError as error:
            assert f"squares {split} " in str(error) and "read from" in str(error)
            errors.add(str(error))
        else:
            assert place is not None
            good.add(example["meta/id"])
    assert good == {f"squares {split} {number}" for number in range(11) if number not in BAD}
    assert len(errors) == len(BAD)


@pytest.mark.parametrize("split", ["train", "validation"])
def test_batches_are_made_of_the_others_and_the_broken_are_listed(reading, split, tmp_path):
    bound = pipeline.bind(NAME, INPUTS, TARGETS, source=reading)
    budgets = Budgets(2, 150, 60, {"words": 300, "pictures": 24}, {"answers": 100, "drawings": 8})
    loader = Loader(bound, INPUTS, TARGETS, budgets, split=split, folder=tmp_path)
    batches = loader.batches()
    list(itertools.islice(batches, 6))
    batches.close()
    said = " ".join(f"{entry.name} {entry.reason}" for entry in loader.quarantine)
    assert loader.report()["quarantined"] >= len(BAD)
    assert all(f"squares {split} {number}" in said for number in BAD)
    assert (tmp_path / "quarantine.jsonl").read_text().count("\n") == len(loader.quarantine)


MADE = "sources_made"
WANTED: list[int] = []


def _noted(split, number):
    WANTED.append(number)
    return {"image": np.full((4, 4, 3), number / 50, np.float32), "captions": [f"number {number}"]}


@pytest.fixture
def made():
    fields = {"image": "image", "captions": "captions"}
    stored = Made("numbers", _noted, {"train": 50})
    yield register(
        MADE, group="test", dataset="numbers", stored=stored, fields=fields, form=Caption("caption")
    )
    seqio.TaskRegistry.remove(MADE)
    del REGISTRY[MADE]


def test_who_goes_on_makes_nothing_that_lies_before(made):
    task = seqio.TaskRegistry.get(MADE)
    records = Records(task, "train", seed=3, draw=0)
    whole = [next(records) for _ in range(50)]
    _, place = whole[30]
    again = Records(task, "train", seed=3, draw=0, place=place)
    before = {_number(example) for example, _ in whole[:30]}
    WANTED.clear()
    rest = [next(again) for _ in range(5)]
    assert [at for _, at in rest] == [at for _, at in whole[30:35]]
    assert [example["meta/id"] for example, _ in rest] == [example["meta/id"] for example, _ in whole[30:35]]
    assert not before & set(WANTED), "records before the place were made, only to be left out"


def _number(example):
    return int(example["meta/id"].split()[-1])
