"""`unified-io demo`: the page of a trained model, in the browser."""

import argparse
import webbrowser

from unified_io.commands import serve
from unified_io.serve.limits import Limits

MEANING = "open the page of a trained model in the browser"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Adds what it takes."""
    add = parser.add_argument
    add("--model_dir", default="runs/digits", metavar="FOLDER", help="folder of a trained model")
    add("--port", type=int, default=0, help="port to listen at; 0 takes one that is free")


def run(args: argparse.Namespace) -> None:
    """Answers on this machine only, and opens the page."""
    serve.answer(args.model_dir, None, None, "127.0.0.1", args.port, Limits(), webbrowser.open)
