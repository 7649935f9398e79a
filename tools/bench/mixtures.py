"""Synthetic mixtures: which inputs and outputs an example has, and how long each is. Drawn, seeded, no data set.

The kinds and their rates follow the ten families of the instruction tuning of Unified-IO 2 (its Table 11). What the
paper does not publish is ours: the lengths of texts, log-normal around a median, and the shapes of pictures.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

# Height and width of a picture, and how often it occurs.
PICTURES = {(384, 384): 0.3, (384, 512): 0.3, (512, 384): 0.1, (352, 528): 0.2, (288, 512): 0.1}


class Words(NamedTuple):
    """Tokens of a text: log-normal, from 2 to `most`."""

    median: float
    spread: float
    most: int

    def draw(self, rng: np.random.Generator) -> int:
        """Draws one length."""
        length = self.median * np.exp(self.spread * rng.standard_normal())
        return int(np.clip(round(length), 2, self.most))


@dataclasses.dataclass(frozen=True)
class Kind:
    """What all examples of one kind have.

    Attributes:
      rate: Percent of the balanced mixture.
      prompt: Text of the input.
      answer: Text of the target; None where the target is a picture or a sound.
      target: Modality of the target.
      image: Whether there is a picture in the input.
      frames: Earlier frames.
      audio: Whether there is a sound in the input.
      segments: Earlier sounds.
    """

    rate: float
    prompt: Words
    answer: Words | None = None
    target: str = "text"
    image: bool = False
    frames: int = 0
    audio: bool = False
    segments: int = 0


_SHORT = Words(20, 0.6, 128)
KINDS: Mapping[str, Kind] = {
    "instruction following": Kind(12.5, Words(120, 0.9, 512), Words(50, 0.9, 512)),
    "language modelling": Kind(12.5, Words(250, 0.7, 512), Words(120, 0.7, 512)),
    "image to text": Kind(17.8, _SHORT, Words(12, 0.9, 256), image=True),
    "image to boxes": Kind(7.25, _SHORT, Words(30, 0.8, 256), image=True),
    "text to image": Kind(10.6, _SHORT, target="image"),
    "image editing": Kind(7.0, _SHORT, target="image", image=True),
    "dense labelling": Kind(4.1, Words(12, 0.4, 64), target="image", image=True),
    "text to audio": Kind(5.6, _SHORT, target="audio"),
    "video to audio": Kind(1.9, Words(16, 0.5, 32), target="audio", image=True, frames=4, segments=4),
    "silent video to text": Kind(7.0, Words(16, 0.5, 32), Words(15, 0.9, 256), image=True, frames=4),
    "video to text": Kind(7.0, Words(16, 0.5, 32), Words(15, 0.9, 256), image=True, frames=4, audio=True),
    "audio to text": Kind(2.5, _SHORT, Words(15, 0.8, 128), audio=True),
    "robot": Kind(4.25, _SHORT, Words(12, 0.5, 64), image=True, frames=2),
}
LANGUAGE = ("instruction following", "language modelling")
DRAWING = ("text to image", "image editing", "dense labelling")


class Drawn(NamedTuple):
    """One example: its kind, tokens of its texts (EOS included), height and width of its pictures."""

    kind: Kind
    prompt: int
    answer: int
    picture: tuple[int, int]


def rates(raised: Sequence[str] = (), share: float = 0.0) -> dict[str, float]:
    """Returns the part of every kind; the `raised` ones make up `share`, in the same proportions as before."""
    own = sum(KINDS[name].rate for name in raised)
    others = sum(kind.rate for kind in KINDS.values()) - own
    return {
        name: kind.rate * (share / own if name in raised else (1.0 - share) / others)
        for name, kind in KINDS.items()
    }


MIXTURES = {
    "balanced": rates(),
    "text_heavy": rates(LANGUAGE, 0.75),
    "image_heavy": rates(DRAWING, 0.75),
}
"""Parts of every kind: as in the paper; three quarters language; three quarters pictures to draw."""


def draw(mixture: str, count: int, seed: int) -> list[Drawn]:
    """Draws `count` examples of a mixture, the same ones for the same seed."""
    rng = np.random.default_rng([seed, *mixture.encode()])
    names, shapes = list(KINDS), list(PICTURES)
    kinds = rng.choice(len(names), count, p=list(MIXTURES[mixture].values()))
    pictures = rng.choice(len(shapes), count, p=list(PICTURES.values()))
    examples = []
    for kind, picture in zip((KINDS[names[i]] for i in kinds), pictures, strict=True):
        answer = kind.answer.draw(rng) if kind.answer else 0
        examples.append(Drawn(kind, kind.prompt.draw(rng), answer, shapes[picture]))
    return examples
