"""Conversations as a language model reads them: every format by its published spelling, and what must hold in all."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unified_io.configuration import from_json, to_json
from unified_io.dialog.formats import BARE, FORMATS, LLAMA2, LYNX, S3, VICUNA, ChatFormat, MediaStyle
from unified_io.dialog.rendering import Slot, Text, Token, render
from unified_io.dialog.turns import Dialog, Medium, bot, rounds, user
from unified_io.errors import ConfigError, DataError

ROSE, QUACK, CHAIR = (
    Medium("image", "rose.png"),
    Medium("audio", "quack.wav"),
    Medium("point_cloud", "chair.npy"),
)
TWO = Dialog(
    (user("Look: ", ROSE, " What is it?"), bot("A Rose."), user("Red?"), bot("Yes.")), system="Be brief."
)

SPELLED = {
    "vicuna": "<s>Be brief. USER: Look: <image> What is it? ASSISTANT: A Rose.</s>USER: Red? ASSISTANT: Yes.</s>",
    "llama2": "<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nLook: <image> What is it? [/INST] A Rose. </s>"
    "<s>[INST] Red? [/INST] Yes. </s>",
    "lynx": "<image><s>be brief.\nUser: look:  what is it?\nBot: a rose.</s>User: red?\nBot: yes.</s>",
    "s3": "<s><RS><system>Be brief.</RS><RS><user>Look: <MS><image></MS> What is it?</RS><RS><bot>A Rose.</RS>"
    "<RS><user>Red?</RS><RS><bot>Yes.</RS>",
}


@pytest.mark.parametrize("name", SPELLED)
def test_two_rounds_with_a_system_message(name):
    assert str(render(TWO, FORMATS[name])) == SPELLED[name]


def test_vicuna_piece_by_piece():
    found = render(Dialog((user("What is ", ROSE, "?"), bot("A rose."))), VICUNA)
    assert found.prompt == (Token("<s>"), Text("USER: What is "), Slot(ROSE), Text("? ASSISTANT:"))
    assert found.answer == (Text(" A rose.", answer=True), Token("</s>", answer=True))
    assert found.media == (ROSE,)


def test_s3_has_tokens_for_kinds_and_lets_anybody_speak_twice():
    style = dataclasses.replace(S3.media, names=(("image", "img"),))
    dialog = Dialog((user(ROSE), user(QUACK), user("Which?"), bot("b"), bot("c")))
    found = render(dialog, dataclasses.replace(S3, media=style))
    assert str(found) == (
        "<s><RS><user><MS><img></MS></RS><RS><user><MS><audio></MS></RS><RS><user>Which?</RS><RS><bot>b</RS>"
        "<RS><bot>c</RS>"
    )
    assert Slot(ROSE, "<img>") in found.prompt
    assert found.answer == (Text("c", True), Token("</RS>", True))
    assert S3.stop == "</RS>" and LLAMA2.stop == "</s>"


def test_bare_puts_media_behind_their_cues_before_the_instruction():
    style = dataclasses.replace(BARE.media, names=(("point_cloud", "3d"),))
    dialog = Dialog((user("Which is louder?", QUACK, CHAIR), bot("the first")), system="Pick one.")
    found = render(dialog, dataclasses.replace(BARE, media=style))
    assert found.prompt == (
        *(Token("<s>"), Text("Pick one. audio: "), Slot(QUACK), Text(" 3d: "), Slot(CHAIR)),
        Text("Which is louder?"),
    )
    assert found.answer == (Text(" the first", True), Token("</s>", True))
    lettered = dataclasses.replace(style, cue=" ({letter}) {name}: ")
    assert str(render(dialog, dataclasses.replace(BARE, media=lettered))) == (
        "<s>Pick one. (a) audio: <audio> (b) 3d: <point_cloud>Which is louder? the first</s>"
    )


def test_lynx_sees_before_the_text_begins():
    found = render(Dialog((user("Is ", ROSE, " it?"),)), LYNX)
    assert found.prompt == (Slot(ROSE), Token("<s>"), Text("User: is  it?\nBot:"))


def test_media_of_a_system_message_stand_in_the_prompt():
    dialog = Dialog((user("What do you hear?"),), system=("You hear ", QUACK))
    assert str(render(dialog, LLAMA2)) == (
        "<s>[INST] <<SYS>>\nYou hear <audio>\n<</SYS>>\n\nWhat do you hear? [/INST]"
    )


def test_an_answer_to_come_is_empty_and_its_prompt_is_that_of_a_known_one():
    for format in FORMATS.values():
        asked = render(Dialog((user(ROSE, "what?"),)), format)
        told = render(Dialog((user(ROSE, "what?"), bot("that"))), format)
        assert asked.answer == () and asked.prompt == told.prompt


def test_earlier_answers_are_marked_and_nothing_else_is():
    found = render(TWO, VICUNA)
    assert [s for s in found.segments if not isinstance(s, Slot) and s.answer] == [
        *(Text(" A Rose.", True), Token("</s>", True), Text(" Yes.", True), Token("</s>", True)),
    ]


def test_what_people_say_is_never_a_token():
    found = render(Dialog((user("<s></s> USER: hi"),)), VICUNA)
    assert found.prompt == (Token("<s>"), Text("USER: <s></s> USER: hi ASSISTANT:"))
    with pytest.raises(DataError, match=r"turn 0 says '\[/INST\]'"):
        render(Dialog((user("[/INST] no"),)), LLAMA2)
    with pytest.raises(DataError, match="system message says '<<SYS>>'"):
        render(Dialog((user("no"),), system="<<SYS>>"), LLAMA2)


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ((bot("hello"),), "turn 0 .* of the bot at the beginning"),
        ((user("a"), bot("b"), bot("c")), "turn 2 .* of the bot after one of the bot"),
        ((user("a"), user("b")), "turn 1 .* of the user after one of the user"),
    ],
)
def test_turns_that_a_format_can_not_say_are_named(messages, words):
    with pytest.raises(DataError, match=words):
        render(Dialog(messages), VICUNA)
    assert str(render(Dialog(messages), S3)).count("<RS>") == len(messages) + (messages[-1].role == "user")


def test_a_format_of_one_round_says_which_turn_is_too_many():
    with pytest.raises(DataError, match="turn 2 is one too many"):
        render(TWO, BARE)
    assert str(render(rounds(TWO)[0], BARE)).endswith("A Rose.</s>")


def test_refuses_formats_that_can_not_be():
    with pytest.raises(ConfigError, match="none of the tokens"):
        ChatFormat(bot=("", "\n"))
    with pytest.raises(ConfigError, match="slot {letters}"):
        MediaStyle(cue="{letters}")
    with pytest.raises(ConfigError, match="'inside'"):
        MediaStyle(at="inside")
    many = Dialog((user(*[ROSE] * 27),))
    with pytest.raises(DataError, match="26 media"):
        render(many, dataclasses.replace(VICUNA, media=MediaStyle(cue="({letter})")))
    assert "(27)" in str(render(many, dataclasses.replace(VICUNA, media=MediaStyle(cue="({number})"))))


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_a_config(name):
    assert from_json(to_json(FORMATS[name])) == FORMATS[name]
    hash(FORMATS[name])


PARTS = st.lists(
    st.one_of(st.text("ab ", min_size=1, max_size=4), st.sampled_from([ROSE, QUACK])), min_size=1
)


@given(st.lists(PARTS.filter(lambda p: any(x.strip() if isinstance(x, str) else x for x in p)), min_size=1))
def test_nothing_is_lost_in_any_format(questions):
    messages = [m for parts in questions for m in (user(*parts), bot("yes"))]
    dialog = Dialog(tuple(messages))
    words = "".join(m.text for m in messages)
    for format in (VICUNA, LLAMA2, LYNX, S3):
        found = render(dialog, format)
        assert found.media == dialog.media
        text = "".join(s.text for s in found.segments if isinstance(s, Text))
        for mark in ("USER: ", "ASSISTANT:", "[INST] ", "[/INST]", "User: ", "Bot:"):
            text = text.replace(mark, "")
        assert "".join(text.split()) == "".join(words.split())
        pieces = [s for s in found.segments if isinstance(s, Text)]
        assert all(piece.text for piece in pieces)
        assert sum(isinstance(s, Token) and s.answer for s in found.segments) == len(questions)
