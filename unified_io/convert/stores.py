"""Tensors that lie in files, one at a time: safetensors folders, PyTorch pickles, T5X folders. Knows no names."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from unified_io.convert import pickles
from unified_io.errors import CheckpointError

INDEX, PICKLE_INDEX = "model.safetensors.index.json", "pytorch_model.bin.index.json"
TARGET, STATE = "target.", "state."
# Of the lists that say what a file or folder holds; those of the largest released model take less than a MiB.
MAX_LIST_BYTES = 16 << 20
MAX_TENSORS = 1 << 16
# Pages of a mapped file count as memory of ours until it is closed.
_REMAP_BYTES = 8 << 20


class Store(Protocol):
    """Named arrays that are read when asked for; `where` says where they lie, for messages."""

    where: str

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Returns the shape of every tensor by name, without reading one."""
        ...

    def read(self, name: str) -> np.ndarray:
        """Reads one tensor.

        Raises:
          CheckpointError: It can not be read; names file and tensor.
        """
        ...


def open_store(path: str | Path, *, allow_pickle: bool = False) -> Store:
    """Opens a folder or file of weights, of whatever kind it is.

    Args:
      path: A folder with safetensors (in one file or sharded), a T5X checkpoint, or one such file.
      allow_pickle: Also read PyTorch's `.bin`, `.pt` and `.pth`; see `pickles` for what that means.

    Raises:
      CheckpointError: There are no weights, or they are damaged.
    """
    path = Path(path)
    if is_t5x(path):
        return ZarrStore(path)
    if path.is_dir():
        if (path / INDEX).is_file():
            return SafetensorsStore(path, _index(path / INDEX))
        files = sorted(path.glob("*.safetensors"))
        if len(files) > 1:
            raise CheckpointError(
                f"{path} holds {len(files)} safetensors files and no {INDEX}; which belong together? add the index"
            )
        if not files and (path / PICKLE_INDEX).is_file():
            return PickleStore(
                [path / file for file in sorted(set(_index(path / PICKLE_INDEX).values()))], allow_pickle
            )
        files = files or sorted(path.glob("pytorch_model.bin"))
        if not files:
            raise CheckpointError(
                f"no weights in {path}: neither *.safetensors, nor pytorch_model.bin, nor target.* of a T5X checkpoint"
            )
        path = files[0]
    if not path.is_file():
        raise CheckpointError(f"no weights at {path}")
    if path.suffix == ".safetensors":
        return SafetensorsStore(path.parent, {name: path.name for name in _names(path)})
    return PickleStore([path], allow_pickle)


def is_t5x(path: Path) -> bool:
    """Whether a folder is a T5X checkpoint: it holds folders `target.…`."""
    return path.is_dir() and any(path.glob(f"{TARGET}*"))


class SafetensorsStore(Store):
    """The files of one folder, and which tensor lies in which."""

    def __init__(self, folder: Path, files: dict[str, str]):
        self.where = str(folder)
        self._folder = folder
        self._files = files
        self._open: tuple[str, Any] = ("", None)
        self._read_bytes = 0
        for file in sorted(set(files.values())):
            missing = sorted(
                {name for name, its in files.items() if its == file} - set(_names(folder / file))
            )
            if missing:
                raise CheckpointError(f"{folder / file} lacks {missing[0]}, which {INDEX} says it holds")

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {
            name: tuple(self._file(file).get_slice(name).get_shape())
            for name, file in sorted(self._files.items(), key=lambda item: item[1])
        }

    def read(self, name: str) -> np.ndarray:
        file = self._files[name]
        with _told(f"{self._folder / file}: {name}"):
            array = self._file(file).get_tensor(name)
        self._read_bytes += array.nbytes
        if self._read_bytes > _REMAP_BYTES:
            self._open, self._read_bytes = ("", None), 0
        return array

    def _file(self, file: str) -> Any:
        if self._open[0] != file:
            self._open = (file, _safe_open(self._folder / file))
        return self._open[1]


class PickleStore(Store):
    """Files written by `torch.save`; only tensors are built from them, and only if the caller agrees."""

    def __init__(self, paths: list[Path], allow_pickle: bool):
        if not allow_pickle:
            raise CheckpointError(
                f"{paths[0]} is a pickle; we read it without running anything in it, but only when told to: "
                "allow_pickle=True (--allow_pickle), or save it as safetensors first"
            )
        self.where = str(paths[0])
        self._tensors = {
            name: tensor for path in paths for name, tensor in pickles.open_tensors(path).items()
        }

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: tensor.shape for name, tensor in self._tensors.items()}

    def read(self, name: str) -> np.ndarray:
        return self._tensors[name].read()


class ZarrStore(Store):
    """A T5X checkpoint: a zarr array a parameter, in folders `target.…`. Optimizer state (`state.…`) is left out."""

    def __init__(self, folder: Path):
        self.where = str(folder)
        self._folder = folder.resolve()  # tensorstore takes no other path

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: tuple(self._array(name).shape) for name in self._names()}

    def read(self, name: str) -> np.ndarray:
        with _told(f"{self._folder / (TARGET + name)}"):
            return np.asarray(self._array(name).read().result())

    def _names(self) -> Iterator[str]:
        for path in sorted(self._folder.glob(f"{TARGET}*")):
            yield path.name.removeprefix(TARGET)

    def _array(self, name: str) -> Any:
        import tensorstore

        path = self._folder / (TARGET + name)
        spec = {
            "driver": "zarr",
            "kvstore": {"driver": "file", "path": str(path)},
            # a chunk that is not there is damage, not zeros
            "fill_missing_data_reads": False,
        }
        with _told(str(path)):
            array = tensorstore.open(spec, read=True).result()
        chunk = array.chunk_layout.read_chunk.shape
        if any(part > max(whole, 1) for part, whole in zip(chunk, array.shape, strict=True)):
            raise CheckpointError(
                f"{path} has chunks of {chunk}, larger than its array of {array.shape}; it is damaged"
            )
        return array


def read_json(path: Path) -> Any:
    """Reads a JSON file that describes weights.

    Raises:
      CheckpointError: It is larger than any such file, or no JSON.
    """
    if (size := path.stat().st_size) > MAX_LIST_BYTES:
        raise CheckpointError(
            f"{path} has {size} bytes; the most is {MAX_LIST_BYTES}: is it what its name says?"
        )
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is no JSON: {error}; is the download complete?") from error


def _index(path: Path) -> dict[str, str]:
    try:
        files = read_json(path)["weight_map"]
        outside = [file for file in files.values() if Path(file).name != file]
    except (KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path} is no index of files: {error!r}") from error
    if outside:
        raise CheckpointError(f"{path} points to {outside[0]!r}; only files beside it are read")
    return files


def _names(path: Path) -> list[str]:
    names = list(_safe_open(path).keys())
    if len(names) > MAX_TENSORS:
        raise CheckpointError(f"{path} holds {len(names)} tensors; the most is {MAX_TENSORS}: is it a model?")
    return names


def _safe_open(path: Path) -> Any:
    from safetensors import safe_open

    with _told(str(path)):
        with path.open("rb") as file:
            header = int.from_bytes(file.read(8), "little")
        if header > MAX_LIST_BYTES:
            raise CheckpointError(
                f"{path} says its header has {header} bytes; the most is {MAX_LIST_BYTES}: is it a safetensors file?"
            )
        # Checks that the header lies in the file, and that what it lists is the rest of it, without gap or overlap.
        return safe_open(str(path), framework="numpy")


class _told:
    """Turns whatever a library raises into a CheckpointError that starts with where it happened."""

    def __init__(self, where: str):
        self._where = where

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, Exception) and not isinstance(error, CheckpointError):
            raise CheckpointError(
                f"{self._where} can not be read ({error}); is the download complete?"
            ) from error
