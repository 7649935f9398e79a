"""The server's own interface: any inputs, any output, whole or as it comes."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from unified_io.api.streaming import Partial
from unified_io.serve.asking import Asking
from unified_io.serve.body import Body
from unified_io.serve.events import stream
from unified_io.serve.failures import as_json as failure
from unified_io.serve.inputs import PICTURE, read_inputs, read_options
from unified_io.serve.outputs import as_json


async def generate(asking: Asking, body: Body) -> Response:
    """POST /v1/generate: {"output": "image", "inputs": {"text": …}, "options": {…}, "stream": false}."""
    output = body.get("output", str, "text")
    inputs = await run_in_threadpool(read_inputs, body.get("inputs", dict, {}), asking.limits)
    options = read_options(body.get("options", dict, {}))
    if not body.get("stream", bool, False):
        partial = await asking.answer(output, inputs, options)
        return JSONResponse(await run_in_threadpool(_shown, asking, output, inputs, partial))
    return await stream(_events(asking, output, inputs, options), failure)


async def describe(asking: Asking, body: Body) -> Response:
    """GET /v1/model: what it reads and writes, and how many tokens of what has a length."""
    config = asking.model.config
    return JSONResponse(
        {
            "name": asking.name,
            "inputs": [modality.name for modality in config.inputs],
            "outputs": [modality.name for modality in config.targets],
            "longest": {m.name: m.max_length for m in config.inputs if hasattr(m, "max_length")},
        }
    )


async def _events(asking: Asking, output: str, inputs: Any, options: Any) -> AsyncIterator[Any]:
    async with contextlib.aclosing(asking.follow(output, inputs, options)) as partials:
        async for partial in partials:
            yield await run_in_threadpool(_shown, asking, output, inputs, partial)


def _shown(asking: Asking, output: str, inputs: Mapping[str, Any], partial: Partial) -> dict[str, Any]:
    """A part of the answer; what a whole text says of places in the picture is told in its pixels, too."""
    boxes = []
    if partial.done and isinstance(partial.value, str) and PICTURE in inputs and asking.model.places_things:
        found = asking.model.boxes_in(partial.value, inputs[PICTURE])
        pairs = zip(found.boxes.tolist(), found.labels, strict=True)
        boxes = [{"box": box, "label": label} for box, label in pairs]
    return {
        "output": output,
        "value": as_json(partial.value, asking.model.config.target(output)),
        "tokens": partial.tokens,
        "of": partial.of,
        "boxes": boxes,
        "done": partial.done,
    }
