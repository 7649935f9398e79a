"""What every connector is."""

from typing import Protocol

from jaxtyping import Array, Bool, Float


class Connector(Protocol):
    """Reads any number of tokens and gives a fixed number of soft tokens.

    Tokens whose mask is False change nothing, and the order of tokens changes nothing unless the connector
    says so.
    """

    def __call__(self, tokens: Float[Array, "B S C"], mask: Bool[Array, "B S"]) -> Float[Array, "B Q D"]: ...
