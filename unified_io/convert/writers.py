"""Tensors into files, one at a time: safetensors folders and T5X folders. Knows no names.

A folder appears when all of it is written; what lay there is replaced only then.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from unified_io.convert.stores import INDEX, TARGET
from unified_io.errors import CheckpointError

SHARD_BYTES = 1 << 30
_CHUNK_BYTES = 64 << 20

Reader = Callable[[str], np.ndarray]


def write_safetensors(
    folder: str | Path,
    shapes: Mapping[str, tuple[tuple[int, ...], np.dtype]],
    read: Reader,
    extra: Mapping[str, bytes],
    shard_bytes: int = SHARD_BYTES,
) -> None:
    """Writes a folder of safetensors: `model.safetensors`, or shards and their index.

    Args:
      folder: Where to; made if need be.
      shapes: Shape and dtype of every tensor.
      read: Returns one tensor; asked for each once, so no more than a shard is held at a time.
      extra: Other files by name, e.g. `config.json`.
      shard_bytes: The most bytes a file should hold.

    Raises:
      CheckpointError: The folder holds something else, or can not be written.
    """
    from safetensors.numpy import save_file

    shards = list(_shards(shapes, shard_bytes))
    with _Fresh(folder, ("*.safetensors", INDEX, *extra)) as fresh:
        files = {}
        for number, names in enumerate(shards, 1):
            many = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
            file = many if len(shards) > 1 else "model.safetensors"
            save_file(
                {name: np.asarray(read(name), order="C") for name in names},
                fresh / file,
                metadata={"format": "pt"},
            )
            (fresh / file).chmod(0o644)  # the library keeps it to its owner
            files |= dict.fromkeys(names, file)
        if len(shards) > 1:
            total = sum(_bytes(shape, dtype) for shape, dtype in shapes.values())
            index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(files.items()))}
            (fresh / INDEX).write_text(json.dumps(index, indent=2), encoding="utf-8")
        for name, content in extra.items():
            (fresh / name).write_bytes(content)


def write_t5x(
    folder: str | Path,
    shapes: Mapping[str, tuple[tuple[int, ...], np.dtype]],
    read: Reader,
    step: int = 0,
) -> None:
    """Writes a T5X checkpoint: a zarr array a parameter in folders `target.…`, and the msgpack file that lists them.

    Args:
      folder: Where to, best called `checkpoint_<step>`.
      shapes: Shape and dtype of every parameter, by dotted name.
      read: Returns one parameter; asked for each once.
      step: The step to note down.

    Source: the layout of T5X's checkpointer, version 3; without optimizer state, as the released models are fetched.
    """
    import tensorstore
    from flax import serialization

    target: dict[str, Any] = {}
    with _Fresh(folder, (f"{TARGET}*", "checkpoint")) as fresh:
        for name, (shape, dtype) in shapes.items():
            chunks = _chunks(shape, dtype)
            metadata = {"compressor": {"id": "gzip", "level": 1}, "shape": list(shape), "chunks": chunks}
            spec = {
                "driver": "zarr",
                "kvstore": {"driver": "file", "path": str(fresh / (TARGET + name))},
                "metadata": {**metadata, "dtype": "bfloat16" if dtype.name == "bfloat16" else dtype.str},
            }
            array = tensorstore.open(spec, create=True, open=True).result()
            array.write(np.ascontiguousarray(read(name))).result()
            *parents, leaf = name.split(".")
            node = target
            for parent in parents:
                node = node.setdefault(parent, {})
            store = {"driver": "file", "path": f"{TARGET}{name}/"}
            node[leaf] = {"driver": "zarr", "dtype": dtype.name, "kvstore": store, "metadata": metadata}
        state = {"step": np.int32(step), "param_states": {}}
        content = {"version": 3, "optimizer": {"target": target, "state": state}}
        (fresh / "checkpoint").write_bytes(serialization.msgpack_serialize(content))


def _shards(shapes: Mapping[str, tuple[tuple[int, ...], np.dtype]], limit: int) -> Iterator[list[str]]:
    names: list[str] = []
    held = 0
    for name, (shape, dtype) in shapes.items():
        size = _bytes(shape, dtype)
        if names and held + size > limit:
            yield names
            names, held = [], 0
        names.append(name)
        held += size
    yield names


def _bytes(shape: tuple[int, ...], dtype: np.dtype) -> int:
    return int(np.prod(shape, dtype=np.int64)) * dtype.itemsize


def _chunks(shape: tuple[int, ...], dtype: np.dtype) -> list[int]:
    """Halves the longest axis until a chunk is small enough."""
    chunks = list(shape)
    while _bytes(tuple(chunks), dtype) > _CHUNK_BYTES:
        longest = int(np.argmax(chunks))
        chunks[longest] = -(-chunks[longest] // 2)
    return chunks


class _Fresh:
    """A folder written aside and put in place when all went well; refuses to replace what is not a model."""

    def __init__(self, folder: str | Path, ours: tuple[str, ...]):
        self._folder = Path(folder).resolve()
        self._fresh = self._folder.with_name(f".{self._folder.name}.new")
        self._ours = ours

    def __enter__(self) -> Path:
        if self._folder.exists():
            known = {p for pattern in (*self._ours, *_ALSO) for p in self._folder.glob(pattern)}
            foreign = (
                sorted(p.name for p in self._folder.iterdir() if p not in known)
                if self._folder.is_dir()
                else [""]
            )
            if foreign:
                raise CheckpointError(
                    f"{self._folder} holds {foreign[0] or 'no folder'}, which is no part of a saved model; "
                    "choose another folder"
                )
        shutil.rmtree(self._fresh, ignore_errors=True)
        try:
            self._fresh.mkdir(parents=True)
        except OSError as error:
            raise CheckpointError(f"can not write beside {self._folder}: {error}") from error
        return self._fresh

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if error is not None:
            shutil.rmtree(self._fresh, ignore_errors=True)
            if isinstance(error, OSError):
                raise CheckpointError(f"can not write {self._folder}: {error}") from error
            return
        old = self._folder.with_name(f".{self._folder.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        if self._folder.exists():
            self._folder.rename(old)
        self._fresh.rename(self._folder)
        shutil.rmtree(old, ignore_errors=True)


# What an earlier save may have left beside: its description and its tokenizer.
_ALSO = ("config.json", "tokenizer.model", "*.safetensors", INDEX)
