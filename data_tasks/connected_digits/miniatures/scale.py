"""How long everything is trained, and how much is asked."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Scale:
    """Steps and numbers of examples.

    Attributes:
      language_steps: Of the language model.
      sentences: That it learns from.
      encoder_steps: Of an encoder.
      pictures: To learn from: moved ones of one digit, and as many of three, which take three times the steps.
      connector_steps: Of a connector.
      asked: Questions of a kind at most, for each seed.
    """

    language_steps: int = 500
    sentences: int = 12_000
    encoder_steps: int = 400
    pictures: int = 5_000
    connector_steps: int = 250
    asked: int = 256


QUICK = Scale(language_steps=2, sentences=70, encoder_steps=2, pictures=70, connector_steps=2, asked=8)
"""A few steps, to see that everything runs."""
