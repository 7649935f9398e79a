"""`unified-io eval --tasks=…` and `--compare` with a small real model, and with one that knows the answers."""

import dataclasses
import json
import types

import numpy as np
import pytest
import seqio
import tensorflow as tf

from tests.tiny import tiny_config
from unified_io import api, cli
from unified_io.api import loading
from unified_io.data import pipeline
from unified_io.evaluation.judge import Judged
from unified_io.evaluation.metric import Mean


class Letters:
    """Judges one letter."""

    output = "text"
    decoding = types.MappingProxyType({})
    metrics = (Mean("exact"),)

    def parse(self, answer, example):
        return answer

    def truth(self, example):
        return example["text_targets"]

    def options(self, example):
        return json.loads(example["meta/options"] or "[]")


@pytest.fixture(scope="module", autouse=True)
def tasks():
    def numbers(split, shuffle_files, seed=None):
        return tf.data.Dataset.range(3).map(lambda i: {"number": i})

    def fields(options):
        def make(raw, rng):
            number = int(raw["number"])
            asked = {"text_inputs": f"[Text] [S] {number}", "text_targets": "ab"[number % 2]}
            return {**asked, "meta/id": f"row {number}", "meta/options": json.dumps(options)}

        return make

    for name, options in (("cli_letters", []), ("cli_choices", ["a", "b"])):
        seqio.TaskRegistry.add(
            name,
            source=seqio.FunctionDataSource(numbers, splits=("validation", "test")),
            preprocessors=[
                pipeline.numpy_map(
                    fields(options), ("text_inputs", "text_targets", "meta/id", "meta/options"), name
                )
            ],
            output_features=pipeline.output_features(("text_inputs",)),
            postprocess_fn=Judged(Letters()),
            metric_fns=[],
        )


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder, whole = tmp_path_factory.mktemp("model"), tiny_config()
    small = dataclasses.replace(whole, inputs=whole.inputs[:1], targets=whole.targets[:1])  # text only
    loading.from_config(small, allow_random=True).save_pretrained(folder)
    return folder


class Knows:
    """Answers rightly, but for one of three."""

    config = tiny_config()
    params = {"w": np.arange(3.0)}

    def generate_fields(self, examples, output, **options):
        return ["a" for _ in examples]

    def score_fields(self, examples, answers, **options):
        return np.array([[float(a == e["text_targets"]) for a in answers] for e in examples])


@pytest.fixture
def known(monkeypatch):
    loaded = []
    monkeypatch.setattr(api, "from_pretrained", lambda path: loaded.append(path) or Knows())
    return loaded


def test_a_checkpoint_is_judged_on_tasks(checkpoint, tmp_path, capsys):
    flags = [
        f"--checkpoint={checkpoint}",
        "--tasks=cli_letters,cli_choices",
        "--examples=2",
        f"--out={tmp_path}",
    ]
    assert cli.main(["eval", *flags, "--temperature=0", "--batch_size=4"]) == 0
    assert "| cli_choices | exact |" in capsys.readouterr().out
    found = json.loads((tmp_path / "results.json").read_text())
    assert [row["n"] for row in found["tasks"].values()] == [2, 2]
    lines = (tmp_path / "cli_choices" / "predictions.jsonl").read_text().splitlines()
    assert all(json.loads(line)["answer"] in ("a", "b") for line in lines)
    assert "cli_letters" in (tmp_path / "report.html").read_text()


def test_a_run_file_says_which_model_and_what_is_read(known, tmp_path, monkeypatch, capsys):
    read = []

    class Source:
        def in_place_of(self, declared):
            read.append(declared)
            return declared

    training = types.SimpleNamespace(model_dir="runs/mine", source=Source())
    monkeypatch.setattr(cli, "_build", lambda args: types.SimpleNamespace(training=training))
    flags = ["--gin_file=x.gin", "--tasks=cli_letters", f"--out={tmp_path}", "--split=test"]
    assert cli.main(["eval", *flags]) == 0
    assert known == ["runs/mine"] and len(read) == 1
    assert "| cli_letters | exact | 0.6667 |" in capsys.readouterr().out
    assert cli.main(["eval", *flags, "--checkpoint=other"]) == 0 and known[-1] == "other"


def test_two_evaluations_are_compared_if_taken_alike(known, tmp_path, capsys):
    flags = ["--checkpoint=x", "--tasks=cli_choices"]
    for name, more in (("a", []), ("b", []), ("c", ["--seed=3"])):
        assert cli.main(["eval", *flags, *more, f"--out={tmp_path / name}"]) == 0
    capsys.readouterr()
    assert cli.main(["eval", "--compare", str(tmp_path / "a"), str(tmp_path / "b" / "results.json")]) == 0
    assert "| cli_choices | exact | 1 | 1 | +0 |" in capsys.readouterr().out
    assert cli.main(["eval", "--compare", str(tmp_path / "a"), str(tmp_path / "c")]) == 2
    assert "decoding.seed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        (["--tasks=cli_letters", "--checkpoint=x"], "--out=FOLDER"),
        (["--tasks=cli_letters", "--out={out}"], "--checkpoint=FOLDER"),
        (["--tasks=cli_letters", "--checkpoint=x", "--out={out}", "--split=tset"], "unknown split 'tset'"),
        (["--tasks=cli_letters", "--checkpoint=x", "--out={out}", "--examples=0"], "0 examples"),
        (["--tasks=cli_letters", "--checkpoint=x", "--out={out}", "--module=os"], "'os'"),
        (["--compare", "{out}", "{out}"], "holds no scores"),
    ],
)
def test_what_can_not_be_judged_is_said(known, tmp_path, capsys, flags, word):
    assert cli.main(["eval", *(flag.format(out=tmp_path) for flag in flags)]) == 2
    assert word in capsys.readouterr().err
