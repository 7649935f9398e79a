"""Waveforms, pictures and videos as the model takes them: spectrograms, patches, masks, and boxes in the prompt."""

import dataclasses
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from parity.fixture import Compared, Fixture
from parity.stored import arrays, compare, excerpts, meant, side, stack
from unified_io import mel, structures
from unified_io.errors import DataError
from unified_io.mel import MelConfig
from unified_io.modalities.audio import AudioInput, AudioTarget
from unified_io.modalities.base import Modality
from unified_io.modalities.history import History
from unified_io.modalities.image import ImageInput, ImageTarget
from unified_io.modalities.text import TextInput, TextTarget
from unified_io.preprocess import image_ops, sound, video
from unified_io.tokenizers.vit_vqgan import ViTVQGANConfig
from unified_io.tokenizers.vqgan import VQGANConfig
from unified_io.vocab import LLAMA_PIECES, Vocabulary

# Both sides resize in float32, and round differently; README.md finds up to 2.6e-5 between float32 and float64.
RESIZED = 2.6e-5

Example = dict[str, Any]


def audio_features(fixture: Fixture) -> Iterator[Compared]:
    """From the waveform to spectrograms, and from those of the fixture to the model's inputs and a target."""
    outputs, rate = fixture.outputs, fixture.config["sampling_rate"]
    _, mels, frames = outputs["segments/mel"].shape
    config = MelConfig(rate, n_fft=len(outputs["window"]), mels=mels, fmax=rate / 2, frames=frames)
    waveform = sound.read((fixture.inputs["waveform_int16"], rate), rate)
    segments = sound.segments(waveform, config)
    yield Compared("window", mel.window(config.n_fft))
    yield Compared("mel_filter", mel.mel_filters(config).T)
    yield Compared("power_some", mel.power(segments[0], config).T[:, fixture.config["power_frames"]])
    yield Compared("segments/mel", np.stack([mel.mel_power(segment, config).T for segment in segments]))
    yield Compared("short/mel", _short(outputs["short/mel"], waveform, config))

    logs = np.stack([mel.logarithm(power.T) for power in outputs["segments/mel"]])
    audio = AudioInput(mel=config)
    history = History(audio, max_frames=len(outputs.get("model/inputs/audio_history/mask", logs)))
    example = {"audio_inputs": logs[-1], "audio_history_inputs": logs[:-1]}
    yield from compare(fixture, "model", example, [audio, history])
    target = AudioTarget(mel=config, vit_vqgan=ViTVQGANConfig(frames=frames, mels=mels))
    yield from compare(fixture, "target", {"audio_targets": _silenced(fixture, logs, target)}, [target])
    prompt = {"text_inputs": TextTarget().prefix + fixture.config["text"]}
    yield from compare(fixture, "model", prompt, [TextInput(_vocabulary(fixture))])


def image_preprocess(fixture: Fixture) -> Iterator[Compared]:
    """Pictures on the way in and out, videos, histories, part of the patches, batches, and the way back."""
    sizes, cases = fixture.config["sizes"], fixture.config["cases"]
    image = ImageInput(resolution=sizes["input"], patch=sizes["patch_input"])
    frame = ImageInput(resolution=sizes["history"], patch=sizes["patch_history"])
    most = {len(x) for name, x in fixture.outputs.items() if name.endswith("/image_history/mask")}
    history = History(frame, max_frames=max(most, default=1))
    levels = int(sizes["patch_target"]).bit_length()  # of a VQGAN of that stride
    vqgan = VQGANConfig(
        resolution=sizes["target"], channel_multipliers=(1,) * levels, attention_resolutions=()
    )
    target = ImageTarget(vqgan=vqgan, input_resolution=sizes["input"])

    examples = {case: _example(fixture, case, image) for case in cases if "of" not in cases[case]}
    for case, example in examples.items():
        if "image_input_samples" in cases[case]:
            yield from _sampled(fixture, case, example, image)
        else:
            yield from compare(fixture, case, example, [image, history], RESIZED)
            # A target that follows an input is resized by nearest neighbour, which rounds nothing.
            follows = {"image_inputs", "image_targets"} <= example.keys()
            yield from compare(fixture, case, example, [target], None if follows else RESIZED)
        if f"{case}/meta/image_info" in fixture.outputs:
            yield Compared(f"{case}/meta/image_info", image.placement(example["image_inputs"]).info)
    yield from _undone(fixture, image)
    words = _vocabulary(fixture)
    texts = [TextInput(words), TextTarget(words)]
    for case, example in examples.items():
        yield from compare(fixture, case, example, texts)
    for case in cases:
        if "of" in cases[case]:
            parts = [examples[name] for name in cases[case]["of"]]
            yield from _batch(fixture, case, parts, [image, history, target, *texts])


def _vocabulary(fixture: Fixture) -> Vocabulary:
    """The stand-in tokenizer, from the nearest fixture that has it."""
    here = fixture.folder.resolve()
    for folder, pattern in ((here, "."), (here.parent, "*"), (here.parent.parent, "*/*")):
        for path in sorted(folder.glob(f"{pattern}/tokenizer.model")):
            settings = path.with_name("config.json")
            config = json.loads(settings.read_text(encoding="utf-8")) if settings.is_file() else {}
            pieces = config.get("base_pieces", LLAMA_PIECES)
            return Vocabulary(str(path), pieces, Vocabulary.least_size(pieces))
    raise DataError(
        f"texts are not compared: no tokenizer.model near {fixture.folder.name!r}; put the fixture `tokenizer` beside"
    )


def _example(fixture: Fixture, case: str, image: ImageInput) -> Example:
    """The raw fields of a case of `image_preprocess`."""
    settings = fixture.config["cases"][case]
    given = {name.split("/", 1)[1]: x for name, x in fixture.inputs.items() if name.startswith(f"{case}/")}
    wanted = {name.split("/")[2] for name in fixture.outputs if name.startswith(f"{case}/inputs/")}
    example: Example = {"text_targets": settings.get("text_targets", "")}
    if "frames" in given:
        frames = video.read(given["frames"], len(given["frames"]))
        example["image_history_inputs"], example["image_inputs"] = video.split(
            frames, settings["encode_frame_as_image"]
        )
    elif earlier := sorted(
        (name for name in given if name.startswith("frame")), key=lambda name: int(name[5:])
    ):
        example["image_history_inputs"] = [given[name] for name in earlier]
    if "image" in given:
        example["image_inputs" if "image" in wanted else "image_targets"] = given["image"]
    elif "image" in wanted and "image_inputs" not in example:
        example["image_inputs"] = _shared_image(fixture, case)
    if "target" in given:
        example["image_targets"] = given["target"]
    target = {"text": TextTarget, "audio": AudioTarget}.get(settings.get("target_modality"), ImageTarget)()
    text = settings["text"]
    if "box_xyxy" in settings:
        left, top, right, bottom = settings["box_xyxy"]
        box = image.placement(example["image_inputs"]).to_square([[top, left, bottom, right]])
        text = text.replace("{box}", structures.boxes_to_text(box))
    return example | {"text_inputs": target.prefix + text}


def _shared_image(fixture: Fixture, case: str) -> np.ndarray:
    """The image of a case that has none of its own: that of the case whose side information is the same."""
    info = fixture.outputs[f"{case}/meta/image_info"]
    for other in fixture.config["cases"]:
        theirs = fixture.outputs.get(f"{other}/meta/image_info")
        if f"{other}/image" in fixture.inputs and np.array_equal(theirs, info):
            return fixture.inputs[f"{other}/image"]
    raise DataError(f"no image lies as that of case {case!r} does; the fixture should hold {case}/image")


def _sampled(fixture: Fixture, case: str, example: Example, image: ImageInput) -> Iterator[Compared]:
    """Part of the patches. Which ones is drawn by chance, so that only what they hold can be compared."""
    settings = fixture.config["cases"][case]
    some = dataclasses.replace(image, samples=settings["image_input_samples"])
    ours = some.preprocess(example, seed=settings.get("seed", 0), training=False)
    whole = image.preprocess(example, seed=0, training=False)
    prefix = f"{case}/inputs/image/"
    chosen = fixture.outputs[f"{prefix}pos_ids"]
    for name, value in arrays(image, whole).items():
        yield from excerpts(fixture, prefix + name, value[chosen], RESIZED)
    for key, value in ours.items():
        yield Compared(
            f"{case}: our {key}", value[0], expected=whole[key][0, ours["positions"][0]], tolerance=0.0
        )
    yield Compared(f"{case}: our number of patches", len(np.unique(ours["positions"])), expected=len(chosen))
    yield Compared(
        f"{case}: our real patches", int(ours["mask"].sum()), expected=int(whole["mask"][0, chosen].sum())
    )


def _undone(fixture: Fixture, image: ImageInput) -> Iterator[Compared]:
    """Pictures of a target's size made as large as their source; the fixture holds them as whole numbers."""
    for name, value in fixture.outputs.items():
        if note := re.fullmatch(r"undo/note_input_is_over_(\d+)", name):
            yield Compared(name, value)
            most = np.float32(note[1])
            for result in [key for key in fixture.outputs if re.fullmatch(r"undo/.+_uint8", key)]:
                case = result.removeprefix("undo/").removesuffix("_uint8")
                square = fixture.outputs[f"undo/{case}_input"]
                source = image.placement(fixture.inputs[f"{case}/image"]).source
                yield Compared(f"undo/{case}_input", square)
                pixels = image_ops.undo_resize(square / most, source)
                yield Compared(result, (pixels * 255).astype(np.uint8))


def _batch(
    fixture: Fixture, case: str, examples: Sequence[Example], modalities: Sequence[Modality]
) -> Iterator[Compared]:
    """Several examples, each modality stacked; what an example does not have is zeros."""
    for modality in modalities:
        made = [modality.preprocess(example, seed=0, training=False) for example in examples]
        parts = [arrays(modality, features) for features in made]
        for name in parts[0]:
            where = [meant(modality, name, features) for features in made]
            yield from excerpts(
                fixture,
                f"{case}/{side(modality)}/{modality.name}/{name}",
                stack([part[name] for part in parts]),
                RESIZED,
                None if where[0] is None else np.stack(where),
            )
    if f"{case}/meta/image_info" in fixture.outputs:
        image = modalities[0]
        infos = [
            image.placement(x["image_inputs"]).info if "image_inputs" in x else np.zeros(11) for x in examples
        ]
        yield Compared(f"{case}/meta/image_info", np.stack(infos))


def _short(expected: np.ndarray, waveform: np.ndarray, config: MelConfig) -> np.ndarray:
    """The spectrogram of the start of a sound, of which only the number of frames is known.

    A frame is `hop` samples long, so there are as many lengths; they differ in the last frames, which reach the end.
    """
    least = (expected.shape[1] - 1) * config.hop
    lengths = range(least, min(least + config.hop, len(waveform) + 1))
    first = max(
        least - 2 * config.n_fft // config.hop * config.hop, 0
    )  # of the samples that the last frames see

    def error(length: int) -> float:
        return np.abs(mel.mel_power(waveform[first:length], config)[-2:].T - expected[:, -2:]).max()

    return mel.mel_power(waveform[: min(lengths, key=error)], config).T


def _silenced(fixture: Fixture, logs: np.ndarray, target: AudioTarget) -> np.ndarray:
    """The spectrogram given as target: a segment in which two stretches were silenced before.

    The fixture does not hold it; what is silent is read off the means of its rows and columns.
    """
    prefix = "target/targets/audio/audio_"
    rows, columns = (fixture.outputs[f"{prefix}{name}_mean"][:, 0] for name in ("row", "col"))
    silence = target.pixels(np.zeros(target.shape[:2], np.float32))[0][0, 0, 0]
    best, least = logs[0], np.inf
    for log in logs:
        log = np.where(np.abs(rows - silence)[:, None] < 1e-5, 0, log)
        ours = target.pixels(log)[0][:, :, 0]
        off = np.abs(ours.mean(axis=1) - rows) > 1e-5, np.abs(ours.mean(axis=0) - columns) > 1e-5
        log = np.where(off[0][:, None] & off[1][None, :], 0, log)
        error = np.abs(target.pixels(log)[0][2::5, 1::5] - fixture.outputs[f"{prefix}stride"]).mean()
        best, least = (log, error) if error < least else (best, least)
    return best
