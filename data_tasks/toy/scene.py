"""What there is in the toy world: a room, things, puppets, a board, a light and a camera. Plain values only.

World frame: metres, x and y on the floor, z up, the origin in the middle of the floor. A scene says nothing of pixels.
"""

import dataclasses
import hashlib
import json
import math

SHAPES = ("sphere", "cube", "cylinder", "cone", "pyramid", "capsule")
COLOURS = {
    "red": (0.85, 0.08, 0.08),
    "orange": (1.00, 0.50, 0.00),
    "yellow": (0.98, 0.90, 0.10),
    "green": (0.08, 0.62, 0.12),
    "cyan": (0.10, 0.85, 0.90),
    "blue": (0.10, 0.20, 0.90),
    "purple": (0.55, 0.10, 0.70),
    "white": (1.00, 1.00, 1.00),
}
TEXTURES = {"plain": "plain", "stripes": "striped", "checks": "checkered"}
"""How a thing is painted, and the word for it."""
SIZES = {"small": (0.20, 0.30), "large": (0.45, 0.60)}
"""Heights in metres; nothing lies between, so that the words are never in doubt."""
FLOORS = {"grey": (0.45, 0.45, 0.45), "brown": (0.45, 0.32, 0.22), "slate": (0.28, 0.33, 0.38)}
WALLS = {"beige": (0.72, 0.66, 0.55), "lilac": (0.62, 0.57, 0.70), "olive": (0.50, 0.53, 0.38)}
HALF_ROOM, CEILING = 2.6, 2.7  # metres

_WIDTHS = {"capsule": 0.6}  # of the height; all other shapes are as wide as they are high
_SQUARE = ("cube", "pyramid")


@dataclasses.dataclass(frozen=True)
class Thing:
    """A solid that stands upright.

    Attributes:
      shape: One of SHAPES.
      colour: One of COLOURS.
      texture: One of TEXTURES.
      size: Its height in metres.
      position: Middle of its underside (x, y, z).
      yaw: Turn about the vertical, radians.
      there: Whether it is to be seen; a thing that vanished keeps its number.
    """

    shape: str
    colour: str
    texture: str
    size: float
    position: tuple[float, float, float]
    yaw: float = 0.0
    there: bool = True

    @property
    def size_word(self) -> str:
        """ "small" or "large"."""
        return "small" if self.size < (SIZES["small"][1] + SIZES["large"][0]) / 2 else "large"

    @property
    def width(self) -> float:
        """Its extent along its own x and y axes, metres."""
        return self.size * _WIDTHS.get(self.shape, 1.0)

    @property
    def radius(self) -> float:
        """Of the circle on the floor that holds it however it is turned, metres."""
        return self.width / 2 * (math.sqrt(2.0) if self.shape in _SQUARE else 1.0)

    @property
    def centre(self) -> tuple[float, float, float]:
        """Middle of its bounding box."""
        x, y, z = self.position
        return x, y, z + self.size / 2

    @property
    def words(self) -> tuple[str, str, str, str]:
        """Its size, texture, colour and shape, in the order in which they are said."""
        return self.size_word, TEXTURES[self.texture], self.colour, self.shape


@dataclasses.dataclass(frozen=True)
class Room:
    """Floor and walls.

    Attributes:
      floor: One of FLOORS.
      wall: One of WALLS.
      texture: One of TEXTURES, of the floor.
    """

    floor: str = "grey"
    wall: str = "beige"
    texture: str = "plain"


@dataclasses.dataclass(frozen=True)
class Puppet:
    """A person of capsules; `figure` says where its joints are.

    Attributes:
      position: (x, y) of its pelvis on the floor.
      yaw: Where it looks: 0 is along y, counted counter-clockwise, radians.
      height: Metres.
      angles: Radians: raise and spread of the left and right upper arm, bend of both elbows, swing of both thighs, bend
        of both knees, turn of the head.
    """

    position: tuple[float, float]
    yaw: float
    height: float = 1.1
    angles: tuple[float, ...] = (0.0,) * 11


@dataclasses.dataclass(frozen=True)
class Board:
    """A sign that stands on the floor, words on its front.

    Attributes:
      words: One or two, a line each.
      position: (x, y) of its middle on the floor.
      yaw: Where its front looks: 0 is along x, radians.
      font: Number of a font of `lettering`.
    """

    words: tuple[str, ...]
    position: tuple[float, float]
    yaw: float
    font: int = 0


@dataclasses.dataclass(frozen=True)
class Camera:
    """A place on a sphere around the middle of the scene, looking at it, as Zero123 places its own.

    Attributes:
      theta: Polar angle from the vertical, radians; 0 looks straight down.
      phi: Azimuth, radians.
      r: Distance, metres.
    """

    theta: float
    phi: float
    r: float


@dataclasses.dataclass(frozen=True)
class Light:
    """One distant light.

    Attributes:
      azimuth: Where it comes from, radians.
      height: Its angle above the floor, radians.
    """

    azimuth: float = 0.6
    height: float = 0.9


@dataclasses.dataclass(frozen=True)
class State:
    """Everything there is at one moment; whatever is true of the world follows from it.

    A rug is a wheel of colours about the middle of the floor, turned so far about the vertical, radians: from it can
    be told where a camera stands.
    """

    room: Room
    things: tuple[Thing, ...]
    camera: Camera
    light: Light = Light()
    puppets: tuple[Puppet, ...] = ()
    board: Board | None = None
    rug: float | None = None

    def having(self, number: int, **changes: object) -> "State":
        """Returns the state with one thing changed."""
        changed = dataclasses.replace(self.things[number], **changes)
        return dataclasses.replace(self, things=(*self.things[:number], changed, *self.things[number + 1 :]))

    def seen_from(self, camera: Camera) -> "State":
        """Returns the same world before another camera."""
        return dataclasses.replace(self, camera=camera)

    @property
    def present(self) -> tuple[int, ...]:
        """Numbers of the things that have not vanished."""
        return tuple(number for number, thing in enumerate(self.things) if thing.there)


def exact_hash(state: State) -> str:
    """Returns what is equal for equal states only: every number counts, to a micrometre."""
    return _hash(_rounded(dataclasses.asdict(state)))


def content_hash(state: State) -> str:
    """Returns what is equal for states of the same content: which things, in which room, with which words.

    Where things stand, the light and the camera do not count, nor does the order of the things. Splits go by it: a test
    scene is no training scene moved about.
    """
    things = sorted(state.things[number].words for number in state.present)
    words = state.board.words if state.board else ()
    return _hash([dataclasses.astuple(state.room), things, len(state.puppets), words])


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return round(value, 6) + 0.0  # no negative zero
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(one) for one in value]
    return value
