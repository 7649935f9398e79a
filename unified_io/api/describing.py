"""Describe first: what a model is shown it tells in words before it answers a question about it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from unified_io.api.generating import Generating
from unified_io.api.options import OPTIONS
from unified_io.dialog.describing import REQUEST, describe_first
from unified_io.dialog.turns import Dialog
from unified_io.errors import ConfigError
from unified_io.modalities.connected.talk import conversation, fields_of


class Described(NamedTuple):
    """An answer, and the description that it was given after."""

    description: str
    answer: str


class Describing(Generating):
    """Answers in two turns."""

    def describe_first(
        self,
        text: str,
        *,
        request: str = REQUEST,
        describing: Mapping[str, Any] | None = None,
        **inputs_and_options: Any,
    ) -> Described:
        """Has the model describe the media of a question, and then answer with the description before it.

            model.describe_first("is it in bloom?", image="rose.png", describing={"max_length": 64})

        Args:
          text: The question.
          request: The words that ask for a description.
          describing: Options of the description, as in `Options`; None are those of the answer.
          inputs_and_options: Media and `dialog` as `generate` takes them, and options of the answer.

        Raises:
          ConfigError: The model reads no dialogs, or an option is none.
          DataError: There is no medium in the question, or it can not be read.

        Source: the two-step inference of Lynx.
        """
        if not self.reads_dialogs:
            raise ConfigError("this model reads no dialogs, so it can not be told what it said; use generate")
        inputs = {name: value for name, value in inputs_and_options.items() if name not in OPTIONS}
        options = {name: value for name, value in inputs_and_options.items() if name in OPTIONS}
        fields = self.read({**inputs, "text": text}, "text")
        asked = conversation(fields)

        def ask(dialog: Dialog) -> str:
            first = len(dialog.messages) == len(asked.messages)
            chosen = options if describing is None or not first else describing
            return self.generate_fields([fields | fields_of(dialog)], "text", **chosen)[0]

        *_, description, _, answer = describe_first(asked, ask, request).messages
        return Described(description.text, answer.text)
