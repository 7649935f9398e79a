"""Made-up inputs of our own fixtures. All numbers are multiples of 1/64: exact in float32, and they compress."""

from typing import Any

import numpy as np

from reference.inputs import grid_of
from reference.targets import shifted

Config = dict[str, Any]
Arrays = dict[str, np.ndarray]

END = 1
FIRST_WORD = 2


def numbers(rng: np.random.Generator, shape: tuple[int, ...], spread: float = 1.0) -> np.ndarray:
    """Normal numbers, rounded."""
    return (np.round(rng.normal(0, spread, shape) * 64) / 64).astype(np.float32)


def masks(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Masks along the last axis, a quarter of them 0; never all."""
    mask = rng.random(shape) > 0.25
    mask[..., 0] |= ~mask.any(axis=-1)
    return mask.astype(np.int32)


def places(rng: np.random.Generator, shape: tuple[int, ...], number: int) -> np.ndarray:
    """Different places of so many along the last axis, in no order."""
    rows = [rng.permutation(number)[: shape[-1]] for _ in range(int(np.prod(shape[:-1])))]
    return np.array(rows, np.int32).reshape(shape)


def patches(rng: np.random.Generator, shape: tuple[int, ...], number: int, channels: int) -> Arrays:
    """Patches [*shape, channels] of media of `number` patches."""
    return {
        "input": numbers(rng, (*shape, channels)),
        "pos_ids": places(rng, shape, number),
        "mask": masks(rng, shape),
    }


def under(prefix: str, arrays: Arrays) -> Arrays:
    """The same arrays below a path."""
    return {f"{prefix}/{name}": value for name, value in arrays.items()}


def image_encoder(rng: np.random.Generator, config: Config, cases: Config) -> Arrays:
    """Some of the patches of two images a case."""
    channels = 3 * config["image_vit_cfg"]["patch_size"] ** 2
    found: Arrays = {}
    for case, settings in cases.items():
        number = int(np.prod(settings["patch_num"]))
        found |= under(case, patches(rng, (2, number - number // 3), number, channels))
    return found


def audio_encoder(rng: np.random.Generator, config: Config, cases: Config) -> Arrays:
    """Some of the patches of two sounds, the same in every case."""
    vit = config["audio_vit_cfg"]
    number = int(np.prod([side // vit["patch_size"] for side in vit["default_input_size"]]))
    found = patches(rng, (2, number - 9), number, vit["patch_size"] ** 2)
    return {key: value for case in cases for key, value in under(case, found).items()}


def resampler(rng: np.random.Generator, config: Config, cases: Config) -> Arrays:
    """Features for the resampler alone; three examples of three frames for the embedder."""
    found = under("x", patches(rng, (3, 3, 7), 16, 11))
    mask = found["x/mask"]
    mask[0, 1], mask[2, 2] = 0, 0  # frames that are not there, one between two that are
    return {name.removeprefix("x/"): value for name, value in found.items()} | {
        "features": numbers(rng, (3, 8, config["resampler_cfg"]["emb_dim"])),
        "features_mask": masks(rng, (3, 8)),
    }


def image_codec(rng: np.random.Generator, config: Config, cases: Config) -> Arrays:
    """Images, and codes of other images."""
    side = config["resolution"]
    codes = (side // config["patch_size"][0]) ** 2
    return {
        "image": np.clip(numbers(rng, (2, side, side, 3), 0.5), -1, 1),
        "codes": rng.integers(0, config["n_embed"], (3, codes), np.int32),
    }


def audio_codec(rng: np.random.Generator, config: Config, cases: Config) -> Arrays:
    """Spectrograms, and codes of other spectrograms."""
    size, patch = config["default_input_size"], config["patch_size"]
    codes = size[0] // patch[0] * (size[1] // patch[1])
    return {
        "spectrogram": numbers(rng, (2, *size, 1)),
        "codes": rng.integers(0, config["vocab_size"], (3, codes), np.int32),
    }


def vocoder(rng: np.random.Generator, config: Config, cases: Config) -> Arrays:
    """A spectrogram."""
    return {"spectrogram": numbers(rng, (9, 11, 1), 0.5)}


def text(rng: np.random.Generator, vocabulary: int, lengths: list[int]) -> Arrays:
    """Texts of so many tokens, the last of which ends them."""
    width = max(lengths)
    places = np.arange(width, dtype=np.int32)
    real = places < np.array(lengths)[:, None]
    tokens = rng.integers(FIRST_WORD, vocabulary, real.shape, np.int32)
    tokens[np.arange(len(lengths)), np.array(lengths) - 1] = END
    return {
        "tokens": np.where(real, tokens, 0).astype(np.int32),
        "pos_ids": np.where(real, places, 0).astype(np.int32),
        "mask": real.astype(np.int32),
    }


def all_inputs(
    rng: np.random.Generator, config: Config, lengths: list[int], prefix: str = "inputs"
) -> Arrays:
    """Every modality; texts have `lengths`."""
    t5, batch = config["t5_config"], len(lengths)
    found = under(f"{prefix}/text", text(rng, t5["vocab_size"], lengths))
    for kind, layers in (("image", 3), ("audio", 1)):
        channels = layers * t5[f"{kind}_vit_patch_size"] ** 2
        number, frame = (int(np.prod(grid_of(config, name))) for name in (kind, f"{kind}_history"))
        found |= under(f"{prefix}/{kind}", patches(rng, (batch, number - 3), number, channels))
        frames = patches(rng, (batch, 2, frame - 2), frame, channels)
        # A frame that is not there before one that is, and an example without any.
        frames["mask"][0, 0] = 0
        frames["mask"][-1] *= kind == "audio"
        found |= under(f"{prefix}/{kind}_history", frames)
    return found


def reading(rng: np.random.Generator, config: Config, cases: Config) -> Arrays:
    """Two examples to read."""
    return all_inputs(rng, config, [5, 8])


def answers(rng: np.random.Generator, vocabulary: int, lengths: list[list[int]]) -> Arrays:
    """Several answers a row, each read apart from the others; a row without any holds an END that does not count."""
    width = max(sum(row) for row in lengths)
    shape = (len(lengths), width)
    targets, segments, positions = (np.zeros(shape, np.int32) for _ in range(3))
    for row, parts in enumerate(lengths):
        start = 0
        for segment, length in enumerate(parts, 1):
            answer = slice(start, start + length)
            targets[row, answer] = rng.integers(FIRST_WORD, vocabulary, length)
            targets[row, start + length - 1] = END
            segments[row, answer], positions[row, answer] = segment, np.arange(length)
            start += length
    real = (segments > 0).astype(np.int32)
    targets[real.sum(axis=1) == 0, 0] = END
    return {
        "targets": targets,
        "inputs": shifted(targets, segments).astype(np.int32),
        "segment_ids": segments,
        "pos_ids": positions,
        "mask": real,
    }


def training(rng: np.random.Generator, config: Config, cases: Config) -> Arrays:
    """Three examples: two answers and a padded image, one answer and half an image, no answer and no image."""
    found = all_inputs(rng, config, [6, 4, 9])
    found |= under("targets/text", answers(rng, config["t5_config"]["vocab_size"], [[4, 3, 2], [6], []]))
    side = config["image_vqgan"]["resolution"]
    image = np.ones((3, side, side), np.int32)
    image[0, :, -1], image[1, side // 2 :], image[2] = 0, 0, 0
    found |= under(
        "targets/image",
        {
            "image": np.clip(numbers(rng, (3, side, side, 3), 0.5), -1, 1),
            **_masks(rng, image.reshape(3, -1)),
        },
    )
    mel, time = config["audio_vqgan"]["default_input_size"]
    patch = config["audio_vqgan"]["patch_size"][0]
    sound = np.ones((3, mel * time // patch**2), np.int32)
    sound[1, -4:] = 0
    audio = {"audio": numbers(rng, (3, time, mel, 1)), **_masks(rng, sound)}
    return found | under("targets/audio", audio)


def _masks(rng: np.random.Generator, real: np.ndarray) -> Arrays:
    return {
        "mask": real,
        "loss_mask": real * (rng.random(real.shape) > 0.2),
        "task_mask": (rng.random(real.shape) > 0.6).astype(np.int32),
    }


def writing(rng: np.random.Generator, config: Config, cases: Config) -> Arrays:
    """Prompts for every target; a negative one that is longer; answers to choose from."""
    words = config["t5_config"]["vocab_size"]
    found = all_inputs(rng, config, [6, 3, 8], "text_case/inputs")
    of = {"image_case": ("text",), "audio_case": ("text", "image_history")}
    for case, names in of.items():
        inputs = all_inputs(rng, config, [4, 7], f"{case}/inputs")
        found |= {key: value for key, value in inputs.items() if key.split("/")[2] in names}
    found |= under("guided_case/inputs/text", text(rng, words, [5, 3]))
    found |= under("neg/inputs/text", text(rng, words, [4, 7]))
    lengths = np.array([3, 6, 1, 4])
    options = rng.integers(FIRST_WORD, words, (4, 6), np.int32)
    options[np.arange(4), lengths - 1] = END
    found["answers/options"] = np.where(np.arange(6) < lengths[:, None], options, 0).astype(np.int32)
    return found
