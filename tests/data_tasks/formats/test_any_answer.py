"""Whatever a model writes, it is read and judged, and nothing that means nothing is better than the truth."""

import math

import pytest
from hypothesis import given, settings

from data_tasks.formats.caption import Caption
from data_tasks.formats.caption_augmented import RuledCaption
from data_tasks.formats.choose import Choose
from data_tasks.formats.counting import Count
from data_tasks.formats.instruct import Instruct
from data_tasks.formats.qa import STYLES, Question
from data_tasks.formats.region import RegionText
from data_tasks.formats.relation import ASKS, Relate
from data_tasks.formats.tag import Tag
from data_tasks.formats.transcribe import Transcribe
from tests.data_tasks.formats.garbage import ANSWERS
from tests.data_tasks.formats.wording import made, picture, raw, sound

EXAMPLE = raw(
    image=picture(8, 8),
    audio=sound(),
    captions=["a cup on a table"],
    question="how many cups?",
    answers=["2 because I see two"],
    options=["a cup", "a dog"],
    name="a cup",
    classes=["a cup", "a dog", "cup", "table"],
    names=["cup", "table"],
    phrases=["the cup", "the table"],
    boxes=[[0.0, 0.0, 0.4, 0.4], [0.4, 0.0, 0.9, 0.9]],
    relations=[[0, "on", 1], [0, "left of", 1]],
    instruction="say it",
    response="it is said",
    text="it is said",
)
FORMS = [
    Caption("caption"),
    RuledCaption("caption_rules"),
    *(Question("qa", style=style) for style in STYLES),
    Choose("choose"),
    Tag("tag"),
    RegionText("region_class"),
    RegionText("region_phrase", "phrase"),
    *(Relate(f"relation_{ask}", ask) for ask in ASKS),
    Instruct("instruct"),
    Transcribe("transcribe"),
    Count("count"),
    Count("count_masked", masked=True),
]


@pytest.mark.parametrize("form", FORMS, ids=repr)
@settings(max_examples=40, deadline=None)
@given(answer=ANSWERS)
def test_any_answer_is_judged(form, answer):
    pytest.importorskip("jiwer")
    fields = made(form, EXAMPLE, training=False)
    prediction, truth = form.parse(answer, fields), form.truth(fields)
    for metric in form.metrics:
        # Two examples: CIDEr of one is 0.
        score = metric.total([prediction, prediction], [truth, truth])
        assert math.isfinite(score)
        assert score <= metric.best if metric.best > metric.worst else score >= metric.best
