"""Questions answered in one's own words: short, in sentences, with numbers, with reasons."""

import pytest

from data_tasks.formats.counting import number_in
from data_tasks.formats.qa import ANSWER, STYLES, Question, votes
from tests.data_tasks.formats.wording import best, check_laws, made, oracle, picture, piped, raw
from unified_io.errors import ConfigError, DataError

PEOPLE = ["red", "Red", "dark red", "red", "red.", "orange", "red", "red", "wine", "red"]
ANSWERS = {
    "short": PEOPLE,
    "sentence": ["The ball in the picture is red."],
    "number": ["Two", "2", "3"],
    "rationale": ["red because it is a ripe tomato"],
}


def of(answers, question="what colour is it?", **fields):
    return raw(image=picture(), question=question, answers=answers, **fields)


@pytest.mark.parametrize("style", STYLES)
def test_laws(style):
    check_laws(Question("qa", style=style), of(ANSWERS[style]))


def test_laws_without_media():
    form = Question("qa", ())
    check_laws(form, raw(question="two and two?", answers=["four"]))
    assert form.reads == ("question", "answers")


def test_training_has_all_answers_beside_each_other_and_evaluation_the_commonest():
    form = Question("qa")
    assert made(form, of(PEOPLE))["text_targets"] == PEOPLE
    assert piped(form, of(PEOPLE))["text_targets"] == PEOPLE
    fields = made(form, of(["wine", "Red", "red"]), training=False)
    assert fields["text_targets"] == "Red"
    assert form.truth(fields) == ["wine", "Red", "red"]


@pytest.mark.parametrize("style", STYLES)
def test_the_true_answer_scores_best_and_another_less(style):
    form = Question("qa", style=style)
    # CIDEr needs several examples, four words and one reference.
    others = {
        "sentence": ["The small box in the corner is blue."],
        "rationale": ["blue because the sky has been painted on it"],
    }
    examples = [of(ANSWERS[style]), of(others.get(style, ANSWERS[style]))]
    assert oracle(form, examples) == pytest.approx(best(form))
    for name, score in oracle(form, examples, "nobody knows").items():
        assert score < 0.1 * best(form)[name]


def test_votes_count_where_many_answered():
    assert votes("red", PEOPLE) == 1.0
    assert votes("wine", PEOPLE) == pytest.approx(1 / 3)
    assert votes("wine", ["red", "wine"]) == 1.0
    assert votes("blue", ["red", "wine"]) == 0.0


def test_a_reason_is_judged_apart_from_the_answer():
    form = Question("qa_rationale", style="rationale")
    examples = [of(ANSWERS["rationale"])] * 2
    assert oracle(form, examples, "red because I say so")[ANSWER.name] == 1.0
    assert oracle(form, examples, "blue because it is a ripe tomato")[ANSWER.name] == 0.0


def test_numbers_are_read_from_digits_and_words():
    assert number_in("there are Two, not 3") == 2
    assert number_in("none of them") == 0
    assert number_in("about 1200 people") == 1200
    assert number_in("twenty one") == 20
    assert number_in("many") is None
    form = Question("qa_number", style="number")
    assert made(form, of(["Two dogs", "2"]))["text_targets"] == ["2", "2"]
    assert form.parse("I see three of them", {}) == "3"
    assert form.parse("lots", {}) == ""


def test_what_can_not_be_asked_is_refused():
    with pytest.raises(DataError, match="question"):
        made(Question("qa"), of(["red"], question=" "))
    with pytest.raises(DataError, match="answers"):
        made(Question("qa"), of(["", "  "]))
    with pytest.raises(DataError, match="answers holds no number answer"):
        made(Question("qa", style="number"), of(["many"]))
    with pytest.raises(ConfigError, match="did you mean 'sentence'"):
        Question("qa", style="sentense")


def test_braces_in_a_question_stay():
    assert "what is {box}?" in made(Question("qa"), of(["red"], question="what is {box}?"))["text_inputs"]
