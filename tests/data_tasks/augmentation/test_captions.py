"""Questions from captions: three calls, and what is dropped for which reason."""

import pytest

from data_tasks.augmentation import log
from data_tasks.augmentation.captions import WITHOUT_COLOUR, RoundTrip, statistics
from unified_io.errors import ConfigError

CAPTION = "a small brown dog barks loudly at a passing red car"


class Says:
    """A language model that says what it is told, in turn."""

    def __init__(self, *answers):
        self.answers, self.prompts = list(answers), []

    def __call__(self, prompt):
        self.prompts.append(prompt)
        return self.answers.pop(0)


def test_three_calls_make_a_pair():
    ask = Says("dog", " What barks?\n", "a dog")
    assert RoundTrip()(CAPTION, ask) == {"caption": CAPTION, "question": "What barks?", "answer": "dog"}
    assert CAPTION in ask.prompts[0] and "dog" in ask.prompts[1] and "What barks?" in ask.prompts[2]
    assert len(ask.prompts) == 3


@pytest.mark.parametrize(
    ("caption", "answers", "reason"),
    [
        ("a dog barks", [], "short caption"),
        (CAPTION, ["?"], "no answer"),
        (CAPTION, ["cat"], "answer not in caption"),
        (CAPTION, ["dog", " "], "no question"),
        (CAPTION, ["dog", "What barks?", ""], "no second answer"),
        (CAPTION, ["dog", "What barks?", "car"], "answers differ"),
    ],
)
def test_reasons_to_drop(caption, answers, reason):
    ask = Says(*answers)
    with pytest.raises(log.Dropped, match=reason):
        RoundTrip()(caption, ask)
    assert ask.answers == []


def test_the_ratio_must_be_above_the_threshold_on_both_sides():
    assert (
        RoundTrip(alike=60)(CAPTION, Says("dig", "What?", "dug"))["answer"] == "dig"
    )  # 2 of 3 letters: 66.7
    with pytest.raises(log.Dropped, match="answer not in caption"):
        RoundTrip(alike=70)(CAPTION, Says("dig"))
    with pytest.raises(log.Dropped, match="answers differ"):
        RoundTrip(alike=70)(CAPTION, Says("dog", "What?", "dig"))


def test_another_caption_is_asked_for_first_and_kept():
    without = CAPTION.replace("brown ", "").replace("red ", "")
    ask = Says(without, "dog", "What barks?", "dog")
    assert RoundTrip(rewrite=WITHOUT_COLOUR)(CAPTION, ask)["caption"] == without
    assert CAPTION in ask.prompts[0] and "brown" not in "".join(ask.prompts[1:])


def test_prompts_have_their_slots():
    with pytest.raises(ConfigError, match="prompt check .* want the slots {caption}, {question}"):
        RoundTrip(check="{question}")
    with pytest.raises(ConfigError, match="prompt rewrite"):
        RoundTrip(rewrite="Say it again.")
    with pytest.raises(ConfigError, match="0 to 100"):
        RoundTrip(alike=900.0)


def test_statistics_of_a_log(tmp_path):
    ask = Says(
        "dog", "What barks?", "dog", "car", "What passes by?", "car", "dog", "what barks", "dog", "cat"
    )
    examples = [(str(i), CAPTION) for i in range(4)] + [("4", "short")]
    counts = log.extend(tmp_path / "log", examples, lambda caption: RoundTrip()(caption, ask))
    assert counts == {"kept": 3, "answer not in caption": 1, "short caption": 1}
    found = statistics(log.kept(tmp_path / "log"))
    assert found == {"pairs": 3, "questions": 2, "answers": 2, "words": pytest.approx(7 / 3), "vocabulary": 4}
    assert statistics([])["words"] == 0.0
