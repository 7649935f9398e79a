"""An application behind a port of loopback, for tests of a server."""

import threading
import time

import uvicorn


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
