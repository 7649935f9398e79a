"""Conversations in the JSON of S3: read, written and read again, and every mistake by file, place and turn."""

import json

import pytest

from data_tasks.sources import dialogs
from unified_io.dialog.turns import Dialog, Medium, bot, user
from unified_io.errors import DataError


def _turn(role, text, kind="text", key="text"):
    return {"role": role, "type": kind, key: text}


ROSE = {
    "id": "7",
    "messages": [
        _turn("user", "media/rose.png", "image"),
        _turn("user", "What is it?"),
        _turn("bot", "A rose."),
    ],
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "rose.png").write_bytes(b"a picture")
    return tmp_path


def _file(folder, name, text):
    path = folder / name
    path.write_text(text if isinstance(text, str) else json.dumps(text), encoding="utf-8")
    return path


def test_lines_a_list_and_one_object_are_the_same(folder):
    rose = Medium("image", folder / "media" / "rose.png")
    wanted = [Dialog((user(rose), user("What is it?"), bot("A rose.")), name="7")]
    assert dialogs.read(_file(folder, "a.jsonl", "\n" + json.dumps(ROSE) + "\n")) == wanted
    assert dialogs.read(_file(folder, "a.json", [ROSE])) == wanted
    assert dialogs.read(_file(folder, "b.json", ROSE)) == wanted
    assert dialogs.read(_file(folder, "c.json", [])) == []


def test_the_key_of_the_code_is_read_too(folder):
    turns = [_turn("user", "a?", key="content"), _turn("bot", "b", key="content")]
    assert dialogs.read(_file(folder, "a.json", {"messages": turns}))[0].messages == (user("a?"), bot("b"))


def test_a_system_message_of_its_own_goes_before_that_of_the_dataset(folder):
    own = {"messages": [_turn("system", "Be kind."), _turn("user", "a?")]}
    found = dialogs.read(
        _file(folder, "a.json", [own, {"messages": [_turn("user", "a?")]}]), system="Be brief."
    )
    assert [dialog.system for dialog in found] == [("Be kind.",), ("Be brief.",)]


def test_what_is_written_is_read_again(folder):
    rose = Medium("image", folder / "media" / "rose.png")
    given = [
        Dialog((user("a?"), user(rose), bot("ü\n")), system="s", name="x"),
        Dialog((user(rose), user("b?"), bot("c"), user("d?"))),
    ]
    dialogs.write(folder / "out.jsonl", given)
    assert dialogs.read(folder / "out.jsonl") == given
    assert str(folder) not in (folder / "out.jsonl").read_text()


def test_only_files_can_be_written(folder):
    with pytest.raises(DataError, match="no whole file"):
        dialogs.write(folder / "out.jsonl", [Dialog((user(Medium("image", b"bytes")),))])
    with pytest.raises(DataError, match="system message of dialog 'x' holds a medium"):
        dialogs.write(folder / "out.jsonl", [Dialog((user("a"),), (Medium("image", "a.png"),), "x")])


@pytest.mark.parametrize(
    ("turn", "words"),
    [
        (_turn("robot", "a"), "unknown role in turn 1 'robot'; did you mean"),
        (_turn("user", "a.mp4", "video"), "unknown type in turn 1 'video'"),
        (_turn("user", "b.png", "image"), "turn 1 names 'b.png', but there is no file"),
        (_turn("user", "../b.png", "image"), "'../b.png' lies outside"),
        (_turn("bot", "media/rose.png", "image"), "turn 1 is a bot's and of type 'image'"),
        (_turn("user", "  "), "turn 1 holds '  ' under text or content"),
        (_turn("user", 7), "turn 1 holds 7"),
        ({"role": "user", "type": "text"}, "turn 1 holds None"),
        ("hello", "turn 1 is 'hello'"),
    ],
)
def test_a_mistake_is_named_by_file_line_and_turn(folder, turn, words):
    wrong = {"messages": [_turn("user", "a?"), turn]}
    path = _file(folder, "a.jsonl", json.dumps(ROSE) + "\n\n" + json.dumps(wrong))
    with pytest.raises(DataError, match=rf"line 3 of .*a\.jsonl: .*{words}"):
        dialogs.read(path)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.json", "{", r"a\.json is no JSON"),
        ("a.jsonl", "{}\n{", r"line 2 of .*a\.jsonl is no JSON"),
        ("a.json", "[" * 100_000, r"a\.json is no JSON"),
        ("a.json", '[{"id": 1}]', r"dialog 0 of .*no dialog"),
        ("a.json", '[{"messages": []}]', "dialog 0 of .*has no turn"),
        ("a.json", "[3]", "dialog 0 of .*'3' is no dialog"),
    ],
)
def test_a_file_that_is_none_is_named(folder, name, text, words):
    with pytest.raises(DataError, match=words):
        dialogs.read(_file(folder, name, text))
    with pytest.raises(DataError, match="can not be read"):
        dialogs.read(folder / "nowhere.json")
