"""What is trained once for a seed and then frozen: a language model of words alone, and an encoder of every medium.

Encoders are run over all media once; experiments read what they made. All is kept in a folder and found there again.
"""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from data_tasks.connected_digits.miniatures import media
from data_tasks.connected_digits.miniatures.lesson import Lesson, begun
from data_tasks.connected_digits.miniatures.media import Media
from data_tasks.connected_digits.miniatures.scale import Scale
from data_tasks.connected_digits.miniatures.stored import together
from data_tasks.connected_digits.miniatures.system import system
from data_tasks.connected_digits.miniatures.words import DIGITS, corpus
from data_tasks.digits.source import DigitsSource
from unified_io import checkpoint
from unified_io.checkpoint import PARAMS_FOLDER
from unified_io.encoders.clip import ClipConfig
from unified_io.encoders.whisper import WhisperConfig
from unified_io.modalities.connected.parts import module_of
from unified_io.train.classifier_job import Classified, ClassifierJob, ClassifierNetwork
from unified_io.train.optimizer import OptimizerConfig, ScheduleConfig

KINDS = ("image", "strip", "audio")
LANGUAGE_MODEL = "language_model"
_AT_ONCE = 100
_ENCODER = {"width": 64, "num_heads": 4, "num_layers": 3, "mlp_dim": 256}
_VIT = ClipConfig(**_ENCODER, patch=8, grid=media.SIDE // 8, pooled=True)


def encoder_of(kind: str, source: DigitsSource) -> Any:
    """Returns the configuration of the encoder of a kind of media."""
    if kind == "audio":
        return WhisperConfig(**_ENCODER, mels=source.mel.mels, num_positions=source.mel.frames // 2)
    return _VIT if kind == "image" else dataclasses.replace(_VIT, grid=media.STRIP.side // 8)


@dataclasses.dataclass(frozen=True)
class Parts:
    """The frozen parts of one seed.

    Attributes:
      folder: Where they are kept.
      seed: Draws parameters, and the order of what is learnt.
      source: The digits.
      scale: How long they are trained.
    """

    folder: Path
    seed: int
    source: DigitsSource
    scale: Scale

    @functools.cached_property
    def names(self) -> list[str]:
        """Who speaks in training."""
        return media.speakers(self.source)

    def language(self) -> Any:
        """Returns the parameters of the language model."""
        return self.kept("language", self._learn_language)

    def features(self, kind: str) -> dict[str, Media]:
        """Returns the media of a kind by split, as their encoder's features."""
        path = self.folder / f"{kind}.npz"
        if not path.is_file():
            part = path.with_suffix(".part.npz")
            np.savez(part, **self._encode(kind))
            part.replace(path)
        with np.load(path) as stored:
            return {
                name.removesuffix("/values"): Media(stored[name], stored[name.replace("values", "labels")])
                for name in stored.files
                if name.endswith("/values")
            }

    def kept(self, name: str, make: Callable[[], Any]) -> Any:
        """Returns parameters that were made before, or makes them."""
        path = self.folder / name
        if not path.is_dir():
            checkpoint.save_params(path, jax.device_get(make()))
        return checkpoint.load_params(path)[0]

    def _learn_language(self) -> Any:
        config, scale = system(), self.scale
        lesson = Lesson(config=config, trained=(LANGUAGE_MODEL,), steps=scale.language_steps)
        told = corpus(self.names, scale.sentences, self.seed)
        params, loss = lesson.learn(begun(config, self.seed, {}), told, self.seed)
        print(f"seed {self.seed}: language model, loss {loss:.3f}", flush=True)
        return params

    def _encode(self, kind: str) -> dict[str, np.ndarray]:
        shown, learnt, classes = self._media(kind)
        job = ClassifierJob(
            total_steps=self.scale.encoder_steps * (DIGITS if kind == "strip" else 1),
            optimizer=OptimizerConfig(
                learning_rate=ScheduleConfig("constant * linear_warmup * cosine_decay", 1e-3, 50),
                weight_decay=0.05,
            ),
            seed=self.seed,
        )
        encoder, folder = module_of(encoder_of(kind, self.source)), self.folder / f"{kind}_encoder"
        job.train(ClassifierNetwork(encoder, classes), Classified(learnt.values, learnt.labels), folder)
        params, _ = checkpoint.load_params(folder / PARAMS_FOLDER)
        encode = jax.jit(lambda values: together(encoder.apply({"params": params}, values)))
        found = {}
        for split, one in shown.items():
            found[f"{split}/values"] = _in_parts(encode, one.values)
            found[f"{split}/labels"] = one.labels
        return found

    def _media(self, kind: str) -> tuple[dict[str, Media], Media, tuple[int, ...]]:
        """The media to be encoded, those that the encoder learns from, and its classes."""
        source, scale, seed = self.source, self.scale, self.seed
        if kind == "image":
            return media.pictures(source), media.moved(source, scale.pictures, seed), (10,)
        if kind == "strip":
            train = media.strips(source, scale.pictures, "train", seed)
            test = media.strips(source, scale.asked, "test", 0)  # the same for every seed
            return {"train": train, "test": test}, train, (10,) * DIGITS
        heard = media.sounds(source)
        return heard, heard["train"], (10, len(self.names))


def _in_parts(encode: Any, values: np.ndarray) -> np.ndarray:
    """Encodes media some at a time, always as many at once."""
    found = []
    for start in range(0, len(values), _AT_ONCE):
        part = values[start : start + _AT_ONCE]
        padding = [(0, _AT_ONCE - len(part))] + [(0, 0)] * (values.ndim - 1)
        found.append(np.asarray(encode(np.pad(part, padding)))[: len(part)])
    return np.concatenate(found)
