"""What a score depends on besides the model: two scores are only compared where all of it is the same.

Knows plain values; where they come from is for the caller to say.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from unified_io.errors import DataError


@dataclasses.dataclass(frozen=True)
class Fingerprint:
    """How a score came about.

    Attributes:
      task: Name of the task.
      metric: Name of the metric.
      prompt: `digest` of the wordings that examples were asked with.
      decoding: How answers were made, such as temperature, top_p, beams and seed.
      preprocessing: What examples went through, such as sizes and lengths.
      data: `digest` of the examples that were scored, in order.
      version: Version of the code that made the examples and the score.
    """

    task: str
    metric: str
    prompt: str
    decoding: Mapping[str, Any]
    preprocessing: Mapping[str, Any]
    data: str
    version: str

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value, wanted = getattr(self, field.name), Mapping if field.name in _MAPPINGS else str
            if not isinstance(value, wanted):
                kind = "names with values" if wanted is Mapping else "text"
                raise DataError(f"field {field.name} of a fingerprint is {value!r}, wanted {kind}")
            if wanted is Mapping:
                object.__setattr__(self, field.name, _plain(field.name, value))

    def to_json(self) -> str:
        """Returns it as one line of JSON; equal fingerprints give equal lines."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @property
    def short(self) -> str:
        """Twelve characters that stand for it in tables."""
        return digest([self.to_json()])[:12]


_MAPPINGS = ("decoding", "preprocessing")


def from_json(line: str) -> Fingerprint:
    """Reads what `to_json` wrote.

    Raises:
      DataError: It is no JSON, or a field is missing, unknown or of the wrong kind.
    """
    try:
        fields = json.loads(line)
    except ValueError as error:
        raise DataError(f"a fingerprint is no JSON ({error}); run the evaluation again") from error
    known = {field.name for field in dataclasses.fields(Fingerprint)}
    if not isinstance(fields, dict) or fields.keys() != known:
        named = sorted(fields) if isinstance(fields, dict) else fields
        raise DataError(
            f"a fingerprint has {named!r}, wanted {sorted(known)}; run the evaluation again with this version"
        )
    return Fingerprint(**fields)


def difference(first: Fingerprint, second: Fingerprint) -> list[str]:
    """Returns what keeps two scores from being compared, in words; nothing where they may be.

    ["decoding.temperature is 0.0 in the first and 1.0 in the second", "other examples (data)"]
    """
    found = []
    for field in dataclasses.fields(Fingerprint):
        mine, yours = getattr(first, field.name), getattr(second, field.name)
        if field.name not in _HASHED:
            found += _differences(field.name, mine, yours)
        elif mine != yours:
            found.append(_HASHED[field.name])
    return found


def digest(parts: Iterable[str | bytes]) -> str:
    """Returns a hash of texts or bytes in order; no two lists that differ have the same one."""
    total = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        total.update(len(content).to_bytes(8, "big") + content)
    return total.hexdigest()


_HASHED = {"prompt": "other wordings (prompt)", "data": "other examples (data)"}
_ABSENT = object()


def _differences(path: str, mine: Any, yours: Any) -> list[str]:
    if isinstance(mine, dict) and isinstance(yours, dict):
        keys = sorted(mine.keys() | yours.keys())
        pairs = [(key, mine.get(key, _ABSENT), yours.get(key, _ABSENT)) for key in keys]
        return [line for key, a, b in pairs for line in _differences(f"{path}.{key}", a, b)]
    if mine is not _ABSENT and yours is not _ABSENT and mine == yours:
        return []
    return [f"{path} is {_shown(mine)} in the first and {_shown(yours)} in the second"]


def _shown(value: Any) -> str:
    return "not set" if value is _ABSENT else json.dumps(value)


def _plain(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a copy in JSON's own values, so that one read from a file equals one that was made."""
    try:
        return json.loads(json.dumps(dict(values), sort_keys=True, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise DataError(
            f"field {name} of a fingerprint is {values!r}, which is no JSON ({error}); "
            "give numbers, texts, lists and names"
        ) from error
