"""Registrations that make, find or paint something in pictures: each gives an example, a batch, and the best score."""

import collections

import numpy as np
import pytest

import data_tasks.datasets  # noqa: F401  registers the tasks
from data_tasks.formats.base import PROMPTS
from data_tasks.formats.one_of import OneOf
from data_tasks.paper import INSTRUCTION
from data_tasks.registry import REGISTRY
from data_tasks.sources.fitted import Fitted, fitted
from data_tasks.sources.stored import Context, Mapped, Reading
from tests.data_tasks.registrations import CONFIG, bound, first, write
from unified_io.data import pipeline
from unified_io.data.budgets import Budgets
from unified_io.data.packer import Packer, prepare
from unified_io.errors import DataError
from unified_io.preprocess.prompts import read_wordings

GROUPS = {
    name: group
    for family in ("image_generation", "image_sparse", "image_dense", "video_sparse")
    for name, group in INSTRUCTION[family].items()
}
TASKS = sorted(name for name, task in REGISTRY.items() if task.group in GROUPS)
BUDGETS = Budgets(
    2,
    300,
    300,
    {m.name: 16 if m.slot_size > 1 else 500 for m in CONFIG.inputs},
    {m.name: 16 if m.slot_size > 1 else 500 for m in CONFIG.targets},
)
BINS = 0.15
"""How far a score may lie below the best because boxes are written in whole bins."""


def test_every_group_has_the_tasks_of_table_11():
    found = collections.Counter(REGISTRY[name].group for name in TASKS)
    assert found == {name: group.tasks for name, group in GROUPS.items()}


@pytest.mark.parametrize("name", TASKS)
def test_what_a_row_of_the_table_says(name):
    task = REGISTRY[name]
    assert task.dataset and task.obtain and task.size > 1_000
    assert task.weight == 1.0 and task.available


@pytest.fixture(scope="module")
def reading(tmp_path_factory):
    """Writes the sample of a task, once for all tasks that share it, and says how to read it."""
    folder, written = tmp_path_factory.mktemp("datasets"), {}

    def read(name):
        task = REGISTRY[name]
        source = task.source
        key = (repr(source.stored), tuple(source.own.values()), id(task.sample))
        if key not in written:
            written[key] = write(task, folder)
        return written[key]

    return read


def example_of(name, reading, folder):
    """The first example of the first split that has one."""
    task = REGISTRY[name]
    for split in task.source.own:
        try:
            if task.sample is None:
                return first(task, folder, split)
            return next(pipeline.examples(bound(task, reading(name)), split))
        except StopIteration:
            continue
    raise AssertionError(f"{name} has no example in any split")


@pytest.mark.parametrize("name", TASKS)
def test_an_example_is_packed_and_its_true_answer_is_the_best(name, reading, tmp_path):
    form, example = REGISTRY[name].form, example_of(name, reading, tmp_path)
    head = form.output
    assert example["text_inputs"].startswith(f"[{head.capitalize()}] [S] ")
    prepared = prepare(example, CONFIG.inputs, CONFIG.targets)
    packed = next(Packer(CONFIG.inputs, CONFIG.targets, BUDGETS).batches([prepared]))
    assert len(packed.examples) == 1
    assert packed.batch["heads"][head]["weights"].sum() > 0

    right = example[f"{head}_targets"]
    for metric in form.metrics:
        best = metric.total([form.parse(right, example)], [form.truth(example)])
        assert best == pytest.approx(metric.best, abs=BINS * abs(metric.best - metric.worst))
        wrong = np.zeros((8, 8, 3)) if head == "image" else "zzz"
        nothing = metric.total([form.parse(wrong, example)], [form.truth(example)])
        assert abs(nothing - metric.best) >= abs(best - metric.best)


def whole(name):
    """The source of a task, with all of its split for training."""
    source = REGISTRY[name].source
    own = {"train": source.own["train"].partition(":")[0]}
    return Mapped(source.stored, source.fields, own, source.keep, source.each)


def raw_examples(name, reading, seed):
    """The raw examples of the first record that is trained on."""
    source = whole(name).read_as(reading(name))
    row = next(source.stored.rows(source.context("train")).as_numpy_iterator())
    return source.raw("train", row, seed)


AGAIN = [name for name in TASKS if isinstance(REGISTRY[name].form, OneOf)]


def test_ways_to_ask_have_wordings_of_their_own():
    for name in AGAIN:
        forms = REGISTRY[name].form.forms
        wordings = [read_wordings(PROMPTS / f"{form.prompts}.txt") for form in forms]
        assert len({form.prompts for form in forms}) == len(forms)
        assert all(len(one.training) >= 5 and len(one.held_out) >= 2 for one in wordings)


@pytest.mark.parametrize("name", AGAIN)
def test_every_way_to_ask_is_met_and_answered_best_by_the_truth(name, reading):
    form, raw = REGISTRY[name].form, raw_examples(name, reading, 0)[0]
    (metric,), met = form.metrics, set()
    for seed in range(12 * len(form.forms)):
        try:
            example = form(raw | {"training": False}, np.random.default_rng(seed))
        except DataError:
            continue
        truth = form.truth(example)
        right = form.parse(example[f"{form.output}_targets"], example)
        assert metric.total([right], [truth]) > 1 - BINS
        met.add(truth[0])
    assert met == set(range(len(form.forms)))


PARTS = [name for name in TASKS if ":" in REGISTRY[name].source.own["train"]]


@pytest.mark.parametrize("name", PARTS)
def test_what_is_left_for_training_by_a_set_of_one_split_can_be_trained_on(name, reading):
    form, made = REGISTRY[name].form, 0
    for seed in range(6):
        raw = raw_examples(name, reading, seed)[0]
        assert raw["training"]
        try:
            made += bool(form(raw, np.random.default_rng(seed))["text_inputs"])
        except DataError:
            continue
    assert made


def test_views_and_cameras_of_objaverse_belong_together(reading):
    cameras = {}
    for seed in range(6):
        (raw,) = raw_examples("objaverse_views_several", reading, seed)
        assert len(raw["images"]) == len(raw["cameras"]) == 4
        for image, (theta, _, r) in zip(raw["images"], raw["cameras"], strict=True):
            assert 0 <= theta <= np.pi and 1.5 <= r <= 2.2
            assert cameras.setdefault(image.tobytes(), float(r)) == float(r)
    assert len(set(cameras.values())) > 4


def test_the_camera_of_objaverse_is_where_it_stands(tmp_path):
    from data_tasks.datasets.objaverse import _camera

    theta, phi, r = 0.7, -2.0, 1.9
    place = r * np.array([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)])
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    path = tmp_path / "views" / "0a1" / "003.npy"
    path.parent.mkdir(parents=True)
    np.save(path, np.concatenate([turn, -(turn @ place)[:, None]], axis=1))
    where = Context(tmp_path, Reading(), "objects")
    assert _camera({"object": "0a1"}, 3, where) == pytest.approx([theta, phi, r])
    np.save(path, np.eye(4))
    with pytest.raises(DataError, match="wanted"):
        _camera({"object": "0a1"}, 3, where)


def test_maps_of_multigen_are_named_in_their_order(tmp_path):
    from data_tasks.datasets import multigen

    record, counts = multigen._SAMPLE[0], set()
    for seed in range(30):
        drawn = Context(None, Reading(), "train", True, (seed,))
        kinds = [multigen.KINDS[key] for key in multigen._chosen(record, drawn)]
        assert multigen._told(record, drawn).endswith(f"({', '.join(kinds)})")
        counts.add(len(kinds))
    assert counts == {2, 3}
    assert [one["kind"] for one in multigen.one_each(record)] == ["edges", "depth", "a segmentation"]


def test_pictures_are_brought_to_the_size_of_another():
    small, large = np.full((4, 6, 3), 0.5, np.float32), np.zeros((8, 12, 3), np.float32)
    made = Fitted(lambda record, context: small, lambda record, context: large)({}, None)
    assert made.shape == large.shape and np.allclose(made, 0.5)
    assert fitted(small, small.shape) is small


def test_only_steps_after_the_first_continue_a_session():
    from data_tasks.datasets import magicbrush

    record = {"img_id": "7", "steps": [{"instruction": text} for text in "abc"]}
    assert [len(one["steps"]) for one in magicbrush.steps(record)] == [2, 3]
    assert magicbrush.steps(record | {"steps": record["steps"][:1]}) == []


def test_every_expression_is_asked_alone_and_pairs_need_two_things():
    from data_tasks.datasets import refcoco

    two, one = refcoco._SAMPLE
    asked = refcoco.expressed(two)
    assert [made["phrases"] for made in asked] == [
        ["man on the left"],
        ["guy in red"],
        ["woman with the hat"],
    ]
    assert all(len(made["objects"]) == 1 for made in asked)
    assert refcoco.paired(one) == [] and len(refcoco.paired(two)) == 1


def test_lvis_leaves_out_classes_that_are_marked_in_part():
    from data_tasks.datasets import lvis

    (kept,) = lvis.marked(lvis._SAMPLE[0])
    assert [thing["label"] for thing in kept["objects"]] == [4, 4]
    assert lvis._looked_for(kept, None) == [lvis.CLASSES[label] for label in (4, 7, 8)]
    assert len(lvis.CLASSES) == 1203


def test_a_person_of_ava_has_a_box_for_every_action():
    from data_tasks.datasets import ava

    (made,) = ava.acting({"people": [{"box": [0, 0, 1, 1], "actions": [12, 80]}]})
    assert made["labels"] == [12, 80] and made["boxes"] == [[0, 0, 1, 1]] * 2


def test_things_of_omni3d_that_are_not_known_in_space_are_left_out():
    from data_tasks.datasets import omni3d

    record = {name: [] for name in omni3d.SETS}
    known = {"category": "car", "valid3D": True, "behind_camera": False}
    others = [known | {"valid3D": False}, known | {"behind_camera": True}, known | {"category": "dontcare"}]
    (made,) = omni3d.placed(record | {"KITTI": [known, *others]})
    assert made["things"] == [known]
    assert omni3d.placed(record | {"KITTI": others}) == []


def test_visual_genome_is_asked_for_names_that_are_common():
    from data_tasks.datasets import visual_genome_objects as vg

    things = [
        {"names": [name], "x": 4, "y": 4, "w": 8, "h": 8}
        for name in ("cup", "left corner of the sign", "man")
    ]
    (made,) = vg._often({"height": 24, "width": 32, "objects": things})
    assert [thing["names"][0] for thing in made["objects"]] == ["cup", "man"]
