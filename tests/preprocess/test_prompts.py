import numpy as np
import pytest

from unified_io.errors import DataError
from unified_io.preprocess.prompts import choose, fill, read_templates, slots


def test_templates_are_lines_without_comments(tmp_path):
    path = tmp_path / "task.txt"
    path.write_text("# said to the model\n\nwhat is {thing}?\n  name {thing}  \n", encoding="utf-8")
    assert read_templates(path) == ("what is {thing}?", "name {thing}")


def test_missing_and_empty_files_are_named(tmp_path):
    with pytest.raises(DataError, match="no prompts at .*gone.txt"):
        read_templates(tmp_path / "gone.txt")
    (tmp_path / "empty.txt").write_text("# nothing\n", encoding="utf-8")
    with pytest.raises(DataError, match="holds no template"):
        read_templates(tmp_path / "empty.txt")


def test_braces_in_content_survive():
    content = {"text": "{label} {{x}} \\1 {0}", "label": "{text}"}
    assert fill("say {text} as {label}", content) == "say {label} {{x}} \\1 {0} as {text}"


def test_a_slot_needs_content_and_content_a_slot():
    assert slots("a {b} and {c}") == {"b", "c"}
    with pytest.raises(DataError, match="has slots \\['b'\\], content is for \\['c'\\]"):
        fill("a {b}", {"c": "x"})
    with pytest.raises(DataError, match="content is for \\['b'\\]"):
        fill("plain", {"b": "x"})


def test_every_template_is_drawn():
    templates = ("a", "b", "c")
    rng = np.random.default_rng(0)
    assert {choose(templates, rng) for _ in range(50)} == set(templates)
