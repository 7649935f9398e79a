"""Errors as clients get them: a status, and JSON in the shape that OpenAI's clients read."""

import logging
from typing import Any

from starlette.responses import JSONResponse

from unified_io.errors import UnifiedIOError
from unified_io.serve.batcher import Busy, Closed
from unified_io.serve.inputs import TooLarge

_LOG = logging.getLogger(__name__)
_RETRY_S = 2


class NotFound(UnifiedIOError):
    """There is nothing of that name."""


class Foreign(UnifiedIOError):
    """A page of another site asks, or somebody by a name that is not this machine's."""


_KINDS: tuple[tuple[type[Exception], int, str], ...] = (
    (TooLarge, 413, "too_large"),
    (Busy, 429, "rate_limit_error"),
    (Closed, 503, "unavailable_error"),
    (NotFound, 404, "not_found_error"),
    (Foreign, 403, "permission_error"),
    (UnifiedIOError, 400, "invalid_request_error"),
    (TimeoutError, 504, "timeout_error"),
    (Exception, 500, "server_error"),
)


def respond(error: Exception) -> JSONResponse:
    """Returns the answer to a request that failed; what nobody foresaw is logged."""
    status = next(status for kind, status, _ in _KINDS if isinstance(error, kind))
    headers = {"Retry-After": str(_RETRY_S)} if status in (429, 503) else {}
    return JSONResponse(as_json(error), status, headers)


def as_json(error: Exception) -> dict[str, Any]:
    """Returns what a client is told; of what nobody foresaw only that it happened."""
    _, status, name = next(kind for kind in _KINDS if isinstance(error, kind[0]))
    if status == 500:
        _LOG.error("a request failed", exc_info=error)
        message = "something went wrong here; the log of the server says what"
    elif status == 504:
        message = "it took too long; ask for less, or raise --timeout_s of the server"
    else:
        message = str(error)
    return {"error": {"message": message, "type": name, "param": None, "code": None}}
