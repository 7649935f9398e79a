"""Every task that is heard, spoken, done or real: from its source to features, and the oracle law."""

import contextlib
import importlib.util
import math

import numpy as np
import pytest

import data_tasks.real
import data_tasks.toy.tasks_heard  # noqa: F401
from data_tasks.formats.base import Format
from data_tasks.registry import REGISTRY
from data_tasks.sources.record import pack, unpack
from data_tasks.sources.stored import Reading
from tests.data_tasks.registrations import bound
from tests.tiny import MEL
from unified_io.data import pipeline
from unified_io.errors import DataError
from unified_io.mel import MelConfig

HEARD = [
    "toy_sound_tag",
    "toy_sound_caption",
    "toy_sound_boxes",
    "toy_play",
    "toy_soundtrack",
    "toy_transcribe",
    "toy_speak",
    "toy_act_words",
    "toy_act_eye",
    "toy_act_numbers",
    "toy_act_program",
]
REAL = [name for name, task in REGISTRY.items() if task.group == "real"]
SPOKEN = {"toy_transcribe", "toy_speak", "real_spoken_tag", "real_spoken_transcribe"}
EAR = MelConfig(sample_rate=8000, n_fft=256, hop=128, mels=32, fmin=0.0, fmax=4000.0, frames=64)
needs_espeak = pytest.mark.skipif(
    importlib.util.find_spec("espeakng_loader") is None, reason="espeakng-loader is not installed"
)
TASKS = [pytest.param(name, marks=[needs_espeak] if name in SPOKEN else []) for name in [*HEARD, *REAL]]
# Names and times are exact; boxes lose up to half a bin of 999; captions are judged against other wordings too.
LOSS = {
    "localisation": 0.02,
    "cider": 6.5,
    "facts_heard": 0.02,
    "action_l1": 1e-3,
    "depth_rmse": 1e-3,
    "flow_epe": 1e-2,
}


@pytest.fixture(autouse=True)
def nowhere(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("UNIFIED_IO_DATA", raising=False)


def example(name, split, index):
    task = REGISTRY[name]
    [raw] = task.source.read_as(Reading(mel=EAR)).raw(split, {"index": np.int64(index)})
    return task.form(unpack(pack(raw)), np.random.default_rng(index))


def usable(name, split, count):
    """The first examples that can be asked about; a frame drawn at random may miss what is asked for."""
    found = []
    for index in range(2 * count):
        with contextlib.suppress(DataError):
            found.append(example(name, split, index))
        if len(found) == count:
            break
    return found


@pytest.mark.parametrize("name", TASKS)
def test_a_task_gives_one_target_to_a_small_model(name):
    task = bound(REGISTRY[name], Reading(mel=MEL, frames=3))
    fields = next(pipeline.examples(task, "validation"))
    targets = {
        key for key, value in fields.items() if key.endswith("_targets") and np.size(value) and str(value)
    }
    form = REGISTRY[name].form
    wanted = (
        {f"{form.output}_targets"} if isinstance(form, Format) else {f"{one}_targets" for one in form.targets}
    )
    assert len(targets) == 1 and targets <= wanted


@pytest.mark.parametrize("name", [one for one in TASKS if isinstance(REGISTRY[one.values[0]].form, Format)])
def test_the_true_target_scores_the_ceiling_of_every_metric(name):
    form = REGISTRY[name].form
    for split in REGISTRY[name].source.own:
        examples = usable(name, split, 6)
        assert len(examples) == 6
        answers = []
        for fields in examples:
            answer = fields[f"{form.output}_targets"]
            answers.append(form.parse(answer[0] if isinstance(answer, list) else answer, fields))
        truths = [form.truth(fields) for fields in examples]
        for metric in form.metrics:
            assert abs(metric.total(answers, truths) - metric.best) <= LOSS.get(metric.name, 1e-6), (
                metric.name
            )


@pytest.mark.parametrize("name", HEARD)
def test_answers_that_are_nonsense_score_far_from_the_ceiling_and_never_raise(name):
    if name in SPOKEN and importlib.util.find_spec("espeakng_loader") is None:
        pytest.skip("espeakng-loader is not installed")
    form = REGISTRY[name].form
    fields = example(name, "validation", 1)
    nonsense = np.zeros((1, 1), np.float32) if form.output == "audio" else "<extra_id_200> ) 7: ("
    metric = form.metrics[0]
    score = metric.total([form.parse(nonsense, fields)], [form.truth(fields)])
    assert math.isfinite(score)
    assert abs(score - metric.worst) < abs(score - metric.best) or metric.name == "log_mel_l1" and score > 1.0


def test_examples_are_the_same_again():
    for name in ("toy_play", "toy_act_program", "real_digits_count"):
        one, two = example(name, "train", 2), example(name, "train", 2)
        assert one.keys() == two.keys()
        for key in one:
            np.testing.assert_array_equal(one[key], two[key])


def test_registrations_say_where_their_data_are_from():
    for name in [*HEARD, *REAL]:
        task = REGISTRY[name]
        assert task.obtain and task.available and task.group == ("toy" if name in HEARD else "real")
