"""What a server takes, and how long it waits."""

import dataclasses

from unified_io.errors import ConfigError


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a request may cost.

    Attributes:
      body_bytes: Of a request.
      pixels: Of a picture.
      seconds: Of a sound.
      characters: Of a text.
      waiting: Requests that wait; one more is answered 429.
      slots: Requests of one kind that are written at once.
      timeout_s: Seconds until a request has to be answered; then it is answered 504, and written no further.
      grace_s: Seconds that requests have to end when the server is told to.
    """

    body_bytes: int = 32 * 2**20
    pixels: int = 20_000_000
    seconds: float = 120.0
    characters: int = 20_000
    waiting: int = 32
    slots: int = 4
    timeout_s: float = 120.0
    grace_s: float = 20.0

    def __post_init__(self):
        for field in dataclasses.fields(self):
            if not getattr(self, field.name) > 0:
                raise ConfigError(f"{field.name} {getattr(self, field.name)!r} is not above 0")
