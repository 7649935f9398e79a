"""Describe first, and closed sets: what a connected model is asked, and how it ranks what it could say."""

import json

import numpy as np
import pytest

from unified_io.api.describing import Described
from unified_io.dialog.turns import Dialog, Medium, bot, user
from unified_io.errors import ConfigError, DataError
from unified_io.modalities.connected.talk import conversation, fields_of

PICTURE = np.random.default_rng(0).random((20, 30, 3), np.float32)
DRAWN = {"temperature": 1.0, "seed": 3, "max_length": 8, "min_length": 4}


def test_it_describes_and_then_answers_with_its_own_words_before(model):
    found = model.describe_first("is it red?", image=PICTURE, describing={**DRAWN, "max_length": 6}, **DRAWN)
    request = "Give a detailed description of this."
    described = model.generate("text", text=request, image=PICTURE, **{**DRAWN, "max_length": 6})
    dialog = {
        "messages": [
            {"role": "user", "text": f"<image>{request}"},
            {"role": "bot", "text": described},
        ]
    }
    answer = model.generate("text", text="is it red?", image=PICTURE, dialog=dialog, **DRAWN)
    assert found == Described(described, answer)
    assert answer != model.generate("text", text="is it red?", image=PICTURE, **DRAWN)


def test_earlier_turns_and_their_pictures_stay(model):
    dialog = {"messages": [{"role": "user", "text": "see <image>"}, {"role": "bot", "text": "a two"}]}
    media = {"image": [PICTURE, 1 - PICTURE], "dialog": dialog}
    found = model.describe_first("and <image>?", **media, request="Tell.", **DRAWN)
    described = model.generate("text", text="<image>Tell.", **media, **DRAWN)
    assert found.description == described


def test_without_a_medium_there_is_nothing_to_describe(model):
    with pytest.raises(DataError, match="turn 0 is no question about media"):
        model.describe_first("is it red?", **DRAWN)


def test_a_closed_set_is_ranked_by_what_each_answer_scores(model):
    choices = ["one", "a seven", "twenty two", "no"]
    scores = model.score(choices, text="which?", image=PICTURE)
    alone = [model.score([choice], text="which?", image=PICTURE)[0] for choice in choices]
    np.testing.assert_allclose(scores, alone, atol=1e-4)
    ranked = model.categorize(choices, image=PICTURE, prompt="which?", by="sum")
    assert ranked.options == tuple(choices[i] for i in np.argsort(-scores))
    np.testing.assert_allclose(ranked.scores, np.sort(scores)[::-1], atol=1e-4)
    mean = model.score_batch([{"text": "which?", "image": PICTURE}], choices, by="mean")[0]
    tokens = [model.config.target("text").cost(choice) for choice in choices]
    np.testing.assert_allclose(mean, scores / tokens, rtol=1e-5)


def test_an_answer_that_is_too_long_can_not_be_ranked(model):
    with pytest.raises(ConfigError, match="answer 1 .* can not be scored"):
        model.score(["one", "two " * 200], text="which?")


def test_a_conversation_is_its_words_and_back():
    told = {"system": "be brief", "messages": [{"role": "user", "text": "see <image>"}]}
    told["messages"].append({"role": "bot", "text": "a seven"})
    fields = {
        "text_inputs": "is <image> like <audio>",
        "dialog_inputs": json.dumps(told),
        "image_inputs": [PICTURE, PICTURE],
        "audio_inputs": np.zeros((3, 16)),
    }
    dialog = conversation(fields)
    assert conversation(fields | fields_of(dialog)) == dialog
    front = conversation({"text_inputs": "what?", "image_inputs": PICTURE})
    assert fields_of(front) == {"text_inputs": "<image>what?", "dialog_inputs": ""}


def test_what_somebody_says_stays_words():
    dialog = Dialog((user(Medium("image", 0), "what?"), bot("an <image> tag"), user("so?")))
    again = conversation({"image_inputs": PICTURE} | fields_of(dialog))
    assert [message.media for message in again.messages] == [(Medium("image", 0),), (), ()]
    assert again.messages[1].text == "an < image> tag"
    with pytest.raises(DataError, match="turn 1 is of the bot; want a question"):
        fields_of(Dialog(dialog.messages[:2]))
