"""A log of what became of examples: goes on where it was stopped, even within a line."""

import json

import pytest

from data_tasks.augmentation import log
from unified_io.errors import DataError


def _make(text):
    if not text:
        raise log.Dropped("empty")
    return {"text": text.upper()}


def test_keeps_drops_and_counts(tmp_path):
    path = tmp_path / "new" / "log.jsonl"
    counts = log.extend(path, [("1", "a"), ("2", ""), ("3", "ü"), ("4", "")], _make)
    assert counts == {"kept": 2, "empty": 2}
    assert [*log.kept(path)] == [{"id": "1", "text": "A"}, {"id": "3", "text": "Ü"}]
    assert [line["id"] for line in log.lines(path)] == ["1", "2", "3", "4"]


@pytest.mark.parametrize("cut", [0, 1, 12, 30, 1000])
def test_goes_on_wherever_it_was_stopped(tmp_path, cut):
    path, examples = tmp_path / "log.jsonl", [(str(i), "a" * (i % 3)) for i in range(6)]
    whole = log.extend(path, examples, _make)
    content, asked = path.read_bytes(), []
    path.write_bytes(content[:cut])

    def make(text):
        asked.append(text)
        return _make(text)

    assert log.extend(path, examples, make) == whole
    assert path.read_bytes() == content
    assert len(asked) == len(examples) - content[:cut].count(b"\n")


def test_what_was_made_before_an_error_stays(tmp_path):
    path = tmp_path / "log.jsonl"

    def make(text):
        if text == "c":
            raise OSError("the model is away")
        return {"text": text}

    with pytest.raises(OSError, match="away"):
        log.extend(path, [("1", "a"), ("2", "b"), ("3", "c")], make)
    assert [line["id"] for line in log.lines(path)] == ["1", "2"]


def test_refuses_what_would_be_lost(tmp_path):
    path = tmp_path / "log.jsonl"
    with pytest.raises(DataError, match="two examples have the id '1'"):
        log.extend(path, [("1", "a"), ("1", "b")], _make)
    with pytest.raises(DataError, match="'id' of what was made"):
        log.extend(path, [("2", "b")], lambda text: {"id": text})
    path.write_text('{"id": "1"}\nnothing\n')
    with pytest.raises(DataError, match="line 2 of .* is no JSON"):
        [*log.lines(path)]
    path.write_text(json.dumps(["1"]) + "\n")
    with pytest.raises(DataError, match="line 1 of .* no object with an id"):
        log.extend(path, [], _make)
    assert [*log.lines(tmp_path / "none.jsonl")] == []
