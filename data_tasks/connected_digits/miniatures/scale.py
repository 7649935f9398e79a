"""How long everything is trained, and how much is asked."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Scale:
    """Steps and numbers of examples.

    Attributes:
      language_steps: Of the language model.
      sentences: That it learns from.
      encoder_steps: Of an encoder.
      strips: Pictures of three digits to learn from, which take three times as many steps; and of moved single digits.
      connector_steps: Of a connector.
      asked: Questions of a kind at most, for each seed.
    """

    language_steps: int = 500
    sentences: int = 12_000
    encoder_steps: int = 400
    strips: int = 5_000
    connector_steps: int = 250
    asked: int = 256


QUICK = Scale(language_steps=2, sentences=70, encoder_steps=2, strips=70, connector_steps=2, asked=8)
"""A few steps, to see that everything runs."""
