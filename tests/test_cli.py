"""The command line on small gin files of a job that only notes what is asked of it."""

import json
import subprocess
import sys
import textwrap
import time
import types

import numpy as np
import pytest

from unified_io import cli
from unified_io.mel import MelConfig
from unified_io.preprocess import sound

JOB = '''
"""A job that notes what is asked of it."""
import dataclasses
import json
import pathlib
from unified_io.errors import ConfigError
from unified_io.train.loop import Interrupted


@dataclasses.dataclass(frozen=True)
class Schedule:
    rate: float = 0.5


@dataclasses.dataclass(frozen=True)
class NotedJob:
    model_dir: str
    steps: int = 10
    budget: str = "full"
    schedule: Schedule = Schedule()
    sizes: tuple[int, ...] = (1, 2)

    def check(self):
        if self.steps < 0:
            raise ConfigError(f"steps is {self.steps}; give at least 0")

    def train(self):
        if self.steps == 7:
            raise Interrupted(7)
        if self.steps == 8:
            raise KeyboardInterrupt
        note = {"steps": self.steps, "budget": self.budget, "rate": self.schedule.rate, "sizes": list(self.sizes)}
        pathlib.Path(self.model_dir, "note.json").write_text(json.dumps(note))

    def evaluate(self):
        pathlib.Path(self.model_dir, "evaluated").write_text(self.budget)
'''

RUN = """
from __gin__ import dynamic_registration
from data_tasks import noted_for_test as noted
from unified_io import cli
include "sub/budget.gin"
TRAIN_STEPS = 3
MODEL_DIR = %gin.REQUIRED
cli.run.job = @noted.NotedJob()
noted.NotedJob:
    model_dir = %MODEL_DIR
    steps = %TRAIN_STEPS
    budget = %BUDGET
    schedule = @noted.Schedule()
noted.Schedule.rate = 0.25
"""

MEASURED = '''
"""A job that says what it reads, and a mixture to read."""
import dataclasses
import types
import seqio
import tensorflow as tf
from tests.data.fakes import INPUTS, TARGETS
from unified_io.data import pipeline
from unified_io.data.budgets import Budgets


@dataclasses.dataclass(frozen=True)
class MeasuredJob:
    model_dir: str
    rows: int = 2
    lookahead: float = 3.0
    seed: int = 0

    @property
    def model(self):
        return types.SimpleNamespace(inputs=INPUTS, targets=TARGETS)

    @property
    def budgets(self):
        return Budgets(self.rows, 20, 20, {"words": 60, "pictures": 1}, {"answers": 60, "drawings": 1})


def numbers(split, shuffle_files, seed=None):
    return tf.data.Dataset.range(30).map(lambda i: {"number": i})


def write(raw, rng):
    n = int(raw["number"])
    return {"text_inputs": "x" * (n + 1), "text_targets": "ab", "meta/id": f"row {n}"}


fields = ("text_inputs", "text_targets", "meta/id")
for name in ("cli_short", "cli_long"):
    seqio.TaskRegistry.add(
        name,
        source=seqio.FunctionDataSource(numbers, splits=("train",)),
        preprocessors=[pipeline.numpy_map(write, fields, name)],
        output_features=pipeline.output_features(("text_inputs",)),
        shuffle_buffer_size=30,
    )
seqio.MixtureRegistry.add("cli_mixture", [("cli_short", 1.0), ("cli_long", 1.0)])
'''

MEASURE = """
from __gin__ import dynamic_registration
from data_tasks import measured_for_test as measured
from unified_io import cli
MODEL_DIR = "unused"
cli.run.job = @measured.MeasuredJob()
measured.MeasuredJob.model_dir = %MODEL_DIR
"""


@pytest.fixture(scope="module")
def noted_job(tmp_path_factory):
    """Puts the job where a gin file may import from; once, since gin remembers every class it has seen."""
    folder = tmp_path_factory.mktemp("data_tasks")
    (folder / "noted_for_test.py").write_text(JOB)
    (folder / "measured_for_test.py").write_text(MEASURED)
    package = types.ModuleType("data_tasks")
    package.__path__ = [str(folder)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "data_tasks", package)
        yield
    sys.modules.pop("data_tasks.noted_for_test", None)


@pytest.fixture
def configs(tmp_path, noted_job):
    """A folder with run.gin and the file it includes."""
    folder = tmp_path / "configs"
    (folder / "sub").mkdir(parents=True)
    (folder / "run.gin").write_text(RUN)
    (folder / "measure.gin").write_text(MEASURE)
    (folder / "sub" / "budget.gin").write_text('BUDGET = "full"\n')
    return folder


@pytest.fixture
def command(configs, tmp_path, capsys):
    """Runs `unified-io VERB …` in this process: exit code, the error text and the job's note."""

    def call(*flags, verb="train", gin_file="run.gin", model_dir=tmp_path / "model"):
        argv = [verb, f"--gin_search_paths={configs}", *flags]
        argv += [f"--gin_file={gin_file}"] if gin_file else []
        argv += [f"--model_dir={model_dir}"] if model_dir else []
        code = cli.main(argv)
        note = tmp_path / "model" / "note.json"
        return code, capsys.readouterr().err, json.loads(note.read_text()) if note.is_file() else None

    return call


def test_a_job_runs_with_what_files_and_flags_say(command):
    code, _, note = command(
        "--gin.TRAIN_STEPS=5", "--gin.NotedJob.sizes=(4, 5)", "--gin_bindings=Schedule.rate = 1"
    )
    assert code == 0
    assert note == {"steps": 5, "budget": "full", "rate": 1, "sizes": [4, 5]}


@pytest.mark.parametrize(
    "flag", ["--gin.BUDGET=quick", '--gin.BUDGET="quick"', "--gin_bindings=BUDGET='quick'"]
)
def test_a_string_needs_no_quotes(command, flag):
    assert command(flag)[2]["budget"] == "quick"


def test_the_last_of_several_flags_wins(command):
    assert command("--gin.TRAIN_STEPS=5", "--gin_bindings=TRAIN_STEPS=6", "--gin.BUDGET=a=b")[2]["steps"] == 6


def test_a_later_file_wins(command, configs):
    (configs / "more.gin").write_text("TRAIN_STEPS = 4\n")
    assert command("--gin_file=more.gin")[2]["steps"] == 3
    assert command("--gin_file=run.gin", gin_file="more.gin")[2]["steps"] == 4


def test_a_folder_of_the_user_comes_before_the_packaged_one(command, configs):
    (configs / "model").mkdir()
    (configs / "model" / "tiny.gin").write_text("TRAIN_STEPS = 9\n")
    assert command("--gin_file=run.gin", gin_file="model/tiny.gin")[2]["steps"] == 9


def test_the_written_config_runs_again(command, tmp_path):
    command("--gin.TRAIN_STEPS=5")
    written = (tmp_path / "model" / "config.gin").read_text()
    assert "TRAIN_STEPS = 5" in written
    code, complaint, note = command(gin_file=None)
    assert (code, note["steps"]) == (0, 5)
    assert (tmp_path / "model" / "config.gin").read_text() == written
    assert complaint == ""


def test_a_changed_config_is_told(command):
    command("--gin.TRAIN_STEPS=5")
    _, told, _ = command("--gin.TRAIN_STEPS=6")
    assert "-TRAIN_STEPS = 5" in told and "+TRAIN_STEPS = 6" in told


def test_eval_finds_the_config_of_the_run(command, tmp_path):
    command("--gin.BUDGET=quick")
    assert command(verb="eval", gin_file=None)[0] == 0
    assert (tmp_path / "model" / "evaluated").read_text() == "quick"


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--gin.TRAIN_STPES=5"], ["command line", "TRAIN_STPES", "TRAIN_STEPS"]),
        (["--gin.NotedJob.setps=5"], ["NotedJob", "'setps'", "'steps'"]),
        (["--gin.NotdJob.steps=5"], ["NotdJob", "NotedJob"]),
        (
            ["--gin.TRAIN_STEPS=many"],
            ["NotedJob.steps", "'many'", "str", "int", "run.gin:11", "command line"],
        ),
        (["--gin.TRAIN_STEPS=true"], ["'true'", "int"]),
        (["--gin.TRAIN_STEPS=True"], ["True", "bool", "int"]),
        (["--gin.NotedJob.sizes=(1, 'b')"], ["NotedJob.sizes", "tuple[int, ...]"]),
        (["--gin.NotedJob.schedule=@NotedJob()"], ["NotedJob.schedule", "Schedule"]),
        (["--gin.NotedJob.schedule=%NOTHING"], ["%NOTHING", "--gin.NOTHING=VALUE"]),
        (["--gin.TRAIN_STEPS=[1, 2"], ["TRAIN_STEPS", "quote it"]),
        (["--gin.TRAIN_STEPS"], ["NAME=value"]),
        (["--gin.TRAIN_STEPS=-1"], ["steps is -1"]),
        (["--gin_file=rum.gin"], ["rum.gin", "run.gin"]),
        (["--gin_file=elsewhere/budget.gin"], ["sub/budget.gin"]),
    ],
)
def test_what_can_not_work_is_named_with_the_nearest_that_would(command, flags, words):
    code, complaint, note = command(*flags)
    assert code == 2
    assert note is None
    assert [word for word in words if word not in complaint] == [], complaint


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("import os", ["bad.gin:2", "'os'", "unified_io"]),
        ("from os import path", ["bad.gin:2", "os.path"]),
        ("from unified_io import clii", ["bad.gin:2", "'clii'", "'cli'"]),
        ("from unified_io.errors import ConfigError", ["bad.gin:2", "errors.ConfigError"]),
        ("import unified_io_typo", ["bad.gin:2", "unified_io_typo"]),
        ('include "sub/budgit.gin"', ["bad.gin:2", "sub/budget.gin"]),
        ("from unified_io import cli\ncli.runn.job = 1", ["bad.gin:3", "'runn'", "'run'"]),
        ("from unified_io import cli\ncli.run.jobb = 1", ["bad.gin:3", "'jobb'", "'job'"]),
        ("from unified_io import cli\ncli.sys.exit.status = 1", ["bad.gin:3", "cli.sys.exit"]),
        ("from unified_io import cli\ncli.run.job = @cli.sys.exit()", ["bad.gin:3", "cli.sys.exit"]),
        ("from unified_io import cli\nclo.run.job = 1", ["bad.gin:3", "'clo'", "'cli'"]),
        ("X = [1,\n\n", ["bad.gin"]),
        ("X = = 2", ["bad.gin:2"]),
        ("A = %B\nB = %A\nfrom unified_io import cli\ncli.main.argv = %A", ["refers to itself"]),
    ],
)
def test_a_bad_file_is_named_with_its_line(command, configs, line, words):
    (configs / "bad.gin").write_text(f"from __gin__ import dynamic_registration\n{line}\n")
    code, complaint, note = command("--gin_file=bad.gin")
    assert code == 2
    assert note is None
    assert [word for word in words if word not in complaint] == [], complaint


def test_a_forbidden_import_is_not_carried_out(command, configs, monkeypatch):
    name = "colorsys"
    monkeypatch.delitem(sys.modules, name, raising=False)
    (configs / "bad.gin").write_text(f"import {name}\n")
    assert command("--gin_file=bad.gin")[0] == 2
    assert name not in sys.modules


def test_a_command_line_value_can_not_smuggle_a_statement_in(command):
    code, _, note = command("--gin.BUDGET=1\nimport os")
    assert code == 0
    assert note["budget"] == "1\nimport os"


def test_without_dynamic_registration_the_remedy_is_given(command, configs):
    (configs / "bad.gin").write_text("from unified_io import cli\ncli.run.job = 1\n")
    assert "from __gin__ import dynamic_registration" in command("--gin_file=bad.gin")[1]


def test_a_required_macro_says_which_flag_sets_it(command, configs):
    (configs / "more.gin").write_text("BUDGET = %gin.REQUIRED\n")
    code, complaint, _ = command("--gin_file=run.gin", "--gin_file=more.gin", gin_file=None)
    assert code == 2 and "--gin.BUDGET=VALUE" in complaint


def test_a_run_needs_a_model_dir_and_a_job(command):
    code, complaint, _ = command(model_dir=None)
    assert code == 2 and "--model_dir" in complaint or "--gin.MODEL_DIR" in complaint
    code, complaint, _ = command(gin_file="sub/budget.gin")
    assert code == 2 and "cli.run.job" in complaint
    code, complaint, _ = command(gin_file=None)
    assert code == 2 and "--gin_file" in complaint


def test_a_missing_constructor_argument_is_told(command, configs):
    text = (configs / "run.gin").read_text().replace("    model_dir = %MODEL_DIR\n", "")
    (configs / "run.gin").write_text(text)
    code, complaint, _ = command()
    assert code == 2 and "model_dir" in complaint


def test_an_unwritable_model_dir_is_told(command, tmp_path):
    (tmp_path / "a_file").write_text("")
    code, complaint, _ = command(model_dir=tmp_path / "a_file" / "model")
    assert code == 2 and "can not write" in complaint and "--model_dir=" in complaint


@pytest.mark.parametrize("verb", ["report", "infer"])
def test_a_job_without_the_verb_is_told(command, verb):
    code, complaint, _ = command(verb=verb)
    assert code == 2 and f"NotedJob can not {verb}" in complaint


@pytest.mark.parametrize(("steps", "word"), [(7, "step 7"), (8, "interrupted")])
def test_an_interrupted_run_says_how_to_go_on(command, steps, word):
    code, complaint, _ = command(f"--gin.TRAIN_STEPS={steps}")
    assert code == 130
    assert word in complaint and complaint.count("give the same command to continue") == 1


class FakeModel:
    """Stands in for a trained model; says what it was asked."""

    def __init__(self, vocoder):
        self.loudness = 0.5 if vocoder else 1.0
        inputs = [types.SimpleNamespace(name=name) for name in ("text", "image", "action")]
        target = types.SimpleNamespace(mel=MelConfig(sample_rate=8000, fmax=4000.0))
        self.config = types.SimpleNamespace(inputs=inputs, target=lambda name: target)

    def generate(self, *, output, **inputs):
        asked = {key: np.shape(value) if key == "action" else value for key, value in inputs.items()}
        return {
            "text": f"{asked}",
            "image": np.full((4, 6, 3), 0.5, np.float32),
            "audio": np.linspace(-1, 1, 80, dtype=np.float32) * self.loudness,
            "action": np.array([[0.0, 0.5, 1.0]], np.float32),
        }[output]


@pytest.fixture
def generate(tmp_path, monkeypatch, capsys):
    api = types.ModuleType("unified_io.api")
    api.from_pretrained = lambda path, vocoder: FakeModel(vocoder)
    monkeypatch.setitem(sys.modules, "unified_io.api", api)
    monkeypatch.setattr("unified_io.api", api, raising=False)

    def call(*flags):
        code = cli.main(["generate", f"--model_dir={tmp_path}", *flags])
        return code, capsys.readouterr()

    return call


def test_generate_passes_on_what_is_given(generate, tmp_path):
    (tmp_path / "pen.json").write_text("[[0, 0.5, 1]]")
    flags = [
        "--output=text",
        "--text=what is it?",
        f"--action={tmp_path / 'pen.json'}",
        "--seed=3",
        "--temperature=0",
    ]
    code, printed = generate(*flags)
    assert code == 0
    assert printed.out.strip() == str(
        {"text": "what is it?", "action": (1, 3), "temperature": 0.0, "seed": 3}
    )


def test_requests_need_a_folder(generate, tmp_path):
    code, printed = generate(f"--requests={tmp_path / 'a.jsonl'}")
    assert code == 2 and "--out=FOLDER" in printed.err


def test_generate_writes_every_kind_of_file(generate, tmp_path):
    from PIL import Image

    for kind, suffix in {"text": ".txt", "image": ".png", "audio": ".wav", "action": ".json"}.items():
        assert generate(f"--output={kind}", f"--out={tmp_path / kind}{suffix}")[0] == 0
    assert np.asarray(Image.open(tmp_path / "image.png")).shape == (4, 6, 3)
    waveform, rate = sound.read_file(tmp_path / "audio.wav")
    assert rate == 8000 and waveform.shape == (80, 1)
    assert json.loads((tmp_path / "action.json").read_text()) == [[0.0, 0.5, 1.0]]


@pytest.mark.parametrize(("flags", "loudness"), [((), 1.0), (("--vocoder=runs/vocoder",), 0.5)])
def test_generate_speaks_with_the_vocoder_it_is_given(generate, tmp_path, flags, loudness):
    assert generate("--output=audio", f"--out={tmp_path / 'a.wav'}", *flags)[0] == 0
    waveform, _ = sound.read_file(tmp_path / "a.wav")
    assert np.abs(waveform).max() == pytest.approx(loudness, abs=1e-3)


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        (["--output=image"], "--out=FILE"),
        (["--output=image", "--out=a.gif"], ".gif"),
        (["--output=image", "--out=a.wav"], "can not hold"),
        (["--output=text", "--action=missing.json"], "missing.json"),
        (["--output=text", "--audio=a.wav"], "unknown input of this model 'audio'"),
        (["--output=text", "--model_dir=nowhere"], "nowhere"),
    ],
)
def test_generate_says_what_can_not_work(generate, flags, word):
    code, printed = generate(*flags)
    assert code == 2 and word in printed.err


def test_help_is_quick_and_imports_nothing_heavy():
    script = textwrap.dedent("""
        import sys
        from unified_io import cli
        try:
            cli.main(["--help"])
        except SystemExit as stop:
            heavy = {"jax", "tensorflow", "seqio", "gin", "flax", "librosa"} & set(sys.modules)
            sys.exit(f"help imports {heavy}" if heavy else stop.code)
    """)
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "generate" in done.stdout
    assert time.monotonic() - start < 5.0  # 0.3 s on a quiet machine


@pytest.fixture
def measure(configs, capsys):
    """Runs `unified-io data report …` in this process: exit code, what it printed, the error text."""

    def call(*flags, gin_file="measure.gin"):
        code = cli.main(["data", "report", *flags, f"--gin_search_paths={configs}", f"--gin_file={gin_file}"])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def test_a_mixture_is_measured_for_the_run_file(measure, tmp_path):
    code, table, _ = measure("cli_mixture", "--examples=40", "--gin.MeasuredJob.rows=3")
    assert code == 0
    assert "cli_mixture, train: 40 examples" in table and "words inputs: in 100.0%" in table
    assert "cli_short row 29: 30 encoder tokens where a batch has room for 20" in table
    code, printed, _ = measure("cli_mixture", "--examples=40", "--gin.MeasuredJob.rows=3", "--json")
    found = json.loads(printed.splitlines()[-1])
    assert code == 0 and found["mixture"] == "cli_mixture" and found["examples"] == 40
    assert found["given"]["budgets"]["rows"] == 3 and found["lookahead"] == 3.0
    proposed = found["proposed"]["budgets"]
    assert f"\n  encoder_length = {proposed['encoder_length']}\n" in table
    assert f"\n  targets = {proposed['targets']}\n" in table
    assert sum(source["examples"] for source in found["sources"].values()) == 40
    assert not list(tmp_path.glob("**/config.gin"))  # nothing is trained, nothing is written


def test_what_can_not_be_measured_is_said(measure):
    code, _, complaint = measure("cli_mixtur")
    assert code == 2 and "unknown task or mixture 'cli_mixtur'; did you mean 'cli_mixture'" in complaint
    code, _, complaint = measure("cli_mixture", "--examples=0")
    assert code == 2 and "0 examples to look at" in complaint
    code, _, complaint = measure("cli_mixture", "--split=tset")
    assert code == 2 and "unknown split 'tset'" in complaint
    code, _, complaint = measure("cli_mixture", "--gin.MODEL_DIR=x", gin_file="run.gin")
    assert code == 2 and "NotedJob has no model and no budgets and no lookahead and no seed;" in complaint


def test_a_plan_says_what_the_run_of_a_file_takes(tmp_path, capsys):
    flags = ["--gin_file=run/digits.gin", f"--model_dir={tmp_path / 'run'}", "--machine=h100", "--examples=0"]
    assert cli.main(["plan", *flags]) == 0
    table = capsys.readouterr().out
    assert "h100, as its vendor states" in table and "targets/image/tokenizer" in table
    assert cli.main(["plan", *flags, "--json"]) == 0
    planned = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert planned["parameters"]["total"] == sum(planned["parameters_by_part"].values()) > 1e6
    assert planned["problems"] == [] and planned["seconds"]["run"] > 0
    assert not (tmp_path / "run").exists()  # nothing is trained, nothing is written


def test_a_plan_that_can_not_be_says_which_number_to_change(tmp_path, capsys):
    flags = ["--gin_file=run/digits.gin", f"--model_dir={tmp_path}", "--examples=0"]
    assert cli.main(["plan", *flags, "--machine=h1000"]) == 2
    assert "unknown machine 'h1000'; did you mean 'h100'" in capsys.readouterr().err
    assert cli.main(["plan", *flags, "--machine=h100", "--gin.EMB_DIM=1310720"]) == 2
    printed = capsys.readouterr()
    assert "memory" in printed.out and "raise MeshConfig.model (now 1)" in printed.err


def test_the_doctor_prints_what_it_found_and_fails_if_something_is_wrong(tmp_path, capsys):
    assert cli.main(["doctor", "--no_self_test", f"--model_dir={tmp_path}"]) == 0
    assert "can be written" in capsys.readouterr().out
    (tmp_path / "file").touch()
    assert cli.main(["doctor", "--no_self_test", f"--model_dir={tmp_path / 'file'}", "--json"]) == 1
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [check["name"] for check in found["checks"] if check["state"] == "failed"] == ["folder"]
