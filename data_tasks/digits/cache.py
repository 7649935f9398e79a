"""Arrays that were expensive once, kept as .npz files named after everything they depend on."""

import contextlib
import hashlib
import json
import os
import uuid
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np


def cached(
    folder: str | os.PathLike | None,
    name: str,
    depends_on: Mapping[str, object],
    build: Callable[[], dict[str, np.ndarray]],
) -> dict[str, np.ndarray]:
    """Returns `build()`, or what it returned last time from a file.

    Args:
      folder: Where the files lie; made if absent. None builds every time.
      name: Start of the file's name.
      depends_on: Everything the arrays depend on, as JSON values; another value is another file.
      build: Makes the arrays. No object arrays: nothing is pickled.
    """
    if folder is None:
        return build()
    key = hashlib.sha256(json.dumps(depends_on, sort_keys=True).encode()).hexdigest()[:16]
    path = Path(folder) / f"{name}-{key}.npz"
    # A file that another process is replacing, or that a full disk cut short, is built anew.
    with (
        contextlib.suppress(FileNotFoundError, zipfile.BadZipFile, EOFError, ValueError),
        np.load(path) as stored,
    ):
        return dict(stored)
    arrays = build()
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.stem}-{uuid.uuid4().hex}.part")
    try:
        with part.open("xb") as file:
            np.savez(file, **arrays)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return arrays


def code(*modules: str) -> str:
    """Returns a digest of source files, so that arrays made by older code are not used."""
    return hashlib.sha256(b"".join(Path(module).read_bytes() for module in modules)).hexdigest()
