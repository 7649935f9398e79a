"""What every modality encoder gives, whatever it reads."""

from flax import struct
from jaxtyping import Array, Bool, Float


@struct.dataclass
class Features:
    """What an encoder makes of a medium: tokens to look at, and one vector for the whole where it has one.

    Attributes:
      tokens: One row a patch, tubelet, segment or group.
      mask: True = a real token. What stands in the place of others means nothing.
      pooled: The whole as one vector; None where the encoder has none.
    """

    tokens: Float[Array, "B S D"]
    mask: Bool[Array, "B S"]
    pooled: Float[Array, "B P"] | None = None
