"""Instructions that survive whatever stands beside them, and conversations."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_tasks.formats.instruct import Instruct
from tests.data_tasks.formats.wording import best, check_laws, made, oracle, picture, raw
from unified_io.errors import ConfigError, DataError
from unified_io.evaluation.cider import CIDER

TURNS = [
    ["system", "You are kind."],
    ["user", "Who painted it?"],
    ["assistant", "A woman from Delft painted it long ago."],
    ["user", "When was that?"],
    ["assistant", "It was painted around the year 1650."],
]


def told(**other):
    fields = {
        "instruction": "Sum up the text.",
        "response": "It says that all cats sleep.",
        "context": "Cats sleep.",
    }
    return raw(**{**fields, **other})


def test_laws():
    check_laws(Instruct("instruct"), told())
    check_laws(Instruct("instruct", extra=("context",)), told())
    check_laws(Instruct("instruct", ("image",)), told(image=picture()))
    check_laws(Instruct("instruct", ("image",), ("turns",)), raw(image=picture(), turns=TURNS))


def test_what_is_read_depends_on_what_stands_beside():
    assert Instruct("instruct").reads == ("instruction", "response")
    assert Instruct("instruct", (), ("context",)).reads == ("instruction", "response", "context")
    assert Instruct("instruct", ("image",), ("turns",)).reads == ("image", "turns")


def test_the_true_response_scores_best_and_another_less():
    form = Instruct("instruct")
    examples = [told(), told(response="Dogs are said to bark at night.")]
    assert oracle(form, examples) == pytest.approx(best(form))
    assert oracle(form, examples, "I do not know.")[CIDER.name] == 0.0


def test_an_empty_context_asks_without_one_and_a_real_one_is_shown():
    form = Instruct("instruct", extra=("context",))
    for seed in range(10):
        assert "Cats sleep." in made(form, told(), seed)["text_inputs"]
        assert made(form, told(context=" "), seed) == made(Instruct("instruct"), told(), seed)
        assert "Cats" not in made(form, told(context=""), seed)["text_inputs"]


@given(st.text(st.sampled_from("ab \n"), max_size=300), st.integers(0, 99))
def test_a_long_context_is_cut_and_the_instruction_survives(context, seed):
    form = Instruct("instruct", extra=("context",), room=60)
    example = {"id": "x", "training": True, "instruction": "Do it now.", "response": "ok", "context": context}
    prompt = made(form, example, seed)["text_inputs"]
    assert "Do it now." in prompt
    kept = context.strip()[:50]
    assert len(prompt) < 60 + 70  # the wording
    assert len(context.strip()) > 50 or kept in prompt


def test_a_context_is_cut_at_its_end_between_words():
    form = Instruct("instruct", extra=("context",), room=30)
    prompt = made(form, told(context="one two three four five six"))["text_inputs"]
    assert "one two three" in prompt and "four" not in prompt and "thre " not in prompt


def test_a_conversation_keeps_its_latest_turns():
    form = Instruct("instruct", extra=("turns",))
    fields = made(form, raw(turns=TURNS), training=False)
    assert fields["text_targets"] == TURNS[4][1]
    assert (
        "user: Who painted it?\nassistant: A woman from Delft painted it long ago." in fields["text_inputs"]
    )
    assert "system: You are kind." in fields["text_inputs"]
    small = Instruct("instruct", extra=("turns",), room=40)
    prompt = made(small, raw(turns=TURNS), training=False)["text_inputs"]
    assert "When was that?" in prompt and "painted it long ago." in prompt and "kind" not in prompt


def test_training_draws_a_turn_of_the_assistant():
    form = Instruct("instruct", extra=("turns",))
    targets = {made(form, raw(turns=TURNS), seed)["text_targets"] for seed in range(20)}
    assert targets == {TURNS[2][1], TURNS[4][1]}
    first = next(
        f
        for seed in range(20)
        if (f := made(form, raw(turns=TURNS[1:]), seed))["text_targets"] == TURNS[2][1]
    )
    assert "1650" not in first["text_inputs"] and "When" not in first["text_inputs"]


def test_no_turn_sees_itself_or_what_comes_later():
    form = Instruct("instruct", extra=("turns",))
    turns = [[role, f"{role} {n}."] for n in range(6) for role in ("user", "assistant")]
    for seed in range(30):
        fields = made(form, raw(turns=turns), seed)
        n = int(fields["text_targets"].split()[1].rstrip("."))
        assert f"user {n}." in fields["text_inputs"]
        assert not any(
            f"{role} {later}." in fields["text_inputs"] for later in range(n + 1, 6) for role in ("user",)
        )
        assert f"assistant {n}." not in fields["text_inputs"]


def test_line_breaks_of_a_response_stay():
    assert made(Instruct("instruct"), told(response="a\n  b\n"))["text_targets"] == "a\n  b"


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"instruction": " "}, "instruction has 0 characters"),
        ({"response": ""}, "response has 0 characters"),
        ({"instruction": "so " * 700}, "instruction has 2099 characters; want 1 to 2000"),
        ({"response": "x" * 2001}, "response has 2001 characters"),
    ],
)
def test_what_is_empty_or_too_long_is_refused(other, message):
    with pytest.raises(DataError, match=message):
        made(Instruct("instruct", extra=("context",)), told(**other))


@pytest.mark.parametrize(
    "turns", [[], TURNS[:2], [["user", ""]], [["gpt", "hello"]], ["hello"], [["user"]], [7]]
)
def test_broken_conversations_are_refused(turns):
    with pytest.raises(DataError, match="turns"):
        made(Instruct("instruct", extra=("turns",)), raw(turns=turns))


def test_wrong_options_are_named():
    with pytest.raises(ConfigError, match="did you mean 'turns'"):
        Instruct("instruct", extra=("turn",))
    with pytest.raises(ConfigError, match="one of the two"):
        Instruct("instruct", extra=("turns", "context"))
