"""`unified-io data list|show|validate|convert` on small files and registrations of their own."""

import json
import re
import sys
import types

import numpy as np
import pytest
import seqio
from PIL import Image

from data_tasks import catalogue
from data_tasks.formats.caption import Caption
from data_tasks.formats.tag import Tag
from data_tasks.paper import GROUPS
from data_tasks.registry import REGISTRY, register
from data_tasks.sources.lines import Lines
from data_tasks.sources.mapping import Boxes, Constant, Picture
from data_tasks.sources.records import Records
from data_tasks.sources.stored import Mapped, Reading
from tests.tiny import MEL, tiny_config
from unified_io import cli

SAMPLE = [{"file": "1.png", "kind": "rose", "box": [[1, 2, 3, 4]], "h": 8, "w": 8}]
MODULE = "data_tasks.registered_for_test"


@pytest.fixture(scope="module", autouse=True)
def tasks():
    """Registers two tasks, and a module that stands for the file which does so."""
    about = {
        "dataset": "Roses",
        "stored": Lines("roses", "{split}.jsonl"),
        "splits": {"train": "train:5-", "validation": "train:-5"},
        "obtain": "a garden",
        "sample": SAMPLE,
        "media": ("1.png",),
    }
    fields = {"image": Picture("file"), "name": "kind", "classes": Constant(("rose", "tulip"))}
    with pytest.MonkeyPatch.context() as patch:
        register("cli_kind", group="tagging", form=Tag("tag"), fields=fields, **about)
        register(
            "cli_gone",
            group="vqa",
            form=Caption("caption"),
            fields={"image": Picture("file"), "captions": "kind"},
            available=False,
            **about | {"obtain": "withdrawn"},
        )
        patch.setitem(sys.modules, MODULE, types.ModuleType(MODULE))
        yield
    for name in ("cli_kind", "cli_gone"):
        REGISTRY.pop(name)
        seqio.TaskRegistry.remove(name)


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Runs `unified-io data …` in a folder: exit code, what it printed, the error text."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UNIFIED_IO_DATA", "data")

    def call(*flags):
        code = cli.main(["data", *flags, f"--module={MODULE}"])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture
def roses(command, tmp_path):
    """The dataset of the tasks, on the disk."""
    folder = tmp_path / "data" / "roses"
    folder.mkdir(parents=True)
    for number in (1, 2):
        Image.fromarray(np.full((8, 8, 3), 50 * number, np.uint8)).save(folder / f"{number}.png")
    records = [{**SAMPLE[0], "file": f"{n % 2 + 1}.png", "kind": ["rose", "tulip"][n % 2]} for n in range(8)]
    Lines("roses", "{split}.jsonl").write(folder, "train", records)
    return folder


def test_the_table_names_group_format_metric_and_why_not(command):
    code, table, _ = command("list")
    assert code == 0
    assert re.search(
        r"cli_kind +tagging +Roses +text, image -> text +Tag +\S+ +no: no data in data.roses +a garden", table
    )
    assert re.search(r"cli_gone +vqa +Roses .* no: can not be had +withdrawn", table)
    assert re.search(rf"tagging +\d+ of {GROUPS['tagging'].tasks}\n", table)
    code, table, _ = command("list", "--group", "vqa")
    assert "cli_gone" in table and "cli_kind" not in table
    code, _, complaint = command("list", "--group", "vaq")
    assert code == 2 and "'vqa'" in complaint


def test_the_sums_are_one_line_of_json(command, roses):
    code, printed, _ = command("list", "--json")
    found = json.loads(printed.splitlines()[-1])
    assert code == 0 and found["registered"] == len(REGISTRY)
    assert found["runnable"] <= found["registered"] - 1 and found["here"] >= 1
    assert found["groups"]["tagging"][1] == 8 and found["groups"]["tagging"][0] >= 1
    assert len(found["groups"]) >= len(GROUPS) and {"Tag", "Caption"} <= {*found["formats"]}
    row = next(row for row in catalogue.rows("tagging") if row.name == "cli_kind")
    assert row.here and row.why == ""


def test_the_paper_has_as_many_tasks_as_it_says():
    assert sum(group.tasks for name, group in GROUPS.items() if not name.startswith("pretrain")) == 227


def test_a_page_shows_what_the_model_sees(command, roses, tmp_path):
    code, said, _ = command("show", "cli_kind", "--out", "page", "--examples", "2")
    assert code == 0 and "report.html" in said
    page = (tmp_path / "page" / "report.html").read_text()
    assert "roses train 5" in page and "data:image/png" in page and "tulip" in page
    assert "the judge reads" in page


def test_a_page_of_made_up_records_needs_no_data(command, tmp_path):
    assert command("show", "cli_kind", "--sample", "--out", "page")[0] == 0
    assert "rose" in (tmp_path / "page" / "report.html").read_text()


def test_a_run_file_says_what_is_read_and_by_which_model(command, roses, monkeypatch, tmp_path):
    training = types.SimpleNamespace(model=tiny_config(), source=Reading("elsewhere", MEL), objective=None)
    monkeypatch.setattr(cli, "_build", lambda args: types.SimpleNamespace(training=training))
    flags = ("cli_kind", "--gin_file=x.gin", "--out", "page")
    code, _, complaint = command("show", *flags)
    assert code == 2 and "elsewhere" in complaint
    training.source = Reading(str(roses.parent), MEL)
    assert command("show", *flags)[0] == 0
    assert "roses train 5" in (tmp_path / "page" / "report.html").read_text()


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        (["cli_knid"], "did you mean 'cli_kind'"),
        (["cli_kind"], "train.jsonl"),
        (["cli_kind", "--split=tset", "--sample"], "unknown split 'tset'"),
        (["cli_kind", "--examples=0"], "0 examples"),
    ],
)
def test_what_can_not_be_shown_is_said(command, flags, word):
    code, _, complaint = command("show", *flags)
    assert code == 2 and word in complaint


def test_every_record_is_checked_with_the_mapping_of_a_task(command, roses):
    file = roses / "train.jsonl"
    code, said, _ = command("validate", str(file), "--task", "cli_kind")
    assert (code, said.strip()) == (0, "8 records, all of them right")
    (roses / "2.png").write_bytes((roses / "2.png").read_bytes()[:30])
    lines = file.read_text().splitlines()
    lines[2], lines[4] = lines[2].replace('"rose"', '"lily"'), "{no json"
    lines[6] = lines[6].replace('"kind"', '"sort"')
    file.write_text("\n".join(lines) + "\n")
    code, said, _ = command("validate", str(file), "--task", "cli_kind", "--json")
    found = json.loads(said.splitlines()[-1])
    assert code == 1 and found["records"] == 8
    wrong = {(error["record"], error["field"]) for error in found["errors"]}
    assert wrong == {(str(n), "image") for n in (1, 3, 5, 7)} | {("2", "name"), ("4", ""), ("6", "name")}
    assert {error["file"] for error in found["errors"]} == {"train.jsonl"}
    code, said, _ = command("validate", str(file), "--task", "cli_kind", "--most", "2")
    assert code == 1 and "7 of 8 records are wrong; 5 more errors" in said


@pytest.mark.parametrize(
    ("record", "field", "word"),
    [
        ({"captions": ["a dog", " "]}, "captions", "entry 1 is empty"),
        ({"text": ""}, "text", "empty"),
        ({"text": 3}, "text", "wanted text"),
        ({"boxes": [[0.5, 0, 0.2, 1]]}, "boxes", "box 0"),
        ({"boxes": [[0, 0, 1, 1]], "names": ["a", "b"]}, "boxes", "2 names for 1 boxes"),
        ({"name": "c", "classes": ["a", "b"]}, "name", "unknown class 'c'"),
        ({"image": "1.png", "masks": [[[True]]]}, "masks", "[1, 1], the picture of [8, 8]"),
        ({"image": "../1.png"}, "image", "outside"),
        ({"image": "9.png"}, "image", "9.png"),
        ({"capton": "a"}, "capton", "captions"),
        ({"depth": [[float("nan")]]}, "depth", "NaN"),
    ],
)
def test_records_in_our_own_names_are_checked_field_by_field(command, roses, record, field, word):
    file = roses / "own.jsonl"
    file.write_text(json.dumps({"id": "fine", "captions": ["a"]}) + "\n" + json.dumps(record) + "\n")
    code, said, _ = command("validate", str(file), "--json")
    errors = json.loads(said.splitlines()[-1])["errors"]
    assert code == 1 and [(error["record"], error["field"]) for error in errors] == [("1", field)]
    assert word in errors[0]["reason"]


def test_a_file_of_no_kind_is_told(command, roses):
    (roses / "x.docx").write_text("")
    code, _, complaint = command("validate", str(roses / "x.docx"))
    assert code == 2 and "unknown kind of file '.docx'" in complaint
    code, _, complaint = command("validate", str(roses / "none.jsonl"))
    assert code == 2 and "no file" in complaint


def _read(folder, fields):
    """What a task would read of converted records."""
    source = Mapped(Records("flowers"), fields, {"train": "train"}, reading=Reading(str(folder)))
    return [
        raw for n in range(source.num_input_examples("train")) for raw in source.raw("train", {"index": n})
    ]


def test_a_folder_of_pictures_becomes_records(command, roses, tmp_path):
    for kind in ("rose", "tulip"):
        (tmp_path / "pictures" / kind).mkdir(parents=True)
        (tmp_path / "pictures" / kind / "a.png").write_bytes((roses / "1.png").read_bytes())
    (tmp_path / "pictures" / "rose" / "a.txt").write_text("a rose\n\nred\n")
    (tmp_path / "pictures" / "rose" / "b.png").write_bytes(b"no picture")
    code, said, _ = command("convert", "pictures", "--to", "data/flowers")
    assert code == 1 and "2 records written" in said and "image" in said
    made = _read(tmp_path / "data", {"image": Picture("image"), "name": "name"})
    assert [raw["name"] for raw in made] == ["rose", "tulip"]
    assert made[0]["image"].shape == (8, 8, 3) and made[0]["image"][0, 0, 0] == pytest.approx(50 / 255)


@pytest.mark.parametrize("kind", ["own.jsonl", "own.csv", "own.parquet", "own.tar"])
def test_files_become_records(command, roses, tmp_path, kind):
    from data_tasks.files import of_file

    if kind.endswith("parquet"):
        pytest.importorskip("pyarrow")
    content = (roses / "1.png").read_bytes()
    records = {
        "own.jsonl": [{"image": "1.png", "text": "x"}],
        "own.csv": [{"image": "1.png", "text": "x"}],
        "own.parquet": [{"image": content, "text": "x"}],
        "own.tar": [{"image": content, "text": "x"}],
    }[kind]
    (roses / kind).touch()
    of_file(roses / kind).write(roses, "", records)
    code, said, complaint = command("convert", str(roses / kind), "--to", "data/flowers")
    assert (code, said) == (0, "1 records written to data/flowers\n"), said + complaint
    (raw,) = _read(tmp_path / "data", {"image": Picture("image"), "text": "text"})
    assert raw["text"] == "x" and raw["image"].shape == (8, 8, 3)


def test_members_of_a_tar_file_are_known_by_their_endings(command, roses, tmp_path):
    from data_tasks.sources.tar import TarShards

    members = {"key": "7", "png": (roses / "1.png").read_bytes(), "txt": "a rose", "json": {"name": "rose"}}
    TarShards("", "web.tar").write(roses, "", [members])
    code, said, complaint = command("convert", str(roses / "web.tar"), "--to", "data/flowers")
    assert code == 0, said + complaint
    fields = {"id": "id", "image": Picture("image"), "captions": "captions", "name": "name"}
    (raw,) = _read(tmp_path / "data", fields)
    assert (raw["id"], raw["captions"], raw["name"]) == ("7", ["a rose"], "rose")


def test_a_mapping_turns_units_on_the_way(command, roses, tmp_path):
    register(
        "cli_boxed",
        group="own",
        dataset="x",
        stored=Lines("roses"),
        fields={"image": Picture("file"), "boxes": Boxes("box", "xywh", ("h", "w")), "captions": "kind"},
        form=Caption("caption"),
    )
    try:
        code, *_ = command(
            "convert", str(roses / "train.jsonl"), "--to", "data/flowers", "--task", "cli_boxed"
        )
    finally:
        REGISTRY.pop("cli_boxed")
        seqio.TaskRegistry.remove("cli_boxed")
    assert code == 0
    made = _read(tmp_path / "data", {"image": Picture("image"), "boxes": "boxes"})
    assert len(made) == 8 and made[0]["boxes"].tolist() == [[0.25, 0.125, 0.75, 0.5]]


def test_nothing_usable_is_an_error(command, roses):
    (roses / "bad.jsonl").write_text('{"image": "9.png"}\n')
    code, _, complaint = command("convert", str(roses / "bad.jsonl"), "--to", "data/flowers")
    assert code == 2 and "none of 1 records" in complaint
