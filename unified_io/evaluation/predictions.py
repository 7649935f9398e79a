"""What a model answered, on disk: one JSON object an example, pictures and sounds as files beside it.

What is judged is what lies here, so that going on after an interruption gives the numbers of a run without one.
"""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from unified_io.errors import ConfigError, DataError
from unified_io.evaluation.kind import Kind, kind_of
from unified_io.modalities.base import TargetModality
from unified_io.preprocess import image_ops, sound

FILE, RUN_FILE, ANSWERS = "predictions.jsonl", "run.json", "answers"
_MOST_NUMBERS = 256  # longer arrays of a truth are only named

Judging = Callable[[Mapping[str, Any], Any], Mapping[str, Any]]


class Predictions:
    """The answers to one task, kept in a folder; what is there already is not asked for again.

    Args:
      folder: Its own; made if need be.
      target: The modality of the answers.
      run: What the answers depend on besides the examples: weights, decoding and such. JSON values.

    Raises:
      ConfigError: The folder holds answers of another run.
      DataError: A file is damaged.
    """

    def __init__(self, folder: Path, target: TargetModality, run: Mapping[str, Any]):
        self.folder, self._target = folder, target
        (folder / ANSWERS).mkdir(parents=True, exist_ok=True)
        _check_run(folder / RUN_FILE, json.loads(json.dumps(run)))
        self._lines = {line["index"]: line for line in _read(folder / FILE)}

    def __contains__(self, index: int) -> bool:
        return index in self._lines

    def __len__(self) -> int:
        return len(self._lines)

    def check(self, index: int, example: Mapping[str, Any]) -> None:
        """Makes sure that the answer at an index is one to this example.

        Raises:
          ConfigError: The task gives other examples than it did.
        """
        line = self._lines[index]
        if (line["id"], line["prompt"]) != (_name(example), example.get("text_inputs", "")):
            raise ConfigError(
                f"example {index} is {_name(example)!r}, the answers in {str(self.folder)!r} have {line['id']!r} "
                "there; data or prompts have changed, write to another folder"
            )

    def add(self, index: int, example: Mapping[str, Any], answer: Any, judge: Judging) -> None:
        """Files an answer.

        Args:
          index: Its place among the examples.
          example: The fields of the example.
          answer: A raw field of the target.
          judge: (example, answer as it was filed) -> what else to note of it.
        """
        kind, path = kind_of(self._target.fields[0]), self.folder / ANSWERS / f"{index:06}"
        filed = _WRITERS[kind](path, answer, self._target)
        line = {
            "index": index,
            "id": _name(example),
            "prompt": example.get("text_inputs", ""),
            "answer": filed,
            **plain(judge(example, _READERS[kind](path.parent, filed))),
        }
        with (self.folder / FILE).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._lines[index] = line

    def answer(self, index: int) -> Any:
        """Returns an answer as a raw field, as it was filed.

        Raises:
          DataError: Its file is gone or damaged.
        """
        value = self._lines[index]["answer"]
        try:
            return _READERS[kind_of(self._target.fields[0])](self.folder / ANSWERS, value)
        except (OSError, ValueError) as error:
            raise DataError(
                f"answer {index} in {str(self.folder)!r} can not be read ({error}); take its line out of {FILE}, "
                "and it will be made again"
            ) from error


def plain(value: Any) -> Any:
    """Returns a truth or a score in JSON values; of large arrays only type and shape."""
    if isinstance(value, np.ndarray) and value.size > _MOST_NUMBERS:
        return f"{value.dtype} {list(value.shape)}"
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, str | bool | int | float) else str(value)


def _name(example: Mapping[str, Any]) -> str:
    return str(example.get("meta/id", ""))


def _check_run(path: Path, run: Mapping[str, Any]) -> None:
    if not path.is_file():
        path.write_text(json.dumps(run, indent=1) + "\n", encoding="utf-8")
        return
    earlier = json.loads(path.read_text(encoding="utf-8"))
    if changed := sorted(key for key in {*run, *earlier} if run.get(key) != earlier.get(key)):
        said = ", ".join(f"{key} {earlier.get(key)!r}, now {run.get(key)!r}" for key in changed)
        raise ConfigError(
            f"{str(path.parent)!r} holds answers made with {said}; give another --out, or take that folder away"
        )


def _read(path: Path) -> list[dict[str, Any]]:
    """Reads the lines; a last one that was torn by an interruption is cut off."""
    if not path.is_file():
        return []
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        os.truncate(path, len(whole))
    try:
        return [json.loads(line) for line in whole.splitlines()]
    except ValueError as error:
        raise DataError(f"{path} has a line that is no JSON ({error}); take it out, or the folder") from error


def _write_plain(path: Path, answer: Any, target: TargetModality) -> Any:
    return answer if isinstance(answer, str) else np.asarray(answer).tolist()


def _write_picture(path: Path, answer: Any, target: TargetModality) -> str:
    pixels = (np.clip(np.asarray(answer), 0.0, 1.0) * 255).round().astype(np.uint8)
    Image.fromarray(pixels).save(path.with_suffix(".png"))
    return path.with_suffix(".png").name


def _write_sound(path: Path, answer: Any, target: TargetModality) -> str:
    np.save(path.with_suffix(".npy"), np.asarray(answer, np.float32))  # the spectrogram, which is judged
    sound.write_wav(path.with_suffix(".wav"), np.asarray(target.present(answer)), target.mel.sample_rate)
    return path.with_suffix(".wav").name


def _read_points(folder: Path, value: Any) -> np.ndarray:
    return np.asarray(value, np.float32).reshape(-1, 3)


def _read_sound(folder: Path, name: str) -> np.ndarray:
    return np.load((folder / name).with_suffix(".npy"), allow_pickle=False)


_WRITERS: dict[Kind, Callable[[Path, Any, TargetModality], Any]] = {
    Kind.TEXT: _write_plain,
    Kind.POINTS: _write_plain,
    Kind.PICTURE: _write_picture,
    Kind.SOUND: _write_sound,
}
_READERS: dict[Kind, Callable[[Path, Any], Any]] = {
    Kind.TEXT: lambda folder, value: value,
    Kind.POINTS: _read_points,
    Kind.PICTURE: lambda folder, name: image_ops.read(folder / name),
    Kind.SOUND: _read_sound,
}
