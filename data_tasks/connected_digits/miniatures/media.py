"""Real digits seen, heard, and three in one picture; those tested are by other people than those learnt from."""

import dataclasses

import numpy as np
from jaxtyping import Float, Int

from data_tasks.connected_digits.miniatures.words import DIGITS
from data_tasks.digits.images import upsample
from data_tasks.digits.source import DigitsSource
from unified_io.modalities.connected.fronts import ImageFront, MelFront

SIDE, TILE, TAKES = 32, 16, 5
IMAGE = ImageFront(side=SIDE, fit="pad")
STRIP = ImageFront(side=DIGITS * TILE, fit="pad")


@dataclasses.dataclass(frozen=True)
class Media:
    """Media of one split as their encoder reads them.

    Attributes:
      values: One medium an entry.
      labels: Of a picture its digit, of a strip its digits from left to right, of a sound its digit and its speaker.
    """

    values: Float[np.ndarray, "n *shape"]
    labels: Int[np.ndarray, "n questions"]

    def __len__(self) -> int:
        return len(self.labels)

    def some(self, chosen: np.ndarray) -> "Media":
        """Returns the chosen ones."""
        return Media(self.values[chosen], self.labels[chosen])


def sound_front(source: DigitsSource) -> MelFront:
    """Returns how an encoder reads the sounds of a source."""
    return MelFront(mel=source.mel, mean=-6.0, std=3.5)


def speakers(source: DigitsSource) -> list[str]:
    """Returns the names of those who speak in training."""
    return sorted({*source.stock("train").clips.voices})


def pictures(source: DigitsSource) -> dict[str, Media]:
    """Returns pictures of one digit; those of "test" are by other writers than most of "train"."""
    return {split: _pictures(source, split) for split in ("train", "test")}


def moved(source: DigitsSource, count: int, seed: int) -> Media:
    """Returns pictures of one digit of the training split, each turned and shifted at random."""
    stock, rng = source.stock("train"), np.random.default_rng((seed, 1))
    raw = stock.singles(rng.integers(len(stock), size=count), ("image", "label"), rng)
    return Media(np.concatenate([IMAGE.segments(one) for one in raw["image"]]), raw["label"].astype(np.int64))


def strips(source: DigitsSource, count: int, split: str, seed: int) -> Media:
    """Returns pictures of three digits side by side, drawn from those of a split."""
    digits, rng = source.stock(split).digits, np.random.default_rng((seed, 2))
    chosen = rng.integers(len(digits.labels), size=(count, DIGITS))
    tiles = upsample(digits.images[chosen.reshape(-1)], TILE).reshape(count, DIGITS, TILE, TILE)
    wide = tiles.transpose(0, 2, 1, 3).reshape(count, TILE, DIGITS * TILE, 1)
    values = np.concatenate([STRIP.segments(np.repeat(one, 3, axis=-1)) for one in wide])
    return Media(values, digits.labels[chosen])


def sounds(source: DigitsSource) -> dict[str, Media]:
    """Returns spoken digits: "train"; "known", other recordings by the same speakers; "test", by other speakers.

    The speakers of "test" have the label -1.
    """
    names = speakers(source)
    heard = {split: _sounds(source, split, names) for split in ("train", "validation", "test")}
    train = heard["train"]
    known = _first_takes(train.labels)
    held_out = [heard["validation"], heard["test"]]
    return {
        "train": train.some(np.flatnonzero(~known)),
        "known": train.some(np.flatnonzero(known)),
        "test": Media(
            *(np.concatenate([getattr(m, name) for m in held_out]) for name in ("values", "labels"))
        ),
    }


def _pictures(source: DigitsSource, split: str) -> Media:
    stock = source.stock(split)
    grey = np.repeat(stock.large[..., None], 3, axis=-1)
    return Media(np.concatenate([IMAGE.segments(one) for one in grey]), stock.digits.labels[:, None])


def _sounds(source: DigitsSource, split: str, names: list[str]) -> Media:
    clips, front = source.stock(split).clips, sound_front(source)
    who = [names.index(voice) if voice in names else -1 for voice in clips.voices]
    values = np.concatenate([front.segments(mel) for mel in clips.mels])
    return Media(values, np.stack([clips.labels, np.array(who)], axis=1))


def _first_takes(labels: Int[np.ndarray, "n 2"]) -> np.ndarray:
    """Says of every recording whether it is one of the first by its speaker of its digit, a tenth of them at most."""
    kinds, which, counts = np.unique(labels, axis=0, return_inverse=True, return_counts=True)
    found = np.zeros(len(labels), bool)
    for kind in range(len(kinds)):
        takes = np.flatnonzero(which == kind)
        found[takes[: min(TAKES, max(1, counts[kind] // 10))]] = counts[kind] > 1
    return found
