"""Requests from a file: every line is answered once, as if it were asked alone, and a second call goes on."""

import json

import numpy as np
import pytest
from PIL import Image
from tiny import tiny_model

from unified_io.commands import requests
from unified_io.commands.generate import WRITERS
from unified_io.errors import DataError


@pytest.fixture(scope="module")
def model():
    return tiny_model()


@pytest.fixture
def asked(tmp_path):
    Image.fromarray(np.full((9, 12, 3), 90, np.uint8)).save(tmp_path / "a.png")
    lines = [
        {"text": "one", "image": "a.png", "max_length": 4},
        {"text": "two", "image": "missing.png", "max_length": 4},
        {"text": "six", "image": "a.png", "max_length": 4},
        {"output": "image", "text": "draw", "seed": 3},
        {"output": "action", "text": "write"},
        {"output": "audio", "text": "say"},
    ]
    file = tmp_path / "asked.jsonl"
    file.write_text("\n".join(map(json.dumps, lines[:3])) + "\n\n" + "\n".join(map(json.dumps, lines[3:])))
    return file


def results(out):
    return {one["line"]: one for one in map(json.loads, (out / requests.RESULTS).read_text().splitlines())}


def answer(model, file, out):
    return requests.answer(model, file, out, "text", {"temperature": 0.0}, WRITERS)


def test_every_line_is_answered_and_one_that_can_not_be_says_why(model, asked, tmp_path):
    out = tmp_path / "out"
    assert answer(model, asked, out) == 1
    found = results(out)
    assert sorted(found) == [1, 2, 3, 5, 6, 7]
    assert "missing.png" in found[2]["error"]
    shared = {"temperature": 0.0, "max_length": 4}
    given = [{"text": text, "image": asked.parent / "a.png"} for text in ("one", "six")]
    assert [found[1]["value"], found[3]["value"]] == model.generate_batch(given, **shared)
    pixels = np.asarray(Image.open(out / found[5]["file"])) / 255
    np.testing.assert_allclose(
        pixels, model.generate("image", text="draw", seed=3, temperature=0.0), atol=1 / 255
    )
    assert isinstance(found[6]["value"], list) and (out / found[7]["file"]).suffix == ".wav"


def test_what_was_stopped_goes_on_and_what_failed_is_tried_again(model, asked, tmp_path, monkeypatch):
    out = tmp_path / "out"
    answer(model, asked, out)
    before = results(out)
    lines = (out / requests.RESULTS).read_text().splitlines(keepends=True)
    (out / requests.RESULTS).write_text("".join(lines[:3]) + lines[3][:9])  # it was killed while it wrote
    Image.fromarray(np.full((9, 12, 3), 90, np.uint8)).save(asked.parent / "missing.png")
    made, generate = [], model.generate_batch
    monkeypatch.setattr(
        model, "generate_batch", lambda inputs, *a, **k: made.append(len(inputs)) or generate(inputs, *a, **k)
    )
    assert answer(model, asked, out) == 0
    after = results(out)
    assert made == [3, 1, 1, 1] and sorted(after) == [1, 2, 3, 5, 6, 7]
    assert "value" in after[2] and after[1] == before[1] and after[5] == before[5] and after[6] == before[6]
    made.clear()
    assert answer(model, asked, out) == 0 and made == [] and results(out) == after


@pytest.mark.parametrize(
    ("text", "word"), [(None, "no requests"), ("[1]", "line 1"), ('{"text": "a"}\n{', "line 2")]
)
def test_a_file_that_is_none_is_told_before_anything_is_answered(model, tmp_path, text, word):
    file = tmp_path / "asked.jsonl"
    if text is not None:
        file.write_text(text)
    with pytest.raises(DataError, match=word):
        answer(model, file, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_model_that_does_not_write_it_says_so_for_those_lines_only(model, tmp_path):
    file = tmp_path / "asked.jsonl"
    file.write_text('{"output": "smell", "text": "a"}\n{"text": "a", "max_length": 2}\n')
    assert answer(model, file, tmp_path / "out") == 1
    assert "smell" in results(tmp_path / "out")[1]["error"] and "value" in results(tmp_path / "out")[2]
