"""A tiny world to train on: coloured pictures and tones with captions, as JPEG and WAV in TFRecord files."""

import dataclasses
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import seqio
import tensorflow as tf

from unified_io.data.pipeline import numpy_map, output_features
from unified_io.mel import MelConfig, log_mel
from unified_io.preprocess import image_ops, sound

MEL = MelConfig(sample_rate=8000, n_fft=256, hop=128, mels=16, fmax=4000.0, frames=16)
SPLITS = {"train": 8, "validation": 2}
"""Shards of every split."""
EACH = 6
"""Examples of a shard, unless asked otherwise."""

MIXTURE, OTHER_MIXTURE = "drill_mixture", "drill_captions_alone"
CAPTIONS = "drill_caption"
QUESTIONS = {
    CAPTIONS: "[Text] [S] what do you see?",
    "drill_listen": "[Text] [S] what do you hear?",
}
_COLOURS = ("red", "green", "blue", "yellow", "white")
_RGB = ((200, 30, 30), (30, 180, 60), (40, 60, 210), (220, 210, 40), (240, 240, 240))
_FIELDS = {name: tf.io.FixedLenFeature((), tf.string) for name in ("id", "image", "sound", "caption")}

Record = dict[str, bytes]


@dataclasses.dataclass(frozen=True)
class World:
    """Where the files of the world are; give it to a job as its source.

    Attributes:
      folder: Holds `<split>-<number>.tfrecord`.
    """

    folder: str

    @property
    def path(self) -> Path:
        """The folder."""
        return Path(self.folder)

    def in_place_of(self, declared: seqio.DataSource) -> seqio.DataSource:
        """Reads this folder, whatever was declared."""
        patterns = {split: f"{self.folder}/{split}-*.tfrecord" for split in SPLITS}
        return seqio.TFExampleDataSource(patterns, _FIELDS)


def write(
    folder: Path,
    spoil: Mapping[str, Callable[[Record], Record]] | None = None,
    seed: int = 0,
    each: int = EACH,
) -> World:
    """Writes the whole world: the same files for the same seed.

    Args:
      folder: Where; made if need be.
      spoil: Id of an example -> what to make of its record.
      seed: Seeds pictures, tones and captions.
      each: Examples of a shard.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng, spoil = np.random.default_rng(seed), spoil or {}
    for split, shards in SPLITS.items():
        for shard in range(shards):
            with tf.io.TFRecordWriter(str(shard_of(folder, split, shard))) as writer:
                for number in range(shard * each, (shard + 1) * each):
                    name = f"{split}-{number}"
                    record = spoil.get(name, lambda record: record)(_record(name, rng))
                    writer.write(_serialised(record))
    return World(str(folder))


def shard_of(folder: Path, split: str, number: int) -> Path:
    """Returns the file of one shard."""
    return folder / f"{split}-{number:02d}.tfrecord"


def jpeg(pixels: np.ndarray) -> bytes:
    """Returns pixels [h, w, 3] of uint8 as the bytes of a JPEG."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=90)
    return file.getvalue()


def wav(waveform: np.ndarray) -> bytes:
    """Returns a waveform in [-1, 1] as the bytes of a 16-bit WAV file."""
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, waveform, MEL.sample_rate, subtype="PCM_16", format="WAV")
    return file.getvalue()


def picture(rng: np.random.Generator, colour: int) -> np.ndarray:
    """Draws a box of a colour on noise: [h, w, 3] of uint8."""
    height, width = rng.integers(18, 40, 2)
    pixels = rng.integers(0, 90, (height, width, 3), np.uint8)
    top, left = rng.integers(0, height // 2), rng.integers(0, width // 2)
    pixels[top : top + height // 2, left : left + width // 2] = _RGB[colour]
    return pixels


def tone(rng: np.random.Generator, pitch: int) -> np.ndarray:
    """Makes a quarter of a second of a tone in noise."""
    time = np.arange(MEL.samples) / MEL.sample_rate
    return 0.5 * np.sin(2 * np.pi * 220.0 * (pitch + 1) * time) + 0.01 * rng.normal(size=time.size)


def _record(name: str, rng: np.random.Generator) -> Record:
    colour, pitch = int(rng.integers(len(_COLOURS))), int(rng.integers(6))
    return {
        "id": name.encode(),
        "image": jpeg(picture(rng, colour)),
        "sound": wav(tone(rng, pitch)),
        "caption": f"a {_COLOURS[colour]} box, tone {pitch + 1}".encode(),
    }


def _serialised(record: Record) -> bytes:
    features = {
        key: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value])) for key, value in record.items()
    }
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def _caption(raw: Mapping[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    seen = image_ops.read(raw["image"])
    return {
        "text_inputs": QUESTIONS[CAPTIONS],
        "image_inputs": seen,
        "text_targets": raw["caption"],
        "meta/id": raw["id"],
    }


def _listen(raw: Mapping[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    waveform = sound.read(raw["sound"], MEL.sample_rate)
    heard = log_mel(sound.segments(waveform, MEL)[-1], MEL)
    return {
        "text_inputs": QUESTIONS["drill_listen"],
        "audio_inputs": heard,
        "text_targets": raw["caption"],
        "meta/id": raw["id"],
    }


def _draw(raw: Mapping[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    wanted = image_ops.read(raw["image"])
    return {
        "text_inputs": f"[Image] [S] draw {raw['caption']}",
        "image_targets": wanted,
        "meta/id": raw["id"],
    }


_TASKS = {
    CAPTIONS: (_caption, ("text_inputs", "image_inputs", "text_targets", "meta/id")),
    "drill_listen": (_listen, ("text_inputs", "audio_inputs", "text_targets", "meta/id")),
    "drill_draw": (_draw, ("text_inputs", "image_targets", "meta/id")),
}
for _name, (_format, _writes) in _TASKS.items():
    seqio.TaskRegistry.add(
        _name,
        source=World("no folder was given").in_place_of(seqio.FunctionDataSource),
        preprocessors=[numpy_map(_format, _writes, _name, files=("image", "sound"))],
        output_features=output_features(("text_inputs", "meta/id")),
        shuffle_buffer_size=16,
    )
seqio.MixtureRegistry.add(MIXTURE, [(name, 1.0) for name in _TASKS])
seqio.MixtureRegistry.add(OTHER_MIXTURE, [(name, float(name == CAPTIONS)) for name in _TASKS])
