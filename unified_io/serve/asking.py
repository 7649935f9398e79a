"""From a request to its answer: inputs laid out on a worker thread, written by the batcher, told as it comes."""

import asyncio
import functools
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool

from unified_io.api import UnifiedIO
from unified_io.api.streaming import Partial
from unified_io.serve.batcher import Batcher
from unified_io.serve.limits import Limits


class Asking:
    """A model that many ask at once.

    Args:
      model: The model.
      name: What it is called.
      limits: What a request may cost.
    """

    def __init__(self, model: UnifiedIO, name: str, limits: Limits):
        self.model, self.name, self.limits = model, name, limits
        self.born = int(time.time())
        self.batcher = Batcher(model.params, limits.slots, limits.waiting)

    async def answer(self, output: str, inputs: Mapping[str, Any], options: Mapping[str, Any]) -> Partial:
        """Returns the whole output; see `follow`."""
        async for partial in self.follow(output, inputs, options):
            if partial.done:
                return partial
        raise AssertionError("the last part is done")

    async def follow(
        self, output: str, inputs: Mapping[str, Any], options: Mapping[str, Any]
    ) -> AsyncIterator[Partial]:
        """Tells of an output while it is written. A part that comes while an earlier one is looked at is skipped.

        Leaving the iteration ends the writing.

        Raises:
          UnifiedIOError: The request can not be answered, or not now.
          TimeoutError: It took too long.
        """
        loop, events = asyncio.get_running_loop(), asyncio.Queue()
        deadline = loop.time() + self.limits.timeout_s
        call = await run_in_threadpool(self.model.prepare, output, **inputs, **options)
        tell = functools.partial(loop.call_soon_threadsafe, events.put_nowait)
        ticket = self.batcher.submit(call, tell)
        try:
            done = False
            while not done:
                event = await asyncio.wait_for(events.get(), max(0.0, deadline - loop.time()))
                while not events.empty():
                    event = events.get_nowait()
                if isinstance(event, Exception):
                    raise event
                done = event.done
                yield self.model.partial(call, event.tokens[None], event.count, done)
        finally:
            ticket.cancel()
