"""Clips: what moves does so as its kind says, and flow takes pixels to where the next picture has them."""

import math

import numpy as np
import pytest

from data_tasks.toy import motion, moving, splits, truth
from data_tasks.toy.render import render

TRAIN = splits.SPLITS["train"]


def clips(kind, count=6):
    return [moving.draw(TRAIN, kind, splits.generator("train", index, kind)) for index in range(count)]


def path(clip, number):
    return np.array([state.things[number].position for state in clip.states])


@pytest.mark.parametrize("kind", motion.KINDS)
def test_only_what_takes_part_changes(kind):
    for clip in clips(kind):
        assert clip.kind == kind and len(clip.states) == motion.FRAMES
        first = clip.states[0]
        for state in clip.states:
            assert (state.camera, state.room, state.light) == (first.camera, first.room, first.light)
            for number, thing in enumerate(state.things):
                if number not in (clip.actor, clip.other):
                    assert thing == first.things[number]
        assert len(set(clip.states)) > 1
        assert (clip.other is not None) == (kind in ("approach", "collide"))


def test_a_slide_is_even_and_stays_clear():
    for clip in clips("slide"):
        steps = np.diff(path(clip, clip.actor), axis=0)
        np.testing.assert_allclose(steps, np.tile(steps[0], (4, 1)), atol=1e-9)
        assert 0.35 <= np.linalg.norm(steps.sum(axis=0)) <= 0.7
        for state in clip.states[1:]:
            for number in state.present:
                thing, actor = state.things[number], state.things[clip.actor]
                if number != clip.actor:
                    assert (
                        math.dist(thing.position[:2], actor.position[:2]) > thing.radius + actor.radius + 0.1
                    )


def test_an_approach_ends_in_touch():
    for clip in clips("approach"):
        last = clip.states[-1]
        actor, other = last.things[clip.actor], last.things[clip.other]
        assert math.dist(actor.position, other.position) == pytest.approx(actor.radius + other.radius)
        assert np.ptp(path(clip, clip.other), axis=0).max() == 0.0


def test_a_bump_passes_the_motion_on():
    for clip in clips("collide"):
        actor, other = path(clip, clip.actor), path(clip, clip.other)
        touch = int(clip.moment / motion.SECONDS)
        assert (np.diff(other[: touch + 1], axis=0) == 0).all() and (
            np.diff(actor[touch:], axis=0) == 0
        ).all()
        way, pushed = actor[touch] - actor[0], other[-1] - other[0]
        assert way @ pushed == pytest.approx(np.linalg.norm(way) * np.linalg.norm(pushed))
        assert np.linalg.norm(pushed) > 0.15


def test_a_jump_leaves_the_floor_and_lands_where_it_began():
    for clip in clips("jump"):
        heights = path(clip, clip.actor)[:, 2]
        np.testing.assert_allclose(heights, heights[::-1], atol=1e-9)
        assert heights[0] == 0 and heights.argmax() == 2 and heights[2] >= 0.3


def test_a_spin_can_be_seen():
    for clip in clips("spin"):
        thing = clip.states[0].things[clip.actor]
        assert thing.texture != "plain" or thing.shape in ("cube", "pyramid")
        turns = np.diff([state.things[clip.actor].yaw for state in clip.states])
        np.testing.assert_allclose(turns, turns[0])
        pictures = [render(state, 64) for state in clip.states[:2]]
        mine = pictures[0].ids == clip.actor + 1
        assert np.abs(pictures[0].image - pictures[1].image)[mine].max() > 0.02


def test_what_vanishes_is_gone_from_then_on():
    for clip in clips("vanish"):
        there = [state.things[clip.actor].there for state in clip.states]
        assert there[:2] == [True, True] and not there[-1]
        assert there == sorted(there, reverse=True)


def test_kinds_of_motion_are_equally_likely():
    names = [
        moving.video(TRAIN, splits.generator("train", index, "video"), 16)["name"] for index in range(120)
    ]
    counts = [names.count(name) for name in moving.NAMES.values()]
    assert min(counts) >= 8 and max(counts) <= 36  # of 20 each


def test_tracks_are_the_boxes_of_the_actor():
    for index in range(4):
        record = moving.followed(TRAIN, splits.generator("train", index, "followed"), 48)
        states = record["world"]["states"]
        assert len(record["images"]) == len(record["tracks"]) == len(states) == 5
        assert (record["tracks"][:, 2:] > record["tracks"][:, :2]).all()
        assert np.ptp(record["tracks"], axis=0).max() > 1 / 48  # it moves
    clip = clips("slide", 1)[0]
    for state in clip.states:
        ids = render(state, 48).ids
        box = truth.boxes(truth.masks(ids, [clip.actor + 1]))[0] * 48
        rows, columns = np.nonzero(ids == clip.actor + 1)
        assert box.tolist() == [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]


@pytest.mark.parametrize("index", range(8))
def test_flow_takes_every_pixel_to_the_same_surface(index):
    rng = splits.generator("train", index, "flow")
    clip = moving.draw(TRAIN, ("slide", "jump", "spin", "collide")[index % 4], rng)
    first, second = clip.states[1], clip.states[2]
    if index >= 4:
        second = moving._tilted(second, rng)
    size = 64
    here, there = render(first, size), render(second, size)
    flow = truth.flow(first, here, second)
    rows, columns = np.mgrid[:size, :size] + 0.5
    goal = np.stack([rows + flow[..., 1], columns + flow[..., 0]], axis=-1)
    inside = ((goal >= 0) & (goal < size)).all(axis=-1)
    y, x = goal[inside].astype(int).T
    before, after = here.ids[inside], there.ids[y, x]
    # Another owner is one that came in front, or the pixel beside a rim.
    rim, slope = np.zeros((size, size), bool), np.zeros((size, size))
    for axis in (0, 1):
        for step in (1, -1):
            rim |= np.roll(there.ids, step, axis) != there.ids
            slope = np.maximum(slope, np.abs(np.roll(there.depth, step, axis) - there.depth))
    same = before == after
    expected = _depth_after(first, here, second)[inside]
    nearer = there.depth[y, x] < expected - 1e-3
    assert (same | nearer | rim[y, x]).all()
    assert same[before > 0].mean() > 0.75
    # Apart from rims and from what turned away, the depth there is that of the very point, to within a pixel.
    calm = same & ~rim[y, x]
    off = np.abs(there.depth[y, x] - expected)[calm]
    assert (off <= slope[y, x][calm] + 1e-3).mean() > 0.98
    assert np.abs(flow).max() > 0.3


def test_flow_is_nothing_where_nothing_moves():
    state = clips("slide", 1)[0].states[0]
    assert np.abs(truth.flow(state, render(state, 32), state)).max() < 1e-4


def _depth_after(first, picture, second):
    """Depth, for the second camera, of the points a picture shows, moved on; by hand, thing by thing."""
    from data_tasks.toy import camera

    points = picture.points.astype(np.float64)
    for number, (a, b) in enumerate(zip(first.things, second.things, strict=True)):
        mine = picture.ids == number + 1
        turn = b.yaw - a.yaw
        x, y, z = (points[mine] - a.position).T
        moved = [x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn), z]
        points[mine] = np.stack(moved, axis=1) + b.position
    return camera.project(second.camera, points)[1]
