"""Server-sent events: one line of JSON each."""

import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.responses import StreamingResponse


async def stream(
    events: AsyncIterator[Any], failed: Callable[[Exception], Any], end: str = ""
) -> StreamingResponse:
    """Returns the response that sends events as they come.

    What goes wrong before the first is raised, so that it gets a status of its own; what goes wrong later is an event.

    Args:
      events: What to send, each as JSON.
      failed: What to send of an error.
      end: A last event, as it is.
    """
    first = await anext(events)

    async def lines() -> AsyncIterator[str]:
        async with contextlib.aclosing(events):
            yield _line(first)
            try:
                async for event in events:
                    yield _line(event)
            except Exception as error:
                yield _line(failed(error))
            if end:
                yield f"data: {end}\n\n"

    return StreamingResponse(lines(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})


def _line(event: Any) -> str:
    return f"data: {json.dumps(event)}\n\n"
