"""Spoken digits as log-mel spectrograms: synthetic speech by espeak-ng, or recordings from a folder."""

import dataclasses
import functools
import logging
import math
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from scipy.ndimage import uniform_filter1d
from scipy.signal import firwin, resample_poly

import unified_io.mel
from data_tasks.digits import espeak, espeak_worker, voices
from data_tasks.digits.cache import cached, code
from unified_io.errors import DataError, unknown
from unified_io.mel import MelConfig, log_mel
from unified_io.preprocess import sound

Split = Literal["train", "validation", "test"]
SPLITS = ("train", "validation", "test")
LEAD_FRAMES = 2
LOUDNESS = 0.1  # root mean square of the trimmed word
SILENCE = 10 ** (-35 / 20)  # of the loudest 10 ms
FLOOR = 1e-4  # noise under every clip: power below mel.POWER_RANGE, so silence is its log and never the 0 of absence
FILE_NAME = re.compile(r"(\d)_(.+)_\d+\.wav", re.IGNORECASE)
log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Speech:
    """The clips of one split.

    Attributes:
      mels: Natural-log mel spectrograms; the word starts at frame 2.
      labels: The digit of every clip.
      voices: Who speaks it: an accent and a variant of espeak-ng, or a speaker's name.
      source: Where the sound is from, in words fit for a report.
      skipped: Files that could not be read, each with the reason.
    """

    mels: Float[np.ndarray, "n frames mels"]
    labels: Int[np.ndarray, " n"]
    voices: tuple[str, ...]
    source: str
    skipped: tuple[str, ...] = ()


def trim(waveform: Float[np.ndarray, " n"], sample_rate: int) -> Float[np.ndarray, " m"]:
    """Returns a sound from its first to its last 10 ms that are not silence; nothing if all of it is."""
    power = uniform_filter1d(np.square(waveform), max(1, sample_rate // 100), mode="constant")
    loud = np.flatnonzero(power > power.max(initial=0.0) * SILENCE**2)
    return waveform[loud[0] : loud[-1] + 1] if loud.size else waveform[:0]


@functools.lru_cache(maxsize=8)
def _low_pass(factor: int) -> np.ndarray:
    """Returns the filter that resample_poly designs anew for every call, which takes longer than using it."""
    return firwin(20 * factor + 1, 1 / factor, window=("kaiser", 5.0)).astype(np.float32)


def spectrogram(
    waveform: Float[np.ndarray, " n"], sample_rate: int, mel: MelConfig
) -> Float[np.ndarray, "frames mels"]:
    """Returns the log-mel of one spoken word; see `clip`."""
    return log_mel(clip(waveform, sample_rate, mel), mel)


def clip(
    waveform: Float[np.ndarray, " n"], sample_rate: int, mel: MelConfig
) -> Float[np.ndarray, " samples"]:
    """Returns one spoken word: resampled, trimmed, of equal loudness, starting at frame 2, noise around it.

    Args:
      waveform: Sound in [-1, 1].
      sample_rate: Its samples per second, Hz.
      mel: How its spectrogram will be taken; what exceeds its frames is cut.

    Raises:
      DataError: The sound is empty, silent or not finite.
    """
    if not np.isfinite(waveform).all():
        raise DataError("the sound holds values that are not finite")
    if sample_rate != mel.sample_rate:
        common = math.gcd(mel.sample_rate, sample_rate)
        up, down = mel.sample_rate // common, sample_rate // common
        waveform = resample_poly(waveform, up, down, window=_low_pass(max(up, down)))
    word = trim(waveform, mel.sample_rate)
    if not word.size:
        raise DataError("the sound is empty or silent")
    word = word * min(LOUDNESS / np.sqrt(np.mean(np.square(word))), 0.99 / np.abs(word).max())
    start = LEAD_FRAMES * mel.hop
    heard = FLOOR * np.random.default_rng(0).standard_normal(mel.samples)
    word = word[: mel.samples - start]
    heard[start : start + len(word)] += word
    return heard.astype(np.float32)


def load(
    split: Split,
    mel: MelConfig,
    speech_dir: str | os.PathLike | None = None,
    cache_dir: str | os.PathLike | None = None,
) -> Speech:
    """Returns the spoken digits of one split.

    Without `speech_dir` espeak-ng speaks them; no voice and no accent of one split is in another (`voices.CASTS`).
    With it, the folder holds `{digit}_{speaker}_{index}.wav` files, as the Free Spoken Digit Dataset does; by
    alphabet the last speaker is the test, the last but one the validation split, all others train.

    Args:
      split: "train", "validation" or "test".
      mel: How the spectrograms are taken.
      speech_dir: Folder of recordings.
      cache_dir: Where spectrograms are kept between runs; None keeps nothing.

    Raises:
      DataError: espeak-ng is missing or broken, or the folder holds too little.
      ConfigError: There is no such split.
    """
    if split not in SPLITS:
        raise unknown("split", split, SPLITS)
    depends_on = {
        "split": split,
        "mel": dataclasses.asdict(mel),
        "code": code(__file__, unified_io.mel.__file__),
    }
    if speech_dir is None:
        depends_on |= {"espeak": espeak.version(), "script": code(espeak_worker.__file__, voices.__file__)}
        build = functools.partial(_synthesise, voices.CASTS[split], mel)
    else:
        files = _speakers(Path(speech_dir))[split]
        depends_on["files"] = [[str(file), file.stat().st_size, file.stat().st_mtime_ns] for file in files]
        build = functools.partial(_record, files, mel)
    stored = cached(cache_dir, f"speech-{split}", depends_on, lambda: _arrays(build()))
    speech = Speech(
        stored["mels"],
        stored["labels"],
        tuple(stored["voices"].tolist()),
        str(stored["source"]),
        tuple(stored["skipped"].tolist()),
    )
    for line in speech.skipped:
        log.warning("skipped %s", line)
    if speech.skipped:
        bad, good = len(speech.skipped), len(speech.labels)
        log.warning("skipped %d of %d recordings", bad, bad + good)
    return speech


def _arrays(speech: Speech) -> dict[str, np.ndarray]:
    return {field.name: np.asarray(getattr(speech, field.name)) for field in dataclasses.fields(speech)} | {
        # An empty tuple would become an array of floats.
        "skipped": np.asarray(speech.skipped, np.str_)
    }


def _synthesise(cast: voices.Cast, mel: MelConfig) -> Speech:
    utterances, labels = voices.script(cast)
    spoken, rate, _ = espeak.speak(utterances)
    return Speech(
        mels=np.stack([spectrogram(word, rate, mel) for word in spoken]),
        labels=np.asarray(labels),
        voices=tuple(utterance.voice.removeprefix("gmw/") for utterance in utterances),
        source=f"synthetic speech: espeak-ng ({espeak.PACKAGE} {espeak.version()}), {len(cast.variants)} voices, "
        f"English accents {', '.join(cast.accents)}",
    )


def _speakers(folder: Path) -> dict[str, list[Path]]:
    """Returns the files of every split, by speaker. A name that can not be parsed goes to train, to be reported."""
    if not folder.is_dir():
        raise DataError(
            f"speech_dir {folder} is not a folder; give one of {{digit}}_{{speaker}}_{{index}}.wav files"
        )
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() == ".wav")
    speaker = {file: match[2] for file in files if (match := FILE_NAME.fullmatch(file.name))}
    names = sorted(set(speaker.values()))
    if len(names) < 3:
        raise DataError(
            f"speech_dir {folder} holds {len(speaker)} files named {{digit}}_{{speaker}}_{{index}}.wav by "
            f"{len(names)} speakers; three are needed, one for each split"
        )
    split_of = {names[-1]: "test", names[-2]: "validation"}
    splits = {split: [] for split in SPLITS}
    for file in files:
        splits[split_of.get(speaker.get(file, ""), "train")].append(file)
    return splits


def _record(files: Iterable[Path], mel: MelConfig) -> Speech:
    mels, labels, speakers, skipped = [], [], [], []
    for file in files:
        try:
            match = FILE_NAME.fullmatch(file.name)
            if match is None:
                raise DataError("its name is not {digit}_{speaker}_{index}.wav")
            mels.append(spectrogram(sound.read(file, mel.sample_rate), mel.sample_rate, mel))
            labels.append(int(match[1]))
            speakers.append(match[2])
        except DataError as error:
            skipped.append(f"{file.name}: {error}")
    if not mels:
        raise DataError(f"none of {len(skipped)} recordings could be read; the first: {skipped[0]}")
    names = sorted(set(speakers))
    source = f"recordings: {len(mels)} clips by {', '.join(names)}"
    return Speech(np.stack(mels), np.asarray(labels), tuple(speakers), source, tuple(skipped))
