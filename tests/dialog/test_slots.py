"""Media put into their slots, and two media segment by segment."""

import pytest

from unified_io.dialog.slots import interleaved, place
from unified_io.dialog.turns import Medium
from unified_io.errors import DataError

ROSE, DUCK, QUACK = Medium("image", "rose.png"), Medium("image", "duck.png"), Medium("audio", "quack.wav")


def test_media_take_the_slots_of_their_kind_in_order():
    text = "Is <image> like <image>, and is <b>that</b> <audio>?"
    assert place(text, [QUACK, ROSE, DUCK]) == (
        *("Is ", ROSE, " like ", DUCK, ", and is <b>that</b> ", QUACK, "?"),
    )
    assert place("[image]", [ROSE], slot="[{kind}]") == (ROSE,)
    assert place("no <image>", []) == ("no <image>",)


@pytest.mark.parametrize(
    ("media", "counts"), [([ROSE, DUCK], "2 media .* 1 slots"), ([QUACK], "1 media .* 0")]
)
def test_media_and_slots_must_be_as_many(media, counts):
    with pytest.raises(DataError, match=counts):
        place("one <image>", media)


def test_segments_of_two_media_alternate():
    video, sound = Medium("video", "v"), Medium("audio", "a")
    found = [(m.kind, m.segment) for m in interleaved((video, sound), 2)]
    assert found == [("video", 0), ("audio", 0), ("video", 1), ("audio", 1)]
