"""Registrations of image understanding: each gives an example, a packed batch, and the best that its metrics tell."""

import collections

import numpy as np
import pytest

import data_tasks.datasets  # noqa: F401  registers the tasks
from data_tasks.paper import INSTRUCTION
from data_tasks.registry import REGISTRY
from data_tasks.sources.stored import Context, Reading
from tests.data_tasks.registrations import CONFIG, first
from unified_io.data.budgets import Budgets
from unified_io.data.packer import Packer, prepare

GROUPS = INSTRUCTION["image_understanding"]
TASKS = sorted(name for name, task in REGISTRY.items() if task.group in GROUPS)
BUDGETS = Budgets(
    2,
    300,
    300,
    {m.name: 16 if m.slot_size > 1 else 500 for m in CONFIG.inputs},
    {m.name: 16 if m.slot_size > 1 else 500 for m in CONFIG.targets},
)
OTHERS = ("a grey door stands open in the rain", "eleven boats lie in the harbour at night")


def test_every_group_has_the_tasks_of_table_11():
    found = collections.Counter(REGISTRY[name].group for name in TASKS if REGISTRY[name].available)
    assert found == {name: group.tasks for name, group in GROUPS.items()}


@pytest.mark.parametrize("name", TASKS)
def test_what_a_row_of_the_table_says(name):
    task = REGISTRY[name]
    assert task.dataset and task.obtain and task.size > 1_000
    assert task.weight == 1.0


def example_of(name, folder):
    """The first example of the first split that has one."""
    for split in REGISTRY[name].source.own:
        try:
            return first(REGISTRY[name], folder, split)
        except StopIteration:
            continue
    raise AssertionError(f"{name} has no example in any split")


def score(metric, answer, truth):
    """A score; rarity of words needs other examples."""
    if metric.name != "cider":
        return metric.total([answer], [truth])
    others = [{**truth, "captions": [text]} if isinstance(truth, dict) else [text] for text in OTHERS]
    return metric.total([answer, "", ""], [truth, *others])


@pytest.mark.parametrize("name", TASKS)
def test_an_example_is_packed_and_its_true_answer_is_the_best(name, tmp_path):
    form, example = REGISTRY[name].form, example_of(name, tmp_path)
    assert example["text_inputs"].startswith("[Text] [S] ")
    prepared = prepare(example, CONFIG.inputs, CONFIG.targets)
    packed = next(Packer(CONFIG.inputs, CONFIG.targets, BUDGETS).batches([prepared]))
    assert len(packed.examples) == 1
    assert packed.batch["heads"]["text"]["weights"].sum() > 0

    targets = example["text_targets"]
    right = targets if isinstance(targets, str) else targets[0]
    assert right
    options = form.options(example)
    assert not options or right in options
    for metric in form.metrics:
        best = score(metric, form.parse(right, example), form.truth(example))
        wrong = score(metric, form.parse("zzz", example), form.truth(example))
        if metric.name == "cider":
            assert best > 0.1 > wrong
            continue
        assert best == pytest.approx(metric.best, abs=0.01 * abs(metric.best - metric.worst))
        if metric.name != "rules_kept":  # nearly nothing is shorter than anything
            assert wrong == pytest.approx(metric.worst)


def context(training=False):
    return Context(None, Reading(), "train", training)


def test_things_of_visual_genome_beside_the_picture_are_left_out():
    from data_tasks.datasets import visual_genome as vg

    things = [
        {"names": ["cup"], "x": 4, "y": 4, "w": 8, "h": 8},
        {"names": ["sky"], "x": 40, "y": 0, "w": 8, "h": 8},
        {"names": ["dot"], "x": 4, "y": 4, "w": 0, "h": 8},
        {"names": [], "x": 4, "y": 4, "w": 8, "h": 8},
    ]
    (kept,) = vg.named({"height": 24, "width": 32, "objects": things})
    assert kept["objects"] == things[:1]
    assert vg.frames(kept["objects"], kept).tolist() == [pytest.approx([4 / 24, 4 / 32, 12 / 24, 12 / 32])]
    assert vg.named({"height": 24, "width": 32, "objects": things[1:]}) == []


def test_relations_of_visual_genome_share_their_things():
    from data_tasks.datasets import visual_genome as vg

    (made,) = vg.joined(vg.RELATION_SAMPLE[0])
    assert [thing["names"][0] for thing in made["objects"]] == ["cup", "table", "cat"]
    assert made["relations"] == [[0, "on", 1], [2, "behind", 0], [2, "sits on", 1]]


def test_joints_of_coco_are_y_x_visible_of_the_picture():
    from data_tasks.datasets import coco

    joints = [8, 6, 2] + [0, 0, 0] * 16
    record = {"height": 24, "width": 32, "people": [{"keypoints": joints, "iscrowd": 0, "num_keypoints": 1}]}
    points = coco.keypoints(record, context())
    assert points.shape == (1, 17, 3)
    assert points[0, 0].tolist() == [0.25, 0.25, 1.0]
    assert not points[0, 1:].any()
    assert len(coco.CLASSES) == len(set(coco.CLASSES)) == 80


def test_choices_of_tally_qa_hold_the_answer_at_several_places():
    from data_tasks.datasets import tally_qa

    places = collections.Counter()
    for seed in range(60):
        drawn = Context(None, Reading(), "train", True, (seed,))
        options = tally_qa._options({"answer": 5}, drawn)
        assert len(set(options)) == 4
        places[options.index("5")] += 1
        assert "0" in tally_qa._options({"answer": 0}, drawn)
    assert len(places) == 4


def test_a_relation_of_open_images_is_of_two_classes():
    from data_tasks.datasets import open_images_words as open_images

    row = open_images._row("0a1", "/m/011k07", "inside_of", "/m/012074")
    assert open_images._pair(row)[0]["labels"] == [0, 2]
    assert open_images._pair(row | {"LabelName2": "/m/wooden"}) == []
    assert np.allclose(open_images._two_boxes(row, context()), [[0.1, 0.1, 0.9, 0.5], [0.3, 0.4, 0.8, 0.9]])


def test_classes_that_tfds_names_are_plain_words_and_differ():
    from data_tasks.datasets import classification

    for builder, some in (("places365_small", "airplane cabin"), ("sun397", "abbey")):
        names = classification._names(builder)
        assert some in names and len(set(names)) == len(names)
        assert not any(mark in name for name in names for mark in "/_-")


def test_a_caption_from_history_shows_the_picture_only_there(tmp_path):
    example = example_of("text_caps_history", tmp_path)
    assert len(example["image_history_inputs"]) == 1
    assert not np.size(example.get("image_inputs", ()))


def test_a_statement_of_vsr_gets_a_gap_for_its_relation():
    from data_tasks.datasets import relations
    from unified_io.errors import DataError

    record = {"caption": "The cat is under the bed.", "relation": "under"}
    assert relations._gapped(record, context()) == "The cat is ... the bed."
    with pytest.raises(DataError, match="touching"):
        relations._gapped(record | {"relation": "touching"}, context())
