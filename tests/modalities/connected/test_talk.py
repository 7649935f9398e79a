"""Examples as conversations: slots, media in front, earlier turns, and what is refused."""

import json

import numpy as np
import pytest

from unified_io.dialog.turns import Medium
from unified_io.errors import ConfigError, DataError
from unified_io.modalities.connected.talk import conversation, order

A, B = np.zeros((2, 2, 3)), np.ones((2, 2, 3))
SOUND = np.ones((4, 8))


def parts(example):
    return conversation(example).messages[-1].parts


def test_media_without_slots_stand_in_front_of_the_question():
    example = {"text_inputs": "[Text] [S] which one?", "audio_inputs": SOUND, "image_inputs": A}
    assert parts(example) == (Medium("image", 0), Medium("audio", 0), "which one?")


def test_slots_are_filled_in_order_earlier_media_first():
    example = {"text_inputs": "is <image> like <image>?", "image_history_inputs": [A], "image_inputs": B}
    assert parts(example) == ("is ", Medium("image", 0), " like ", Medium("image", 1), "?")


def test_earlier_turns_take_their_media_first():
    before = {
        "system": "be brief",
        "messages": [{"role": "user", "text": "see <image>"}, {"role": "bot", "text": "ok"}],
    }
    example = {
        "text_inputs": "hear <audio> and see <image>",
        "dialog_inputs": json.dumps(before),
        "image_history_inputs": [A],
        "image_inputs": B,
        "audio_inputs": SOUND,
    }
    dialog = conversation(example, system="be long")
    assert dialog.system == ("be brief",)
    assert [m.role for m in dialog.messages] == ["user", "bot", "user"]
    assert dialog.messages[0].parts == ("see ", Medium("image", 0))
    assert dialog.messages[2].parts == ("hear ", Medium("audio", 0), " and see ", Medium("image", 1))
    np.testing.assert_array_equal(order(example, "image"), [0, 2])
    np.testing.assert_array_equal(order(example, "audio"), [1])


@pytest.mark.parametrize(
    ("example", "words"),
    [
        ({"text_inputs": "what is <image>?"}, "turn 0 lacks the medium of a slot <image>"),
        (
            {"text_inputs": "<image>?", "image_history_inputs": [A], "image_inputs": B},
            "2 media of kind 'image'",
        ),
        ({"text_inputs": "a", "dialog_inputs": "{broken"}, "dialog_inputs is '{broken'"),
        ({"text_inputs": "a", "dialog_inputs": '{"messages": [{"role": "user"}]}'}, "want JSON such as"),
        ({"text_inputs": "a", "dialog_inputs": '{"messages": [{"role": "cat", "text": "a"}]}'}, "turn 0"),
        ({"text_inputs": "", "meta/id": "x7"}, "turn 0 of dialog 'x7' is empty"),
    ],
)
def test_what_can_not_be_a_conversation_is_refused(example, words):
    with pytest.raises((DataError, ConfigError), match=words):
        conversation(example)
