"""`unified-io serve`: a trained model over HTTP."""

import argparse
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from unified_io.errors import ConfigError
from unified_io.serve.limits import Limits

MEANING = "answer over HTTP: its own interface, a part of OpenAI's, and a page to play with"
LOOPBACK = ("127.0.0.1", "localhost")
LIMITS = {
    "body_bytes": "bytes of a request",
    "pixels": "pixels of a picture",
    "seconds": "seconds of a sound",
    "characters": "characters of a text",
    "waiting": "requests that wait; one more is answered 429",
    "slots": "requests of one kind that are written at once",
    "timeout_s": "seconds until a request has to be answered",
    "grace_s": "seconds that requests have to end when the server is told to stop",
}


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Adds what it takes."""
    add = parser.add_argument
    add("--model_dir", "--checkpoint", required=True, metavar="FOLDER", help="folder of a trained model")
    add(
        "--vocoder",
        metavar="PATH",
        help="speak with this HiFi-GAN: weights, or the folder of one trained here",
    )
    add("--name", help="what the model is called; without, the name of its folder")
    add("--host", default="127.0.0.1", help="address to listen at; 0.0.0.0 lets other machines in")
    add("--port", type=int, default=8000, help="port to listen at; 0 takes one that is free")
    for field in dataclasses.fields(Limits):
        add(f"--{field.name}", type=type(field.default), default=field.default, help=LIMITS[field.name])


def run(args: argparse.Namespace) -> None:
    """Loads the model and answers until it is told to stop."""
    limits = Limits(**{name: getattr(args, name) for name in LIMITS})
    answer(args.model_dir, args.vocoder, args.name, args.host, args.port, limits)


def answer(
    model_dir: str,
    vocoder: str | None,
    name: str | None,
    host: str,
    port: int,
    limits: Limits,
    ready: Callable[[str], Any] = lambda url: None,
) -> None:
    """Loads a model and answers until it is told to stop; `ready` is called with the address of the page."""
    if not Path(model_dir).is_dir():
        raise ConfigError(f"no model in {model_dir!r}; give the --model_dir of a trained run")
    try:
        import uvicorn

        from unified_io.serve.app import make_app
    except ImportError as error:
        raise ConfigError(
            f'{error.name} is missing; install it with pip install "unified-io[serve]"'
        ) from error
    from unified_io import api

    class Server(uvicorn.Server):
        """Says where it answers as soon as it does."""

        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            if self.servers:
                url = f"http://{host}:{self.servers[0].sockets[0].getsockname()[1]}/"
                print(f"the page is at {url} ; Ctrl-C stops", flush=True)
                ready(url)

    model = api.from_pretrained(model_dir, vocoder=vocoder)
    hosts = LOOPBACK if host in LOOPBACK else None
    app = make_app(model, name or Path(model_dir).resolve().name, limits, hosts)
    grace = round(limits.grace_s)
    Server(
        uvicorn.Config(app, host=host, port=port, log_level="warning", timeout_graceful_shutdown=grace)
    ).run()
