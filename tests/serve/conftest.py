"""A server on loopback that the tests share, of a model of random numbers: what it answers means nothing."""

import threading
import time

import pytest
import uvicorn
from tiny import tiny_model

from unified_io import api
from unified_io.serve.app import make_app
from unified_io.serve.limits import Limits

LIMITS = Limits(
    body_bytes=200_000, pixels=10_000, seconds=3.0, characters=400, waiting=6, slots=2, timeout_s=120.0
)


class Serving:
    """An application behind a port of this machine, while a `with` lasts."""

    def __init__(self, app):
        self._server = uvicorn.Server(
            uvicorn.Config(app, port=0, log_level="warning", timeout_graceful_shutdown=20)
        )
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def __enter__(self) -> str:
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive(), "the server did not start"
            time.sleep(0.02)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    def __exit__(self, *_):
        self._server.should_exit = True
        self._thread.join(30)
        assert not self._thread.is_alive()


@pytest.fixture(scope="session")
def model() -> api.UnifiedIO:
    """Reads and writes everything."""
    return tiny_model()


@pytest.fixture(scope="session")
def url(model) -> str:
    """Where a server answers."""
    with Serving(make_app(model, "tiny", LIMITS, ("127.0.0.1", "localhost"))) as url:
        yield url
