"""Options to choose from, given in the prompt or known as a closed set of classes."""

import pytest

from data_tasks.formats.choose import CHOICE, Choose, nearest
from data_tasks.formats.tag import Tag
from tests.data_tasks.formats.wording import best, check_laws, made, oracle, picture, raw, sound
from unified_io.errors import DataError

OPTIONS = ["a cat", "a dog", "a+b", "a-b"]


def question(**other):
    fields = {"image": picture(), "question": "what is it?", "options": OPTIONS, "name": "a dog"}
    return raw(**{**fields, **other})


def tagged(**other):
    return raw(**{"image": picture(), "name": "sea lion", "classes": ["seal", "sea lion", "otter"], **other})


def test_laws():
    check_laws(Choose("choose"), question())
    check_laws(Choose("choose", ()), raw(question="who barks?", options=OPTIONS, name="a dog"))
    check_laws(Tag("tag"), tagged())
    check_laws(Tag("tag_sound", ("audio",)), raw(audio=sound(), name="bell", classes=["bell", "horn"]))
    check_laws(Tag("tag_action", ("video",)), raw(images=[picture()] * 3, name="run", classes=["run", "sit"]))


@pytest.mark.parametrize(("form", "example"), [(Choose("choose"), question()), (Tag("tag"), tagged())])
def test_the_right_option_scores_best_and_any_other_nothing(form, example):
    assert oracle(form, [example]) == best(form)
    options = form.options(made(form, example, training=False))
    assert sum(oracle(form, [example], option)[CHOICE.name] for option in options) == 1.0
    assert oracle(form, [example], "something else")[CHOICE.name] == 0.0


def test_options_that_differ_by_punctuation_are_different():
    plus = question(name="a+b")
    assert oracle(Choose("choose"), [plus], "a+b")[CHOICE.name] == 1.0
    assert oracle(Choose("choose"), [plus], "a-b")[CHOICE.name] == 0.0


def test_training_shuffles_options_and_evaluation_keeps_their_order():
    form, orders = Choose("choose"), set()
    for seed in range(20):
        fields = made(form, question(), seed)
        options = form.options(fields)
        assert sorted(options) == sorted(OPTIONS) and "; ".join(options) in fields["text_inputs"]
        orders.add(tuple(options))
        assert form.options(made(form, question(), seed, training=False)) == OPTIONS
    assert len(orders) > 5


def test_the_nearest_option_is_meant():
    assert nearest("A Dog.", OPTIONS) == "a dog"
    assert nearest("sea lionn", ["seal", "sea lion"]) == "sea lion"
    assert nearest("zebra", OPTIONS) == "zebra"
    assert nearest("", OPTIONS) == ""


def test_options_that_can_not_be_right_are_refused():
    with pytest.raises(DataError, match="name is 'a cow', which is none of the 4 options"):
        made(Choose("choose"), question(name="a cow"))
    with pytest.raises(DataError, match="options is .*two or more different"):
        made(Choose("choose"), question(options=["a dog", "a dog"]))
    with pytest.raises(DataError, match="options"):
        made(Choose("choose"), question(options=["a dog"]))
    with pytest.raises(DataError, match="none of the 3 classes; did you mean 'sea lion'"):
        made(Tag("tag"), tagged(name="sea-lion"))
    with pytest.raises(DataError, match="question"):
        made(Choose("choose"), question(question=""))
