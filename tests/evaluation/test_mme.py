"""MME by hand, and the sums of a published table."""

import pytest

from unified_io.errors import ConfigError, DataError
from unified_io.evaluation.mme import COGNITION, PERCEPTION, Question, mme, said, totals


@pytest.mark.parametrize(
    ("answer", "means"),
    [
        ("Yes, it is.", "yes"),
        ("no", "no"),
        ("It is not", "other"),
        ("Not so", "no"),
        (" NO!", "no"),
        ("", "other"),
    ],
)
def test_reads_the_start_of_an_answer(answer, means):
    assert said(answer) == means


def test_by_hand():
    pair = [Question("count", image, word) for image in "abcd" for word in ("yes", "no")]
    # a both right, b one, c none, d always yes
    answers = ["yes", "no", "yes", "dunno", "no", "yes", "Yes.", "yes"]
    assert mme(answers, pair) == {"count": pytest.approx(100 * 4 / 8 + 100 * 1 / 4)}
    right = [question.answer for question in pair]
    assert mme(right, pair) == {"count": 200.0}
    assert mme(["yes"] * 8, pair) == {"count": 50.0}  # whoever always says yes gets half of one half


def test_images_of_one_name_in_two_subtasks_are_two():
    questions = [Question(task, "a", word) for task in ("count", "OCR") for word in ("yes", "no")]
    assert mme(["yes", "no", "no", "no"], questions) == {"count": 200.0, "OCR": 50.0}


def test_sums_of_the_published_scores_of_lynx():
    perception = (195, 151.67, 90, 170, 124.83, 118.24, 164.5, 162, 119.5, 77.5)
    plain = dict(zip(PERCEPTION + COGNITION, (*perception, 110.71, 17.5, 42.5, 45), strict=True))
    found = totals(plain)
    assert found["perception"] == pytest.approx(1373.23, abs=0.02) and found["cognition"] == pytest.approx(
        215.71
    )
    described = dict(zip(COGNITION, (103.57, 55, 75, 77.5), strict=True))
    assert totals(plain | described)["cognition"] == pytest.approx(311.07)
    assert totals(dict.fromkeys(PERCEPTION + COGNITION, 200.0)) == {"perception": 2000.0, "cognition": 800.0}


def test_refuses_what_is_no_benchmark():
    question = Question("count", "a", "yes")
    with pytest.raises(DataError, match="image 'a' of count has 1 questions"):
        mme(["yes"], [question])
    with pytest.raises(DataError, match="one each"):
        mme(["yes"], [question, question])
    with pytest.raises(ConfigError, match="did you mean 'count'"):
        mme(["yes"], [question._replace(subtask="counts")])
    with pytest.raises(DataError, match="asks for 'yes' or 'no'"):
        mme(["yes"], [question._replace(answer="maybe")])
    with pytest.raises(DataError, match="no score for count"):
        totals({name: 1.0 for name in PERCEPTION + COGNITION if name != "count"})
    with pytest.raises(DataError, match="want 0 to 200"):
        totals(dict.fromkeys(PERCEPTION + COGNITION, 201.0))
