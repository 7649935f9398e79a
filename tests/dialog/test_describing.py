"""Describe first: two questions, and the description stays in the conversation."""

import pytest

from unified_io.dialog.describing import REQUEST, describe_first
from unified_io.dialog.formats import LYNX
from unified_io.dialog.rendering import render
from unified_io.dialog.turns import Dialog, Medium, bot, user
from unified_io.errors import DataError

ROSE = Medium("image", "rose.png")


def test_a_model_is_asked_twice_and_hears_itself():
    heard = []

    def ask(dialog):
        heard.append(dialog)
        return f"answer {len(heard)}"

    found = describe_first(Dialog((user(ROSE, "Is it red?"),), system="s"), ask)
    assert heard[0].messages == (user(ROSE, REQUEST),)
    assert heard[1].messages == (user(ROSE, REQUEST), bot("answer 1"), user("Is it red?"))
    assert found.messages == (*heard[1].messages, bot("answer 2")) and found.system == ("s",)
    assert str(render(found, LYNX)).startswith(
        "<image><s>s\nUser: give a detailed description of this.\nBot:"
    )


def test_what_was_said_before_stays():
    before = (user("Hello."), bot("Hi."))
    found = describe_first(Dialog((*before, user("red? ", ROSE))), lambda dialog: "yes", request="Tell.")
    assert found.messages == (*before, user(ROSE, "Tell."), bot("yes"), user("red?"), bot("yes"))


@pytest.mark.parametrize("last", [user("no medium?"), user(ROSE), bot("no question")])
def test_refuses_what_is_no_question_about_media(last):
    with pytest.raises(DataError, match="turn 0 is no question"):
        describe_first(Dialog((last,)), lambda dialog: "never")
