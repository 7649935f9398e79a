"""The digits as a seqio source: a stream without end for training, every image once and in order for evaluation."""

import dataclasses
import zlib

import numpy as np
import seqio
import tensorflow as tf

from data_tasks.digits.stock import Stock, stock, unpad
from unified_io.errors import unknown
from unified_io.mel import MelConfig

SPLITS = ("train", "validation", "test")
VIEWS = ("singles", "scenes", "contrasts", "counts", "views")
SEQUENCES = ("counts", "views")
# Examples made at a time: arrays are cheaper than examples, and a short stream should not wait for a long chunk.
CHUNK = 16

# Type and axes of one raw example's fields; axes are free lengths.
_FIELDS = {
    "image": (tf.float32, 3),
    "image_target": (tf.float32, 3),
    "keep": (tf.bool, 2),
    "audio": (tf.float32, 2),
    "points": (tf.float32, 2),
    "boxes": (tf.float32, 2),
    "masks": (tf.float32, 4),
    "images": (tf.float32, 4),
    "sounds": (tf.float32, 3),
    "captions": (tf.string, 1),
    "remarks": (tf.string, 1),
    "heard": (tf.bool, 1),
    "told": (tf.bool, 1),
    "length": (tf.int32, 0),
    "caption": (tf.string, 0),
    "remark": (tf.string, 0),
    "passage": (tf.string, 0),
    "name": (tf.string, 0),
    "names": (tf.string, 1),
    "label": (tf.int32, 1),
    "id": (tf.string, 0),
}


@dataclasses.dataclass(frozen=True)
class DigitsSource:
    """How the digits are read, for all tasks at once; give it to `pipeline.bind` as the source.

    Attributes:
      image_size: Side of an image to look at, pixels.
      target_size: Side of an image to draw, pixels.
      mel: How spectrograms are taken.
      data_dir: Where spectrograms and strokes are kept between runs; None makes them anew in every process.
      speech_dir: Folder of `{digit}_{speaker}_{index}.wav` recordings; None has espeak-ng speak.
      shuffled_pairs: In training, draw the digit of every modality on its own. A control: nothing can be learnt.
    """

    image_size: int = 32
    target_size: int = 16
    mel: MelConfig = MelConfig(
        sample_rate=8000, n_fft=256, hop=128, mels=32, fmin=0.0, fmax=4000.0, frames=64
    )
    data_dir: str | None = None
    speech_dir: str | None = None
    shuffled_pairs: bool = False

    def stock(self, split: str) -> Stock:
        """Returns the digits of a split, loaded once in a process."""
        return stock(split, self.image_size, self.target_size, self.mel, self.data_dir, self.speech_dir)

    def in_place_of(self, declared: seqio.DataSource) -> seqio.DataSource:
        """Reads what a digits task declares, with this configuration; tasks of other families keep their source."""
        if not isinstance(declared, DigitsReader):
            return declared
        return DigitsReader(self, declared.view, declared.fields, declared.stream)


class DigitsReader(seqio.DataSource):
    """What one task reads of the digits.

    Training draws images at random, distorts them and never ends. Validation and test give every image once, in
    order and untouched, whatever the seed.

    Args:
      digits: How the digits are read.
      view: "singles", "scenes", "contrasts", "counts" or "views"; see `stock`.
      fields: The raw fields the task needs; others are not made.
      stream: Seeds this reader apart from those of other tasks.
    """

    def __init__(self, digits: DigitsSource, view: str, fields: tuple[str, ...], stream: str):
        if view not in VIEWS:
            raise unknown("view", view, VIEWS)
        super().__init__(splits=SPLITS, caching_permitted=False, performs_internal_shuffling=True)
        self.digits, self.view, self.fields, self.stream = digits, view, tuple(fields), stream

    @property
    def supports_arbitrary_sharding(self) -> bool:
        return True

    def list_shards(self, split: str) -> list[str]:
        return [split]

    def get_dataset(
        self,
        split: str = "train",
        shuffle: bool = True,
        seed: int | None = None,
        shard_info: seqio.ShardInfo | None = None,
        **_: object,
    ) -> tf.data.Dataset:
        digits = self.digits.stock(split)
        digits.load(self.fields)
        train = split == "train"
        shard, shards = (shard_info.index, shard_info.num_shards) if shard_info else (0, 1)
        rows = np.arange(shard, len(digits), shards)
        salt = ((seed or 0) if train else 0, zlib.crc32(self.stream.encode()), shard)
        names = (*self.fields, "id", *(("length",) if self.view in SEQUENCES else ()))
        specs = [_FIELDS[name] for name in names]

        def make(index: np.int64) -> list[np.ndarray]:
            rng = np.random.default_rng((*salt, int(index)))
            which = rng.choice(rows, CHUNK) if train else rows[index * CHUNK : (index + 1) * CHUNK]
            paired = not (train and self.digits.shuffled_pairs)
            raw = getattr(digits, self.view)(which, self.fields, rng, paired)
            return [raw[name] for name in names]

        def read(index: tf.Tensor) -> dict[str, tf.Tensor]:
            values = tf.numpy_function(make, [index], [dtype for dtype, _ in specs])
            for value, (_, rank) in zip(values, specs, strict=True):
                value.set_shape([None] * (1 + rank))
            return dict(zip(names, values, strict=True))

        chunks = tf.data.Dataset.counter() if train else tf.data.Dataset.range(-(-len(rows) // CHUNK))
        return chunks.map(read).unbatch().map(_unpadded)

    def num_input_examples(self, split: str) -> int | None:
        return None if split == "train" else len(self.digits.stock(split))


def _unpadded(raw: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Takes the padding of a chunk off one example."""
    if "points" in raw:
        raw |= {"points": unpad(raw["points"])}
    if "length" not in raw:
        return raw
    length = raw["length"]
    return {key: value[:length] if value.shape.rank else value for key, value in raw.items()}
