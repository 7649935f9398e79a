"""The arm: the expert does every job in every level, random moves none, and answers are judged by running them."""

import json
import math

import numpy as np
import pytest

from data_tasks.formats.program import read_program, write_program
from data_tasks.toy import acted, acting, arm, arm_draw, arm_plan, arm_view, reach
from data_tasks.toy.arm import Block, Job, Table, Tray
from data_tasks.toy.splits import HELD_OUT_PAIRS, HELD_OUT_SHAPE
from unified_io.errors import ConfigError, DataError

TABLE = Table(
    (Block("cube", "red", 0.2, 0.2), Block("cone", "red", 0.2, 0.8), Block("cube", "blue", 0.8, 0.8)),
    (Tray("green", 0.75, 0.25), Tray("white", 0.5, 0.6)),
    Job("put", "red", "cube", 0),
)


def having(job):
    return Table(TABLE.blocks, TABLE.trays, job)


def tables(level, count=60):
    return [arm_draw.draw(level, index) for index in range(count)]


@pytest.mark.parametrize("level", arm_draw.LEVELS)
def test_the_expert_does_every_job_and_random_moves_do_not(level):
    rng = np.random.default_rng(0)
    lucky = 0
    for table in tables(level):
        moves = arm.expert(table)
        assert moves and arm.run(table, moves)
        assert not arm.run(table, [])
        lucky += arm.run(table, rng.uniform(size=(len(moves), 6)).tolist())
    assert lucky <= 2


def test_goals_are_told_and_done():
    assert TABLE.goal == "put the red cube on the green tray"
    assert arm.run(TABLE, [(0.2, 0.2, 0, 0.75, 0.25, 0)])
    assert not arm.run(TABLE, [(0.2, 0.2, 0, 0.5, 0.6, 0)])  # the other tray
    assert not arm.run(TABLE, [(0.2, 0.8, 0, 0.75, 0.25, 0)])  # the other thing
    assert not arm.run(
        TABLE, [(0.2, 0.2, 0, 0.75, 0.25, 0), (0.8, 0.8, 0, 0.1, 0.5, 0)]
    )  # and something else

    every = having(Job("put_all", "red", tray=1))
    assert every.goal == "put all red things on the white tray"
    assert len(arm.expert(every)) == 2 and arm.run(every, arm.expert(every))
    assert not arm.run(every, arm.expert(every)[:1])

    others = having(Job("put_others", "red", tray=1))
    assert others.goal == "put all things that are not red on the white tray"
    assert arm.run(others, [(0.8, 0.8, 0, 0.5, 0.6, 0)]) and not arm.run(others, arm.expert(every))

    turn = having(Job("turn", "red", "cone", turn=0.25))
    assert turn.goal == "turn the red cone by 90 degrees"
    assert arm.run(turn, [(0.2, 0.8, 0, 0.2, 0.8, 0.25)]) and arm.run(turn, [(0.2, 0.8, 0.75, 0.2, 0.8, 0.0)])
    assert not arm.run(turn, [(0.2, 0.8, 0, 0.2, 0.8, 0.5)])


def test_what_can_not_be_gripped_does_not_move_and_broken_moves_do_nothing():
    broken = [(0.5, 0.05, 0, 0.1, 0.1, 0), (0.2, 0.2), (math.nan,) * 6, ()]
    assert arm.execute(TABLE, broken) == TABLE


def test_plans_go_through_text_and_still_do_the_job():
    for level in arm_draw.LEVELS:
        for table in tables(level, 20):
            plan = read_program(write_program(arm_plan.steps(arm.expert(table))))
            world = json.loads(json.dumps(arm.to_world(table)))
            assert acting.did_job(plan, world) == 1.0
            np.testing.assert_allclose(arm_plan.moves(plan), arm.expert(table), atol=2e-3)


@pytest.mark.parametrize("answer", ["", "1: sit down", "1: pick from ( <extra_id_200> )", "put it there"])
def test_answers_that_are_no_plan_fail_and_never_raise(answer):
    assert acting.did_job(read_program(answer), arm.to_world(TABLE)) == 0.0


def test_levels_hold_out_what_they_say():
    pairs = {
        level: [{(b.shape, b.colour) for b in t.blocks} for t in tables(level, 60)]
        for level in arm_draw.LEVELS
    }
    assert not set.union(*pairs["train"]) & set(HELD_OUT_PAIRS)
    assert HELD_OUT_SHAPE not in {shape for shape, _ in set.union(*pairs["train"])}
    assert all(one & set(HELD_OUT_PAIRS) for one in pairs["combination"])
    assert all(HELD_OUT_SHAPE in {shape for shape, _ in one} for one in pairs["object"])
    assert {table.job.kind for table in tables("train")} == set(arm_draw.JOBS)
    assert {table.job.kind for table in tables("task")} == set(arm_draw.NEW_JOBS)
    contents = [
        {arm.content(table) for table in tables(level, 120)} for level in ("train", "placement", "task")
    ]
    assert not contents[0] & contents[1] and not contents[0] & contents[2]
    assert tables("train", 5) == tables("train", 5)


def test_things_lie_apart_and_on_no_tray():
    for table in tables("train") + tables("task"):
        places = [(block.x, block.y) for block in table.blocks]
        assert all(math.dist(a, b) > 2 * 0.06 for i, a in enumerate(places) for b in places[:i])
        assert not any(tray.holds(block) for tray in table.trays for block in table.blocks)


def test_the_picture_shows_things_trays_and_the_hand():
    seen = arm_view.above(TABLE)
    np.testing.assert_allclose(seen[19, 19], (0.85, 0.08, 0.08), atol=1e-6)
    assert seen.shape == (96, 96, 3) and seen.dtype == np.float32
    assert (arm_view.above(TABLE, hand=(0.5, 0.1)) != seen).any()
    turned = arm_view.above(arm.execute(TABLE, [(0.2, 0.8, 0, 0.2, 0.8, 0.25)]))
    assert (turned != seen).any()


@pytest.mark.parametrize("split", ["train", "validation", "test", "novel_pair", "novel_shape"])
def test_the_reach_of_the_expert_grips_and_chance_does_not(split):
    rng = np.random.default_rng(0)
    tables = [reach.draw(split, index) for index in range(40)]
    assert all(reach.run(table, reach.expert(table)) for table in tables)
    low, high = np.array(reach.LOW), np.array(reach.HIGH)
    assert sum(reach.run(table, rng.uniform(low, high).tolist()) for table in tables) <= 1
    assert not any(reach.run(table, (low + high) / 2) for table in tables)


def test_every_number_of_a_reach_counts():
    table = Table((Block("cone", "red", 0.3, 0.4, 0.25),), (), Job("grip", "red", "cone"))
    right = reach.expert(table)
    assert table.goal == "grip the red cone" and right == pytest.approx([0.3, 0.4, 0.5, 0, 0, math.pi / 2, 1])
    for place, off in enumerate([0.2, 0.2, 0.3, 1.0, 1.0, 1.0, -1.0]):
        assert not reach.run(table, [*right[:place], right[place] + off, *right[place + 1 :]])
    assert reach.run(table, [*right[:5], right[5] - 2 * math.pi, 1.0])
    assert not reach.run(table, right[:6]) and not reach.run(table, [math.nan] * 7)


def test_records_of_the_arm_fit_their_format():
    record = acted.programmed("test", 0)
    assert record["world"]["job"]["kind"] == "put_others" and record["images"][0].shape == (96, 96, 3)
    record = acted.reached("train", 0)
    assert len(record["actions"]) == len(record["images"]) == 1 and len(record["actions"][0]) == 7
    assert acting.gripped(None, record["world"]) == 0.0


def test_unknown_levels_and_broken_worlds_are_refused():
    with pytest.raises(ConfigError, match="level"):
        arm_draw.draw("hard", 0)
    with pytest.raises(DataError, match="no table"):
        arm.from_world({"blocks": [{"shape": "cube"}], "trays": [], "job": {}})
