"""A question and its answer from a caption, kept where a language model answers its own question alike.

Knows no language model, only that it answers a text with a text.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from data_tasks.augmentation.log import Dropped
from unified_io.errors import ConfigError
from unified_io.evaluation.likeness import partial_ratio
from unified_io.evaluation.text import normalise
from unified_io.preprocess.prompts import fill, slots

Ask = Callable[[str], str]
"""A language model: prompt -> what it writes."""

WITHOUT_COLOUR = "Repeat this description without the words for colours: {caption}"


class Pair(NamedTuple):
    """A question about what a caption describes, and its answer."""

    caption: str
    question: str
    answer: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class RoundTrip:
    """Asks for an answer, for its question, and the question again; keeps what comes back alike.

    Attributes:
      propose: Prompt for an answer that is in the caption. Slot: {caption}.
      question: Prompt for its question. Slots: {caption}, {answer}.
      check: Prompt for the answer to the question. Slots: {caption}, {question}.
      rewrite: Prompt for another caption to use instead; "" uses the given one. Slot: {caption}.
      words: The fewest words of a caption.
      alike: What the partial ratio has to be above, both between the two answers and between answer and caption.

    Source: X-InstructBLIP, section on data augmentation, and its code, which alone looks for the answer in the caption.
    """

    propose: str = "Name one word of this description that would make a good answer to a question: {caption}"
    question: str = "Description: {caption}\nWrite a question about it whose answer is: {answer}"
    check: str = "Description: {caption}\nAnswer in one word: {question}"
    rewrite: str = ""
    words: int = 10
    alike: float = 90.0

    def __post_init__(self):
        wanted = {"propose": {"caption"}, "question": {"caption", "answer"}, "check": {"caption", "question"}}
        if self.rewrite:
            wanted["rewrite"] = {"caption"}
        for name, content in wanted.items():
            if slots(getattr(self, name)) != content:
                raise ConfigError(
                    f"prompt {name} is {getattr(self, name)!r}; want the slots "
                    f"{', '.join('{' + slot + '}' for slot in sorted(content))}"
                )
        if not 0.0 <= self.alike <= 100.0:
            raise ConfigError(f"alike is {self.alike}; want a ratio in 0 to 100")

    def __call__(self, caption: str, ask: Ask) -> dict[str, str]:
        """Returns the fields of a `Pair`; the model is asked three times, four with another caption.

        Raises:
          Dropped: The caption is too short, the model is silent, or the two answers differ.
        """
        if len(caption.split()) < self.words:
            raise Dropped("short caption")
        if self.rewrite:
            caption = _said(ask, fill(self.rewrite, {"caption": caption}), "caption")
        answer = _said(ask, fill(self.propose, {"caption": caption}), "answer")
        if partial_ratio(answer, caption) <= self.alike:
            raise Dropped("answer not in caption")
        question = _said(ask, fill(self.question, {"caption": caption, "answer": answer}), "question")
        again = _said(ask, fill(self.check, {"caption": caption, "question": question}), "second answer")
        if partial_ratio(again, answer) <= self.alike:
            raise Dropped("answers differ")
        return Pair(caption, question, answer)._asdict()


def statistics(pairs: Iterable[Mapping[str, str]]) -> dict[str, float]:
    """Returns what the paper's table tells of the questions: how many, how many different, how long.

    Words are those of `text.normalise`; "vocabulary" counts those of the questions.
    """
    found = [(normalise(pair["question"]), normalise(pair["answer"])) for pair in pairs]
    words = [word for question, _ in found for word in question.split()]
    return {
        "pairs": len(found),
        "questions": len({question for question, _ in found}),
        "answers": len({answer for _, answer in found}),
        "words": len(words) / len(found) if found else 0.0,
        "vocabulary": len(set(words)),
    }


def _said(ask: Ask, prompt: str, what: str) -> str:
    text = ask(prompt).strip()
    if not normalise(text):
        raise Dropped(f"no {what}")
    return text
