"""Requests side by side: each is answered as if it were alone, whenever it begins and whoever is beside it."""

import numpy as np
import pytest

from unified_io.api.lanes import Lane

DRAW = {"temperature": 1.0, "top_p": 1.0}


def call(model, output, options, **inputs):
    return model.prepare(output, **inputs, **options)


def written(lane, slots, steps=2):
    """Advances until all of some slots are done: their tokens."""
    for _ in range(200):
        found = lane.advance(steps)
        if all(found[slot].done for slot in slots):
            return {slot: found[slot] for slot in slots}
    raise AssertionError("it does not end")


def alone(model, output, options, **inputs):
    given = call(model, output, options, **inputs)
    lane = Lane(model.params, given, 1)
    return written(lane, [lane.join(given)])[0]


TEXTS = [
    ("one", {"seed": 1, "max_length": 9, **DRAW}),
    ("two", {"seed": 2, "max_length": 9, "temperature": 0.0}),
    ("six", {"seed": 3, "max_length": 9, "temperature": 0.8, "top_k": 5}),
    ("ten", {"seed": 4, "max_length": 9, "temperature": 1.5, "top_p": 0.9, "min_p": 0.01}),
]


def test_alone_in_a_lane_is_as_generate(model):
    for text, options in TEXTS:
        found = alone(model, "text", options, text=text)
        vocabulary = model.config.target("text").vocabulary
        assert vocabulary.decode(found.tokens.tolist()) == model.generate("text", text=text, **options)
        assert found.count == len(np.trim_zeros(found.tokens, "b"))


def test_requests_come_and_go_and_nobody_notices(model):
    expected = [alone(model, "text", options, text=text) for text, options in TEXTS]
    calls = [call(model, "text", options, text=text) for text, options in TEXTS]
    lane = Lane(model.params, calls[0], 3)
    assert lane.free == 3 and lane.advance(2) == {}
    first = lane.join(calls[0])
    lane.advance(3)
    second, third = lane.join(calls[1]), lane.join(calls[2])
    assert lane.free == 0
    lane.advance(1)
    lane.leave(second)  # it hangs up
    fourth = lane.join(calls[3])
    assert fourth == second
    found = written(lane, [first, third, fourth])
    for slot, which in ((first, 0), (third, 2), (fourth, 3)):
        np.testing.assert_array_equal(found[slot].tokens, expected[which].tokens)
        assert found[slot].count == expected[which].count and found[slot].done
    lane.leave(first)
    assert sorted(lane.advance(1)) == sorted([third, fourth]) and lane.taken == 2


@pytest.mark.parametrize("strengths", [(0.0, 0.0), (2.0, 6.0)])
def test_pictures_begun_at_different_times_are_the_same_pictures(model, strengths):
    asked = [
        {"text": f"draw {name}", "seed": name, "guidance": scale} for name, scale in enumerate(strengths)
    ]
    options = [{k: v for k, v in x.items() if k != "text"} for x in asked]
    calls = [call(model, "image", o, text=x["text"]) for o, x in zip(options, asked, strict=True)]
    assert Lane.kind(calls[0]) == Lane.kind(calls[1])
    lane = Lane(model.params, calls[0], 2)
    slots = [lane.join(calls[0])]
    lane.advance(7)
    slots.append(lane.join(calls[1]))
    found = written(lane, slots, steps=5)
    for slot, o, x in zip(slots, options, asked, strict=True):
        np.testing.assert_array_equal(found[slot].tokens, alone(model, "image", o, text=x["text"]).tokens)
    assert not np.array_equal(found[slots[0]].tokens, found[slots[1]].tokens)


def test_what_can_not_share_a_lane(model, picture):
    plain = call(model, "text", {}, text="a")
    kind = Lane.kind(plain)
    assert kind == Lane.kind(call(model, "text", {"seed": 9, "temperature": 0.5}, text="b"))
    others = [
        call(model, "text", {"guidance": 1.0}, text="a"),
        call(model, "text", {"max_length": 3}, text="a"),
        call(model, "text", {"repetition_penalty": 1.5}, text="a"),
        call(model, "text", {}, text="a", image=picture),
        call(model, "image", {}, text="a"),
    ]
    assert all(Lane.kind(other) != kind for other in others)
