"""Many requests from one file: JSON lines in, JSON lines and media out; what was stopped goes on where it was."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from unified_io.commands.progress import Progress
from unified_io.errors import DataError, UnifiedIOError

RESULTS = "results.jsonl"
_AT_ONCE = 16
_SUFFIX = {1: ".wav", 3: ".png"}  # by the axes of an output; text and points are written as they are

Write = Callable[[Path, Any, Any], None]


class Request(NamedTuple):
    """One line of the file.

    Attributes:
      line: Its number, from 1.
      output: What to make.
      inputs: By modality name.
      options: As in `Options`.
    """

    line: int
    output: str
    inputs: dict[str, Any]
    options: dict[str, Any]


def answer(
    model: Any, file: Path, out: Path, output: str, options: Mapping[str, Any], write: Mapping[str, Write]
) -> int:
    """Answers every line of a file; lines that an earlier call has answered are not answered again.

        {"text": "which digit is this?", "image": "seven.png"}  ->  {"line": 1, "output": "text", "value": "seven"}
        {"output": "image", "text": "a seven", "seed": 3}       ->  {"line": 2, "output": "image", "file": "000002.png"}

    Lines that follow each other and ask alike are computed at once.

    Args:
      model: The model.
      file: The requests; paths in it are relative to its folder.
      out: Folder for media and `results.jsonl`.
      output: What to make where a line does not say.
      options: That hold where a line does not say otherwise.
      write: How to write every kind of file, by suffix.

    Returns:
      How many lines could not be answered; `results.jsonl` says why, and the next call tries them again.

    Raises:
      DataError: The file is missing or a line is no JSON object; nothing has been answered then.
    """
    requests = list(_read(file, output, options))
    out.mkdir(parents=True, exist_ok=True)
    done, progress, failed = _answered(out / RESULTS), Progress(len(requests)), 0
    with open(out / RESULTS, "a", encoding="utf-8") as results:
        for group in _alike(requests):
            if not done.issuperset(request.line for request in group):
                for request, result in _group(model, group, out, write):
                    failed += "error" in result
                    if request.line not in done:
                        results.write(
                            json.dumps({"line": request.line, "output": request.output, **result}) + "\n"
                        )
                results.flush()
            progress(group[-1].line)
    return failed


def _group(
    model: Any, group: Sequence[Request], out: Path, write: Mapping[str, Write]
) -> Iterator[tuple[Request, dict[str, Any]]]:
    """Answers requests that ask alike; one that can not be read does not keep the others from an answer."""
    readable = []
    for request in group:
        try:
            model.read(request.inputs, request.output)
            readable.append(request)
        except UnifiedIOError as error:
            yield request, {"error": str(error)}
    if not readable:
        return
    try:
        inputs, (_, output, _, options) = [request.inputs for request in readable], group[0]
        made = model.generate_batch(inputs, output, **options)
    except UnifiedIOError as error:
        if len(readable) == 1:
            yield readable[0], {"error": str(error)}
        else:  # it may be about one of them
            for request in readable:
                yield from _group(model, [request], out, write)
        return
    for request, value in zip(readable, made, strict=True):
        suffix = _SUFFIX.get(np.ndim(value))
        if suffix is None:
            yield request, {"value": value if isinstance(value, str) else np.asarray(value).tolist()}
            continue
        name = f"{request.line:06d}{suffix}"
        write[suffix](out / name, value, model.config.target(output))
        yield request, {"file": name}


def _read(file: Path, output: str, options: Mapping[str, Any]) -> Iterator[Request]:
    from unified_io.api.options import OPTIONS  # which imports JAX

    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DataError(
            f"no requests in {str(file)!r} ({error.strerror}); give a file of JSON lines"
        ) from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
            if not isinstance(values, dict):
                raise ValueError("no object")
        except ValueError as error:
            raise DataError(
                f"line {number} of {str(file)!r} is no JSON object ({error}): {line[:60]!r}"
            ) from error
        wanted = values.pop("output", output)
        own = {name: values.pop(name) for name in list(values) if name in OPTIONS}
        inputs = {name: _placed(name, value, file.parent) for name, value in values.items()}
        yield Request(number, wanted, inputs, {**options, **own})


def _placed(name: str, value: Any, folder: Path) -> Any:
    """Paths are relative to the file that names them; lists are of them, or of numbers."""
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return [folder / one for one in value]
    if isinstance(value, list):
        return np.asarray(value, np.float32)
    return value if name == "text" or not isinstance(value, str) else folder / value


def _alike(requests: Sequence[Request]) -> Iterator[list[Request]]:
    """Groups of neighbours that differ in their inputs only: the same ones whatever has been answered."""
    group: list[Request] = []
    for request in requests:
        if group and (_kind(request) != _kind(group[-1]) or len(group) == _AT_ONCE):
            yield group
            group = []
        group.append(request)
    if group:
        yield group


def _kind(request: Request) -> Any:
    return request.output, sorted(request.inputs), request.options


def _answered(results: Path) -> set[int]:
    """Lines that have an answer; a last line that was being written when it stopped is cut off."""
    if not results.is_file():
        return set()
    text = results.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    found = [json.loads(line) for line in whole.splitlines()]
    answered = [one for one in found if "error" not in one]
    results.write_text("".join(json.dumps(one) + "\n" for one in answered), encoding="utf-8")
    return {one["line"] for one in answered}
