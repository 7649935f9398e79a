"""The agent in its room: the expert always gets there, chance hardly ever, and a step is judged by running it."""

import json
from collections import deque

import numpy as np
import pytest

from data_tasks.toy import acted, acting, agent, agent_view
from data_tasks.toy.splits import HELD_OUT_PAIRS
from unified_io.errors import ConfigError, DataError

ROOM = agent.Room(
    blocks=((1, 0),),
    items=(agent.Item("cube", "red", 0, 2), agent.Item("cone", "blue", 3, 3)),
    start=(0, 0, 2),
)


def rooms(count, split="train"):
    return [agent.draw(split, index) for index in range(count)]


def shortest(room):
    """Steps to the goal by relaxation over all poses; independent of the expert's search."""
    far = {}
    queue = deque([(room.start, 0)])
    while queue:
        pose, steps = queue.popleft()
        if far.get(pose, 1e9) <= steps:
            continue
        far[pose] = steps
        queue.extend((room.after(pose, action), steps + 1) for action in ("right", "forward", "left"))
    return min(steps for pose, steps in far.items() if room.reached(pose))


def test_the_expert_walks_around_what_is_in_the_way():
    # The agent looks down at a block; the cube stands two squares to its right.
    assert agent.expert(ROOM) == ["left", "forward", "stop"]
    assert agent.run(ROOM, ["left", "forward", "stop"])
    assert not agent.run(ROOM, ["left", "stop"])
    assert not agent.run(ROOM, ["left", "forward"])
    assert agent.run(
        ROOM, ["forward", "left", "forward", "forward", "stop"]
    )  # bumps twice, and stays where it is


def test_the_expert_succeeds_always_and_by_a_shortest_way():
    for room in rooms(100):
        plan = agent.expert(room)
        assert agent.run(room, plan)
        assert len(plan) - 1 == shortest(room)


def test_a_random_policy_succeeds_rarely():
    rng = np.random.default_rng(0)
    won = [agent.drive(room, lambda _: agent.ACTIONS[rng.integers(4)]) for room in rooms(300)]
    assert np.mean(won) < 0.05


@pytest.mark.parametrize("policy", ["forward", "left", "stop", "jump", ""])
def test_a_policy_that_always_does_the_same_fails(policy):
    assert not any(agent.drive(room, lambda _: policy) for room in rooms(30))


def test_rooms_are_the_same_again_and_no_room_is_in_two_splits():
    assert rooms(5) == rooms(5)
    layouts = {
        name: {agent.layout(room) for room in rooms(150, name)} for name in ("train", "validation", "test")
    }
    assert all(len(found) > 145 for found in layouts.values())
    assert not layouts["train"] & layouts["validation"] and not layouts["train"] & layouts["test"]
    assert not layouts["validation"] & layouts["test"]
    pairs = {(item.shape, item.colour) for room in rooms(300) for item in room.items}
    assert len(pairs) > 30 and not pairs & set(HELD_OUT_PAIRS)


def test_a_room_goes_through_json_and_back():
    assert agent.from_world(json.loads(json.dumps(agent.to_world(ROOM)))) == ROOM
    with pytest.raises(DataError, match="no room"):
        agent.from_world({"blocks": []})


@pytest.mark.parametrize("make", [acted.walked, acted.walked_by_eye])
def test_a_record_is_one_step_of_the_way_and_its_action_leads_nearer(make):
    steps = []
    for index in range(40):
        record = make("train", index)
        assert len(record["images"]) == len(record["actions"]) == len(record["states"]) <= 5
        world = json.loads(json.dumps(record["world"]))
        assert acting.came_nearer(record["actions"][-1], world) == 1.0
        wrong = [action for action in agent.ACTIONS if not acting.came_nearer(action, world)]
        assert len(wrong) >= 1 and acting.came_nearer("sit down", world) == 0.0
        steps.append(record["actions"][-1])
    assert set(steps) == set(agent.ACTIONS)


def test_blind_actions_come_nearer_seldom():
    worlds = [acted.walked("test", index)["world"] for index in range(200)]
    rates = {
        action: np.mean([acting.came_nearer(action, world) for world in worlds]) for action in agent.ACTIONS
    }
    assert max(rates.values()) < 0.75 and rates["stop"] < 0.3


def test_pictures_show_where_things_are():
    seen = agent_view.above(ROOM, ROOM.start)
    side = seen.shape[0] // agent.SIDE
    assert seen.shape == (84, 84, 3) and seen.dtype == np.float32
    np.testing.assert_allclose(
        seen[side // 2, 2 * side + side // 2], (0.85, 0.08, 0.08), atol=1e-6
    )  # the red cube
    assert seen[side + side // 2, side // 2].max() < 0.2  # the block
    assert (seen != agent_view.above(ROOM, (0, 0, 1))).any()  # the arrow turns


def test_the_eye_sees_what_is_ahead_larger_the_nearer_it_is():
    def red(pose):
        picture = agent_view.eye(ROOM, pose)
        return int(((picture[..., 0] > 0.8) & (picture[..., 1] < 0.2)).sum())

    away, far, near = red((0, 0, 0)), red((0, 0, 1)), red((0, 1, 1))
    assert away == 0 and 0 < far < near


def test_unknown_actions_and_splits_are_refused():
    with pytest.raises(ConfigError, match="action"):
        ROOM.after(ROOM.start, "fly")
    with pytest.raises(ConfigError, match="split"):
        agent.draw("tset", 0)
