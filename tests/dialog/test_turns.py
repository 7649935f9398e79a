"""Conversations: what can be one, rounds, neighbours made one, media put into their slots."""

import pytest

from unified_io.dialog.turns import Dialog, Medium, Message, bot, merged, rounds, user
from unified_io.errors import ConfigError, DataError

ROSE, DUCK = Medium("image", "rose.png"), Medium("image", "duck.png")


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ((), "no turn"),
        ((user("a?"), bot(" ")), "turn 1 of dialog 'd' is empty"),
        ((user(),), "turn 0 of dialog 'd' is empty"),
        ((user("a?"), bot("b"), user("c", Medium("audio", None))), "turn 2 of dialog 'd' lacks its 'audio'"),
        ((user("a?"), Message("bot", (ROSE,))), "turn 1 of dialog 'd' is a bot's"),
        ((Message("user", (7,)),), "turn 0 .* holds 7 of type int"),
    ],
)
def test_a_turn_that_is_none_is_named(messages, words):
    with pytest.raises(DataError, match=words):
        Dialog(messages, name="d")


def test_an_unknown_role_is_named_with_the_nearest():
    with pytest.raises(ConfigError, match="role in turn 1 'boot'; did you mean 'bot'"):
        Dialog((user("a?"), Message("boot", ("b",))))


def test_a_system_message_may_hold_media_and_must_have_them():
    dialog = Dialog((user("a?", DUCK),), system=("Look: ", ROSE))
    assert dialog.media == (ROSE, DUCK)
    assert Dialog((user("a?"),), system="Be brief.").system == ("Be brief.",)
    assert Message("user", "words") == user("words")
    with pytest.raises(DataError, match="system message lacks its 'image'"):
        Dialog((user("a?"),), system=(Medium("image", None),))


def test_every_answer_is_a_round_with_all_that_was_said_before():
    messages = (user(ROSE, "a?"), bot("b"), user("c?"), user("d?"), bot("e"), bot("f"), user("g?"))
    found = rounds(Dialog(messages, system="s", name="n"))
    assert [one.messages for one in found] == [messages[:2], messages[:5], messages[:6]]
    assert {(one.system, one.name) for one in found} == {(("s",), "n")}
    with pytest.raises(DataError, match="no turn of the bot"):
        rounds(Dialog((user("a?"),)))


def test_neighbours_become_one_and_only_words_that_meet_are_parted():
    dialog = Dialog((user(ROSE), user("a?"), user("b?"), bot("c"), bot("d"), user("e", DUCK), user("f")))
    assert merged(dialog).messages == (
        user(ROSE, "a?", " ", "b?"),
        Message("bot", ("c", " ", "d")),
        user("e", DUCK, "f"),
    )
    assert merged(merged(dialog)) == merged(dialog)
