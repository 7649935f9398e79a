"""The web application: its own interface, a part of OpenAI's, health, metrics and the page."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from unified_io.api import UnifiedIO
from unified_io.serve import failures, native, openai
from unified_io.serve.asking import Asking
from unified_io.serve.body import Body
from unified_io.serve.limits import Limits
from unified_io.serve.metrics import Metrics

_PAGE = Path(__file__).with_name("page")
_ROUTES = {
    ("POST", "/v1/generate"): native.generate,
    ("GET", "/v1/model"): native.describe,
    ("GET", "/v1/models"): openai.models,
    ("POST", "/v1/chat/completions"): openai.chat,
    ("POST", "/v1/images/generations"): openai.pictures,
    ("POST", "/v1/audio/speech"): openai.speech,
}
_GONE = 499  # nobody reads it; it is counted

Handler = Callable[[Asking, Body], Awaitable[Response]]


def make_app(
    model: UnifiedIO, name: str, limits: Limits = Limits(), hosts: Sequence[str] | None = None
) -> Starlette:
    """Returns the application that answers for a model.

    Args:
      model: The model.
      name: What it is called.
      limits: What a request may cost.
      hosts: Names under which it may be asked; None is any. A server for this machine alone takes its names only, else
        a page that somebody looks at could call it by a name of its own.
    """
    asking = Asking(model, name, limits)
    metrics = Metrics(asking.batcher)

    def endpoint(path: str, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            begun = time.perf_counter()
            try:
                _check_origin(request, hosts)
                # All of it first: who listens whether a client hangs up would take its words away.
                body = await Body.read(request, limits) if request.method == "POST" else Body({})
                response = await _while_listening(request, handler(asking, body))
            except ClientDisconnect:
                response = Response(status_code=_GONE)
            except Exception as error:
                response = failures.respond(error)
            metrics.answers.labels(path, response.status_code).inc()
            metrics.seconds.labels(path).observe(time.perf_counter() - begun)
            return response

        return answer

    async def health(request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def counted(request: Request) -> Response:
        return PlainTextResponse(metrics.text())

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(asking.batcher.close, limits.grace_s)

    routes = [
        Route(path, endpoint(path, handler), methods=[method]) for (method, path), handler in _ROUTES.items()
    ]
    page = [Mount("/", StaticFiles(directory=_PAGE, html=True))]
    return Starlette(
        routes=[*routes, Route("/health", health), Route("/metrics", counted), *page], lifespan=lifespan
    )


def _check_origin(request: Request, hosts: Sequence[str] | None) -> None:
    """Keeps pages of other sites from asking in the name of who looks at them."""
    host, origin = request.headers.get("host", ""), request.headers.get("origin")
    if hosts is not None and request.url.hostname not in hosts:
        raise failures.Foreign(f"asked as {host!r}; this server answers as {' or '.join(hosts)}")
    if origin is not None and urlsplit(origin).netloc != host:
        raise failures.Foreign(f"a page of {origin} asks; only this server's own page may")


async def _while_listening(request: Request, answer: Awaitable[Response]) -> Response:
    """Waits for the answer, unless the client hangs up: then it is made no further."""
    task = asyncio.ensure_future(answer)
    try:
        while not task.done():
            await asyncio.wait([task], timeout=0.5)
            if not task.done() and await request.is_disconnected():
                return Response(status_code=_GONE)
        return task.result()
    finally:
        task.cancel()
