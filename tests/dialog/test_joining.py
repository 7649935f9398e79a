"""Variety of conversations: nothing is lost, both orders come, the seed decides."""

from collections import Counter

import numpy as np

from unified_io.dialog.joining import joined, moved, shuffled
from unified_io.dialog.turns import Dialog, Medium, bot, user

ROSE, QUACK = Medium("image", "rose.png"), Medium("audio", "quack.wav")


def _all(change, dialog, draws=200):
    return Counter(change(dialog, np.random.default_rng(seed)).messages for seed in range(draws))


def test_media_come_before_or_after_their_words_equally_often():
    found = _all(moved, Dialog((user(ROSE, QUACK, "which?"), bot("b"))))
    assert found.keys() == {(user(ROSE, QUACK, "which?"), bot("b")), (user("which?", ROSE, QUACK), bot("b"))}
    assert min(found.values()) > 70


def test_turns_that_are_media_change_places_with_turns_of_words():
    found = _all(moved, Dialog((user("a"), bot("b"), user(ROSE), user("c?"), bot("d"))))
    assert found.keys() == {
        (user("a"), bot("b"), user(ROSE), user("c?"), bot("d")),
        (user("a"), bot("b"), user("c?"), user(ROSE), bot("d")),
    }


def test_media_between_words_stay():
    dialog = Dialog((user("is ", ROSE, " red?"), bot("b")))
    assert _all(moved, dialog, 20).keys() == {dialog.messages}


def test_media_take_each_others_places():
    found = _all(shuffled, Dialog((user("is ", ROSE, " like ", QUACK), bot("b"))))
    assert found.keys() == {
        (user("is ", ROSE, " like ", QUACK), bot("b")),
        (user("is ", QUACK, " like ", ROSE), bot("b")),
    }


def _dialogs():
    words = "abcdefghij"
    return [Dialog((user(w), bot(w * (i + 1))), system="st"[i % 2], name=w) for i, w in enumerate(words)]


def _length(dialog):
    return sum(len(message.text) for message in dialog.messages)


def test_whole_dialogs_are_joined_up_to_a_length():
    given = _dialogs()
    found = joined(given, _length, 9, np.random.default_rng(0))
    assert len(found) < len(given)
    assert Counter(m for d in found for m in d.messages) == Counter(m for d in given for m in d.messages)
    by_name = {dialog.name: dialog for dialog in given}
    for dialog in found:
        parts = [by_name[name] for name in dialog.name.split("+")]
        assert dialog.messages == tuple(m for part in parts for m in part.messages)
        assert {part.system for part in parts} == {dialog.system}
        assert _length(dialog) <= 9 or len(parts) == 1


def test_the_seed_decides():
    first, again, other = (joined(_dialogs(), _length, 20, np.random.default_rng(s)) for s in (1, 1, 2))
    assert first == again != other
