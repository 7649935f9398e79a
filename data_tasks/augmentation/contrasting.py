"""Questions that tell two described things apart, as a language model writes them and answers them again.

Knows no language model, only that it answers a text with a text.
"""

import dataclasses
import re

from data_tasks.augmentation.captions import Ask
from data_tasks.augmentation.contrasts import NAME, Contrast, Side
from data_tasks.augmentation.log import Dropped
from unified_io.preprocess.prompts import fill

_WRITTEN = re.compile(r"question:\s*(.+?)\s*answer:\s*(.+?)\s*explanation:\s*(.+)", re.IGNORECASE | re.DOTALL)

PROPERTIES = (
    "Think step by step, then list three properties of this, parted by commas: {caption}\nProperties:"
)
EXAMPLES = """Entity A: a church bell rings. Properties: metallic, loud, slow
Entity B: a cat purrs. Properties: soft, steady, low
Question: Which would wake a village? Answer: Entity A Explanation: A church bell is far louder than a cat.

Entity A: a paper boat. Properties: light, folded, white
Entity B: a stone bridge. Properties: heavy, arched, old
Question: Which can cars go over? Answer: Entity B Explanation: A stone bridge bears cars, a paper boat does not.

Entity A: a candle on a cake. Properties: small, warm, waxen
Entity B: a lighthouse at night. Properties: tall, bright, turning
Question: Which is seen from ships? Answer: Entity B Explanation: A lighthouse shines out to sea.
"""
QUESTION = EXAMPLES + "\nEntity A: {a}. Properties: {about_a}\nEntity B: {b}. Properties: {about_b}\n"
AGAIN = (
    "Entity A: {a}. Properties: {about_a}\nEntity B: {b}. Properties: {about_b}\n"
    "{question} Answer with Entity A or Entity B."
)


def properties(caption: str, ask: Ask, count: int = 3) -> list[str]:
    """Returns what a language model says of a described thing, in lower case.

    Raises:
      Dropped: It lists fewer.
    """
    listed = ask(fill(PROPERTIES, {"caption": caption})).rpartition("Properties:")[2]
    found = [part.strip(" .\n").lower() for part in re.split(r"[,\n]", listed)]
    found = [part for part in found if part]
    if len(found) < count:
        raise Dropped("too few properties")
    return found[-count:]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Contrasting:
    """Asks for a question about two things, then the question again; keeps what is answered alike.

    Attributes:
      avoid: Words that neither question nor explanation may hold.

    Source: X-InstructBLIP, its section on DisCRn. It compares the two answers by their partial ratio, which is 93 for
    "Entity A" and "Entity B"; here they have to name the same one.
    """

    avoid: tuple[str, ...] = ("3d",)

    def __call__(self, sides: tuple[Side, Side], ask: Ask) -> Contrast:
        """Asks twice.

        Raises:
          Dropped: The model writes something else, answers otherwise when asked again, or says what it must not.
        """
        content = {
            **{"a": sides[0].caption, "about_a": ", ".join(sides[0].properties)},
            **{"b": sides[1].caption, "about_b": ", ".join(sides[1].properties)},
        }
        written = _WRITTEN.search(ask(fill(QUESTION, content)))
        if not written:
            raise Dropped("not written as asked")
        question, answer, explanation = written.groups()
        if any(word in f"{question} {explanation}".lower() for word in self.avoid):
            raise Dropped("says what it must not")
        if NAME.search(question):
            raise Dropped("question names an entity")
        first = _named(answer)
        if first is None:
            raise Dropped("answer names no entity")
        if _named(ask(fill(AGAIN, {**content, "question": question}))) != first:
            raise Dropped("answers differ")
        return Contrast(question, first, explanation.strip(), sides)


def _named(text: str) -> int | None:
    """The one entity that a text names; None for none and for both."""
    found = {letter.lower() for letter in NAME.findall(text)}
    return "ab".index(found.pop()) if len(found) == 1 else None
