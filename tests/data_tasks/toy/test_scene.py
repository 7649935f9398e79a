"""States: what their hashes tell apart, and words that never lie between."""

import dataclasses

import numpy as np
import pytest

from data_tasks.toy import splits
from data_tasks.toy.scene import (
    COLOURS,
    SHAPES,
    SIZES,
    Camera,
    Room,
    State,
    Thing,
    content_hash,
    exact_hash,
)

CUBE = Thing("cube", "red", "plain", 0.5, (0.1, 0.2, 0.0))
BALL = Thing("sphere", "blue", "checks", 0.25, (-0.4, 0.2, 0.0), 0.5)
STATE = State(Room(), (CUBE, BALL), Camera(1.1, 0.3, 2.0))


def test_hashes_are_stable_over_processes():
    # Written down here: splits are made of them, and must be the same tomorrow.
    assert content_hash(STATE) == "e864510cc533a15c"
    assert exact_hash(STATE) == "652f5205dcc84c97"


def test_the_exact_hash_sees_every_number():
    for changed in (
        STATE.having(0, yaw=1e-5),
        STATE.having(1, size=0.25001),
        STATE.seen_from(Camera(1.1, 0.3, 2.00001)),
    ):
        assert exact_hash(changed) != exact_hash(STATE)
    assert exact_hash(STATE.having(0, yaw=-0.0)) == exact_hash(STATE)


def test_the_content_hash_sees_content_only():
    moved = STATE.having(0, position=(0.4, 0.0, 0.0), yaw=1.0).seen_from(Camera(1.0, 2.0, 1.6))
    assert content_hash(moved) == content_hash(STATE)
    assert content_hash(dataclasses.replace(STATE, things=(BALL, CUBE))) == content_hash(STATE)
    for changed in (
        STATE.having(0, colour="white"),
        STATE.having(0, size=0.25),
        STATE.having(1, there=False),
        dataclasses.replace(STATE, room=Room("brown")),
    ):
        assert content_hash(changed) != content_hash(STATE)


@pytest.mark.parametrize("word", SIZES)
def test_sizes_have_the_word_that_they_were_drawn_for(word):
    for size in SIZES[word]:
        assert dataclasses.replace(CUBE, size=size).size_word == word


def test_drawn_states_are_apart_in_view_and_described_in_different_words():
    for index in range(25):
        state = splits.SPLITS["train"].draw(splits.generator("train", index, "test"), count=(3, 4))
        assert len({thing.words for thing in state.things}) == len(state.things)
        for number, first in enumerate(state.things):
            assert first.shape in SHAPES and first.colour in COLOURS
            for second in state.things[:number]:
                apart = np.linalg.norm(np.subtract(first.position[:2], second.position[:2]))
                on_top = abs(first.position[2] - second.position[2]) > 0.4 and apart < 1e-6
                assert (
                    on_top or apart > first.radius + second.radius or first.position[2] or second.position[2]
                )
