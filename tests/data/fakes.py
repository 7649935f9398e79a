"""Small modalities with every trait packing must respect: slots that are not real, streams, weights, absence."""

import dataclasses

import numpy as np

from unified_io.modalities.base import FeatureSpec, Modality, TargetModality


@dataclasses.dataclass(frozen=True)
class Words(Modality):
    """One place an item; the field is a list of numbers."""

    @property
    def name(self):
        return "words"

    @property
    def fields(self):
        return ("text_inputs",)

    def features(self):
        return {"tokens": FeatureSpec((), "int32", "token")}

    def preprocess(self, example, *, seed, training):
        return {"tokens": np.array([ord(letter) for letter in example["text_inputs"]], np.int32)}


@dataclasses.dataclass(frozen=True)
class Pictures(Modality):
    """Four places an item, some of them masked."""

    @property
    def name(self):
        return "pictures"

    @property
    def slot_size(self):
        return 4

    @property
    def fields(self):
        return ("image_inputs",)

    def features(self):
        return {
            "patches": FeatureSpec((4, 2), "float32", "pixels"),
            "mask": FeatureSpec((4,), "bool", "seen"),
        }

    def slots(self, features):
        return features["mask"]

    def preprocess(self, example, *, seed, training):
        image = example["image_inputs"]
        if not image.size:
            return self.empty()
        patches = np.resize(image, (1, 4, 2)).astype(np.float32)
        return {"patches": patches, "mask": np.array([[True, True, False, True]])}


@dataclasses.dataclass(frozen=True)
class Answers(TargetModality):
    """One place an item, in several streams."""

    @property
    def name(self):
        return "answers"

    @property
    def fields(self):
        return ("text_targets",)

    def features(self):
        return {"tokens": FeatureSpec((), "int32", "token"), "streams": FeatureSpec((), "int32", "answer")}

    def streams(self, features):
        return features["streams"]

    def weights(self, features):
        return (0.5 + features["tokens"] % 2)[:, None].astype(np.float32)

    def preprocess(self, example, *, seed, training):
        field = example["text_targets"]
        answers = field if isinstance(field, list) else [field]
        streams = np.concatenate([[i] * len(a) for i, a in enumerate(answers)]).astype(np.int32)
        return {"tokens": np.array([ord(c) for a in answers for c in a], np.int32), "streams": streams}


@dataclasses.dataclass(frozen=True)
class Drawings(TargetModality):
    """Three places an item."""

    @property
    def name(self):
        return "drawings"

    @property
    def slot_size(self):
        return 3

    @property
    def fields(self):
        return ("image_targets",)

    def features(self):
        return {"pixels": FeatureSpec((5,), "float32", "pixels")}

    def preprocess(self, example, *, seed, training):
        return (
            {"pixels": np.resize(example["image_targets"], (1, 5))}
            if example["image_targets"].size
            else self.empty()
        )


INPUTS = (Words(), Pictures())
TARGETS = (Answers(), Drawings())


def random_features(rng: np.random.Generator, longest: int = 12):
    """Features of a made-up example; sides and modalities may be absent, the target never."""
    words, pictures = int(rng.integers(0, longest)), int(rng.integers(0, 3))
    answers, drawings = int(rng.integers(0, longest)), int(rng.integers(0, 2))
    if not words + pictures:
        words = 1
    if not answers + drawings:
        answers = 1
    return {
        "inputs": {
            "words": {"tokens": rng.integers(1, 1000, words).astype(np.int32)},
            "pictures": {
                "patches": rng.normal(size=(pictures, 4, 2)).astype(np.float32),
                "mask": rng.random((pictures, 4)) < 0.7,
            },
        },
        "targets": {
            "answers": {
                "tokens": rng.integers(1, 1000, answers).astype(np.int32),
                "streams": np.sort(rng.integers(0, 3, answers)).astype(np.int32),
            },
            "drawings": {"pixels": rng.normal(size=(drawings, 5)).astype(np.float32)},
        },
    }


@dataclasses.dataclass(frozen=True)
class Reads(TargetModality):
    """A modality of which only the fields matter."""

    keys: tuple[str, ...]

    @property
    def name(self):
        return self.keys[0]

    @property
    def fields(self):
        return self.keys
