"""Registrations of sounds, videos, language, agents and pre-training: an example, a batch, the best score of each."""

import collections

import numpy as np
import pytest

import data_tasks.datasets  # noqa: F401  registers the tasks
from data_tasks.datasets import natural_language, video_tags, vima, vima_scene, web_videos
from data_tasks.paper import INSTRUCTION, PRETRAINING
from data_tasks.registry import REGISTRY
from data_tasks.sources.stored import Context, Reading
from tests.data_tasks.registrations import CONFIG, OBJECTIVE, first, write
from unified_io.data.budgets import Budgets
from unified_io.data.denoised import Denoised
from unified_io.data.packer import Packer, prepare

FAMILIES = ("audio_generation", "video_understanding", "audio_understanding", "natural_language", "embodied")
GROUPS = PRETRAINING | {name: group for family in FAMILIES for name, group in INSTRUCTION[family].items()}
TASKS = sorted(name for name, task in REGISTRY.items() if task.group in GROUPS)
# Of those with one format over one kind of storage only the first goes through the whole pipeline in every run.
KINDS = {
    (getattr(task.form, "record", type(task.form)), type(task.source.stored)): name
    for name, task in sorted(REGISTRY.items(), reverse=True)
    if name in TASKS
}
FIRST = sorted(KINDS.values())
ALIKE = [name for name in TASKS if name not in FIRST]
STAND_INS = {"pretrain_pg19", "lm_pg19"}
BUDGETS = Budgets(
    2,
    300,
    300,
    {m.name: 16 if m.slot_size > 1 else 500 for m in CONFIG.inputs},
    {m.name: 16 if m.slot_size > 1 else 500 for m in CONFIG.targets},
)
OTHERS = ("a grey door stands open in the rain", "eleven boats lie in the harbour at night")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


def test_every_group_has_the_tasks_of_the_paper():
    found = collections.Counter(REGISTRY[name].group for name in TASKS if name not in STAND_INS)
    assert found == {name: group.tasks for name, group in GROUPS.items()}


def test_rows_of_pretraining_add_up_to_the_rates_of_their_groups():
    weights = collections.defaultdict(float)
    for name in TASKS:
        if name not in STAND_INS:
            weights[REGISTRY[name].group] += REGISTRY[name].weight
    for name, group in PRETRAINING.items():
        assert weights[name] == pytest.approx(group.rate, abs=0.3), name  # rows are printed in three digits


@pytest.mark.parametrize("name", TASKS)
def test_what_a_row_of_the_table_says(name):
    task = REGISTRY[name]
    assert task.dataset and task.obtain and task.size > 300
    assert task.group in PRETRAINING or task.weight == 1.0
    assert task.available or "withdrawn" in task.obtain or "never released" in task.obtain


def piped(task, folder):
    """The first example of the first split that has one, by the whole way through tf.data."""
    for split in task.source.own:
        try:
            return first(task, folder, split)
        except StopIteration:
            continue
    raise AssertionError(f"{task.name} has no example in any split")


def direct(task, folder):
    """The same without tf.data: what a source makes of a record, and a format of that."""
    source = task.source.read_as(write(task, folder))
    form, rng = task.form, np.random.default_rng(0)
    if isinstance(form, Denoised):
        form = form.under(OBJECTIVE, CONFIG.inputs, CONFIG.targets)
    for split in source.own:
        for row in source.stored.rows(source.context(split)).take(2).as_numpy_iterator():
            for raw in source.raw(split, row):
                return form(raw, rng)
    raise AssertionError(f"{task.name} has no record in any split")


def score(metric, answer, truth):
    """A score; rarity of words needs other examples."""
    if metric.name != "cider":
        return metric.total([answer], [truth])
    return metric.total([answer, "", ""], [truth, *([text] for text in OTHERS)])


@pytest.mark.parametrize("name", [*FIRST, *(pytest.param(name, marks=pytest.mark.slow) for name in ALIKE)])
def test_an_example_is_packed_and_its_true_answer_is_the_best(name, folder):
    check(REGISTRY[name].form, piped(REGISTRY[name], folder))


@pytest.mark.parametrize("name", ALIKE)
def test_the_same_without_the_pipeline(name, folder):
    check(REGISTRY[name].form, direct(REGISTRY[name], folder))


def check(form, example):
    """An example fits in a batch, asks for what its source allows, and its true answer scores best."""
    prepared = prepare(example, CONFIG.inputs, CONFIG.targets)
    packed = next(Packer(CONFIG.inputs, CONFIG.targets, BUDGETS).batches([prepared]))
    assert len(packed.examples) == 1
    (asked,) = [m.name for m in CONFIG.targets if len(example.get(f"{m.name}_targets", ""))]
    assert example["text_inputs"].startswith(f"[{asked.capitalize()}] [")
    assert packed.batch["heads"][asked]["weights"].sum() > 0
    if isinstance(form, Denoised):
        assert asked in form.targets
        return

    assert form.output == asked
    right = example[f"{asked}_targets"]
    right = right[0] if isinstance(right, list) else right
    options = form.options(example)
    assert not options or right in options
    for metric in form.metrics:
        best = score(metric, form.parse(right, example), form.truth(example))
        if metric.name == "cider":
            assert best > 0.1
        elif np.isfinite(metric.best):
            assert best == pytest.approx(metric.best, abs=0.01 * abs(metric.best - metric.worst))


@pytest.mark.parametrize("name", [name for name in TASKS if isinstance(REGISTRY[name].form, Denoised)])
def test_pretraining_gives_and_asks_for_what_the_columns_of_table_10_say(name):
    form = REGISTRY[name].form
    assert form.name == name
    assert form.targets and form.inputs
    if REGISTRY[name].group in ("pretrain_text", "language_modelling"):
        assert form.targets == form.inputs == ("text",)


def context():
    return Context(None, Reading(frames=3), "train")


def test_words_of_a_video_belong_to_the_part_they_are_said_in():
    record = {
        "start": 2.0,
        "end": 5.0,
        "words": [[1.9, "no"], [2.0, "one"], [3.5, "two"], [4.9, "three"], [5.0, "no"]],
    }
    assert web_videos.spoken(record, context()) == ["one", "two", "three"]


def test_a_conversation_goes_on_by_the_reply_that_is_ranked_first():
    (made,) = natural_language._conversation(natural_language._tree("Who?", "best", "worst"))
    assert made["turns"] == [["user", "Who?"], ["assistant", "best"]]
    assert natural_language._conversation(natural_language._tree("Who?")) == []


def test_what_is_seen_before_an_action_ends_a_second_before_it():
    row = {
        "participant_id": "P",
        "video_id": "V",
        "start_timestamp": "00:01:02.5",
        "stop_timestamp": "00:01:04.0",
    }
    (during,), (before,) = video_tags._during(row), video_tags._before(row)
    assert (during["start"], during["end"], before["start"], before["end"]) == (62.5, 64.0, 57.5, 61.5)
    assert video_tags._before(row | {"start_timestamp": "00:00:00.9"}) == []


def test_things_of_vima_are_found_in_the_scene():
    record = vima._ABOUT["sample"][0]
    assert list(vima_scene.assets(record)) == ["dragged_obj", "base_obj"]
    assert vima_scene.boxes(record, context())[0] == pytest.approx([4 / 24, 6 / 32, 10 / 24, 14 / 32])
    assert vima_scene.words_of_goal(record, context()) == "Put the red block into the wooden pan."
    (step,) = vima_scene.steps(record, context())
    assert step[0] == ["pick from", 0.4, -0.1, 0.0]
    assert step[1][3] == pytest.approx(np.pi / 2, abs=1e-3)
