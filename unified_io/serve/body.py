"""The JSON of a request: read up to a limit, its entries told by name and type."""

import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from unified_io.errors import DataError
from unified_io.serve.inputs import TooLarge
from unified_io.serve.limits import Limits

_REQUIRED = object()


class BadBody(DataError):
    """The JSON is broken, or an entry of it is missing or of another type."""


class Body:
    """The entries of a request.

    Args:
      values: The JSON.
    """

    def __init__(self, values: Mapping[str, Any]):
        self.values = values

    @classmethod
    async def read(cls, request: Request, limits: Limits) -> "Body":
        """Reads a request.

        Raises:
          BadBody: It is no JSON object.
          TooLarge: It is larger than the limits; the rest is not read.
        """
        data = bytearray()
        async for part in request.stream():
            data += part
            if len(data) > limits.body_bytes:
                raise TooLarge(f"a request of more than {limits.body_bytes} bytes; send smaller media")
        try:
            values = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise BadBody(f"the request is no JSON ({error})") from error
        if not isinstance(values, dict):
            raise BadBody(f"the request is {_named(values)}; send a JSON object")
        return cls(values)

    def get(self, name: str, kind: type | tuple[type, ...], default: Any = _REQUIRED) -> Any:
        """Returns an entry.

        Raises:
          BadBody: It is missing and has no default, or is of another type.
        """
        value = self.values.get(name)
        if value is None:
            if default is _REQUIRED:
                raise BadBody(f"the request has no {name!r}")
            return default
        kinds = kind if isinstance(kind, tuple) else (kind,)
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            wanted = " or ".join(_NAMES[one] for one in kinds)
            raise BadBody(f"{name!r} is {_named(value)}; send {wanted}")
        return value


_NAMES = {
    str: "text",
    dict: "an object",
    list: "a list",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
}


def _named(value: Any) -> str:
    return _NAMES.get(type(value), "null")
