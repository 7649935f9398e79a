"""The world as a dataset: records are pure, canonical and of their split; every task runs, and its oracle is right."""

from pathlib import Path

import numpy as np
import pytest

from data_tasks.registry import REGISTRY
from data_tasks.sources.record import CANONICAL, checked, pack, unpack
from data_tasks.toy import splits, tasks
from data_tasks.toy.placing import TURN
from data_tasks.toy.render import render
from data_tasks.toy.scene import Board, Camera, Light, Puppet, Room, State, Thing
from data_tasks.toy.views import VIEWS
from data_tasks.toy.world import LENGTHS, ToyWorld
from unified_io.errors import ConfigError, DataError

NOWHERE = Path()
# Quantised targets: how far the metric of a true target may be from its best.
SLACK = {"localisation": 0.05, "mean_iou": 0.05, "track_iou": 0.05, "success_auc": 0.06, "camera_angle": 0.01}
SLACK |= {"camera_radius": 0.002, "ap": 0.1, "ap3d": 0.05, "ap3d_50": 0.05, "oks": 0.02, "cider": 10.0}
SLACK |= {"colours_seen": 0.06}  # the eye misses some of the smallest things


@pytest.mark.parametrize("view", VIEWS)
def test_records_are_pure_and_canonical(view):
    world = ToyWorld("toy", view, size=32)
    for split in ("train", "novel_shape"):
        record = world.record(NOWHERE, split, 2)
        assert set(record) <= set(CANONICAL)
        raw = checked({"id": "2", "training": True, **record})
        again = checked({"id": "2", "training": True, **world.record(NOWHERE, split, 2)})
        assert pack(raw) == pack(again)
        assert pack(raw) != pack(checked({"id": "2", "training": True, **world.record(NOWHERE, split, 3)}))
        for image in [record.get("image"), *record.get("images", [])]:
            if image is not None:
                assert image.dtype == np.float32 and image.shape == (32, 32, 3)
                assert image.min() >= 0.0 and image.max() <= 1.0 and np.ptp(image) > 0.1


@pytest.mark.parametrize("view", ["scene", "question", "edit", "views"])
def test_what_is_shown_does_not_depend_on_the_size(view):
    small, large = (ToyWorld("toy", view, size).record(NOWHERE, "test", 1) for size in (48, 64))
    assert small["world"]["state"] == large["world"]["state"]


@pytest.mark.parametrize("view", VIEWS)
def test_every_state_of_a_record_belongs_to_its_split(view):
    world = ToyWorld("toy", view, size=24)
    for name in ("train", "validation", "novel_pair"):
        for index in range(2):
            states = _states(world.record(NOWHERE, name, index).get("world", {}))
            assert states or view == "document"
            assert splits.SPLITS[name].owns(states)
            others = {"train", "validation", "test"} - {name} - ({"test"} if name == "novel_pair" else set())
            assert not any(splits.SPLITS[other].owns([state]) for other in others for state in states)


def test_the_second_of_two_views_is_beside_the_first():
    turns = []
    for index in range(40):
        (_, first, _), (_, second, _) = ToyWorld("toy", "views", 24).record(NOWHERE, "train", index)[
            "cameras"
        ]
        turns.append((second - first + np.pi) % (2 * np.pi) - np.pi)
    assert np.abs(turns).max() <= TURN + 1e-5
    assert min(turns) < -0.5 and max(turns) > 0.5


def test_a_rug_is_turned_to_the_first_of_two_views():
    turns = []
    for index in range(40):
        record = ToyWorld("toy", "views", 24).record(NOWHERE, "train", index)
        turns.append(record["world"]["state"]["rug"] - record["cameras"][0][1])
    assert np.abs(turns).max() <= TURN + 1e-5
    assert min(turns) < -0.5 and max(turns) > 0.5


def test_the_only_thing_of_a_picture_fills_its_box():
    for index in range(5):
        record = ToyWorld("toy", "single", 48).record(NOWHERE, "train", index)
        ((y1, x1, y2, x2),) = np.rint(record["boxes"] * 48).astype(int)
        assert record["names"] == [record["name"]]
        values = record["world"]["state"]
        bare = State(Room(**values["room"]), (), Camera(**values["camera"]), Light(**values["light"]))
        rows, columns = np.nonzero(np.abs(render(bare, 48).image - record["image"]).max(axis=2) > 0.01)
        # Its shadow may reach farther than it does, down and to the sides, but not above it.
        assert abs(rows.min() - y1) <= 1 and rows.max() >= y2 - 2
        assert columns.min() <= x1 + 1 and columns.max() >= x2 - 2


def test_pairs_are_as_few_things_as_a_split_has():
    for split, count in (("train", 2), ("more_things", 5)):
        record = ToyWorld("toy", "paired", 48).record(NOWHERE, split, 0)
        assert len(record["world"]["state"]["things"]) == count and record["relations"]


def test_lengths_and_names_are_checked():
    world = ToyWorld("toy", lengths={"train": 3})
    assert world.length(NOWHERE, "train") == 3 and ToyWorld("toy").length(NOWHERE, "test") == LENGTHS["test"]
    with pytest.raises(DataError, match="record 3 of 3"):
        world.record(NOWHERE, "train", 3)
    with pytest.raises(ConfigError, match="train"):
        world.length(NOWHERE, "trian")
    with pytest.raises(ConfigError, match="scene"):
        ToyWorld("toy", "scenes")
    with pytest.raises(DataError, match="made"):
        world.write(NOWHERE, "train", [])


@pytest.mark.parametrize("name", tasks.TASKS)
def test_a_true_target_scores_best(name):
    form, source = REGISTRY[name].form, REGISTRY[name].source
    predictions, truths, used = [], [], 0
    for split in ("test", "novel_shape", "more_things"):
        for index in range(3):
            (raw,) = source.raw(split, {"index": np.int64(index)})
            fields = form(unpack(pack(raw)), np.random.default_rng(index))
            target = fields[f"{form.output}_targets"]
            target = target[0] if isinstance(target, list) else target
            predictions.append(form.parse(target, fields))
            truths.append(form.truth(fields))
            used += 1
    assert used == 9
    for metric in form.metrics:
        total = metric.total(predictions, truths)
        assert abs(total - metric.best) <= SLACK.get(metric.name, 1e-3), (metric.name, total)


@pytest.mark.parametrize("name", tasks.DENOISED)
def test_records_to_denoise_are_made(name):
    source = REGISTRY[name].source
    for index in range(3):
        (raw,) = source.raw("train", {"index": np.int64(index)})
        assert REGISTRY[name].form.record(unpack(pack(raw))) is not None


def test_a_task_reads_its_examples_through_seqio():
    source = REGISTRY["toy_caption"].source
    rows = list(source.get_dataset("validation", shuffle=False).take(3).as_numpy_iterator())
    assert [row["id"] for row in rows] == [b"toy validation 0", b"toy validation 1", b"toy validation 2"]
    assert source.num_input_examples("train") == 20_000
    assert unpack(rows[0]["record"])["training"] is False


def test_every_format_that_scenes_know_has_a_task():
    first = (
        "caption qa choose tag region_text relation instruct boxes referring keypoints property track cuboids"
    )
    second = "camera mask depth normals flow draw edit inpaint view next_frame text_denoise denoise interleave patches"
    wanted = f"{first} {second}".split(" ")
    assert {f"toy_{name}" for name in wanted} <= {*tasks.TASKS, *tasks.DENOISED} <= {*REGISTRY}
    assert all(REGISTRY[name].group == "toy" for name in (*tasks.TASKS, *tasks.DENOISED))


def _states(world):
    values = [world[key] for key in ("state", "after") if key in world] + world.get("states", [])
    return [_state(value) for value in values]


def _state(value):
    things = tuple(Thing(**{**t, "position": tuple(t["position"])}) for t in value["things"])
    puppets = tuple(Puppet(**{**p, "position": tuple(p["position"])}) for p in value["puppets"])
    board = (
        None
        if value["board"] is None
        else Board(**{**value["board"], "words": tuple(value["board"]["words"])})
    )
    return State(
        Room(**value["room"]), things, Camera(**value["camera"]), Light(**value["light"]), puppets, board
    )
