"""Text to sound by espeak-ng. Knows no digits and no spectrograms.

The library draws from a random state that lives as long as the process and that no call resets: the second "seven"
differs from the first. So every batch is spoken by a fresh process, and the same batch is the same to the last bit.
"""

import dataclasses
import importlib.metadata
import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from unified_io.errors import DataError

PACKAGE = "espeakng-loader"
WORKER = Path(__file__).with_name("espeak_worker.py")
REMEDY = f"`pip install --force-reinstall {PACKAGE}`, or give recordings by DIGITS_SPEECH_DIR"


@dataclasses.dataclass(frozen=True)
class Utterance:
    """One line to speak.

    Attributes:
      text: What is said.
      voice: espeak-ng's accent, plus a variant: "gmw/en-US+f2".
      rate: Words per minute.
      pitch: 0 to 100; 50 is the voice's own.
    """

    text: str
    voice: str
    rate: int
    pitch: int


class Said(NamedTuple):
    """What was said.

    Attributes:
      sounds: Of every utterance, in [-1, 1].
      rate: Samples a second.
      begins: Sample at which every word of every utterance begins.
    """

    sounds: list[Float[np.ndarray, " n"]]
    rate: int
    begins: list[Int[np.ndarray, " words"]]


def version() -> str:
    """Returns the version of the package that brings espeak-ng.

    Raises:
      DataError: It is not installed.
    """
    if importlib.util.find_spec("espeakng_loader") is None:
        raise DataError(
            f"no espeak-ng to speak the digits; `pip install {PACKAGE}`, or give recordings by DIGITS_SPEECH_DIR"
        )
    return importlib.metadata.version(PACKAGE)


def speak(utterances: Sequence[Utterance]) -> Said:
    """Returns the sound of every utterance.

    Raises:
      DataError: espeak-ng is missing or broken, or lacks a voice.
    """
    version()
    import espeakng_loader

    data = Path(espeakng_loader.get_data_path())
    for voice in sorted({utterance.voice for utterance in utterances}):
        accent, _, variant = voice.partition("+")
        # The library itself says nothing of an unknown variant and speaks without it.
        if not (data / "lang" / accent).is_file() or not (
            variant == "" or (data / "voices" / "!v" / variant).is_file()
        ):
            raise DataError(f"this espeak-ng has no voice {voice!r}; {REMEDY}")
    with tempfile.TemporaryDirectory(prefix="espeak-") as folder:
        request, out = Path(folder, "request.json"), Path(folder, "samples")
        body = {
            "library": espeakng_loader.get_library_path(),
            "data": str(data),
            "utterances": [dataclasses.astuple(utterance) for utterance in utterances],
        }
        request.write_text(json.dumps(body), encoding="utf-8")
        # -P: this folder must not come before the standard library on the worker's path.
        command = [sys.executable, "-P", str(WORKER), str(request), str(out)]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")
        if done.returncode:
            reason = done.stderr.strip().splitlines()[-1:] or [f"its process ended with {done.returncode}"]
            raise DataError(f"espeak-ng failed: {reason[0]}; {REMEDY}")
        return _parse(out.read_bytes(), len(utterances))


def _parse(stored: bytes, count: int) -> Said:
    position, sounds, begins = 0, [], []

    def take(kind: str, length: int) -> np.ndarray:
        nonlocal position
        taken = np.frombuffer(stored, kind, length, position)
        position += taken.nbytes
        return taken

    (rate,) = take("<i4", 1)
    for _ in range(count):
        sounds.append(take("<i2", *take("<i4", 1)).astype(np.float32) / 32768.0)
        begins.append(take("<i4", *take("<i4", 1)))
    return Said(sounds, int(rate), begins)
