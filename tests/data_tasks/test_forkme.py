"""The page about adding a dataset, followed word for word in a folder of its own."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import seqio

import data_tasks.datasets
from data_tasks.registry import REGISTRY
from unified_io import cli

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "add_your_dataset.md"
BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```$", re.M | re.S)


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A folder with the template in it, whose copies are found where datasets are."""
    (tmp_path / "data_tasks" / "datasets").mkdir(parents=True)
    shutil.copy(ROOT / "data_tasks" / "forkme.py", tmp_path / "data_tasks")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        data_tasks.datasets,
        "__path__",
        [*data_tasks.datasets.__path__, str(tmp_path / "data_tasks" / "datasets")],
    )
    yield tmp_path
    for name in ("flowers_kind", "flowers_caption"):
        REGISTRY.pop(name, None)
        seqio.TaskRegistry.remove(name)
    sys.modules.pop("data_tasks.datasets.flowers", None)
    vars(data_tasks.datasets).pop("flowers", None)


def follow(kind, text, monkeypatch):
    """Does what a block of the page says."""
    if kind == "python":
        exec(compile(text, str(PAGE), "exec"), {})
        return
    for line in text.splitlines():
        first, *rest = shlex.split(line)
        if first == "export":
            monkeypatch.setenv(*rest[0].split("=", 1))
        elif first == "unified-io":
            assert cli.main(rest) == 0, line
        else:
            subprocess.run([first, *rest], check=True)


def test_the_page_works_as_it_stands(elsewhere, monkeypatch, capsys):
    blocks = BLOCK.findall(PAGE.read_text())
    assert [kind for kind, _ in blocks] == ["bash", "bash", "bash", "python", "bash", "python"]
    for kind, text in blocks:
        follow(kind, text, monkeypatch)
    said = capsys.readouterr().out
    assert "2 records, all of them right" in said
    assert "2 examples in one batch" in said and "1.0}" in said
    assert re.search(r"flowers_kind +own +Flowers +text, image -> text +Tag .* yes", said)
    page = (elsewhere / "shown" / "report.html").read_text()
    assert "data:image/png" in page and "rose" in page
    assert {"flowers_kind", "flowers_caption"} <= {*REGISTRY}


def test_a_broken_record_is_named(elsewhere, monkeypatch, capsys):
    for kind, text in BLOCK.findall(PAGE.read_text())[:4]:
        follow(kind, text, monkeypatch)
    file = Path("data/flowers/train.jsonl")
    file.write_text(file.read_text().replace('"daisy"', '"dandelion"', 1).replace("1.jpg", "9.jpg", 1))
    capsys.readouterr()
    flags = ["--task", "flowers_kind", "--module", "data_tasks.datasets.flowers"]
    assert cli.main(["data", "validate", str(file), *flags]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert re.match(r"train.jsonl +0 +image +.*9.jpg", lines[1])
    assert re.match(r"train.jsonl +1 +name +unknown class 'dandelion'", lines[2])
    assert lines[-1] == "2 of 2 records are wrong"
