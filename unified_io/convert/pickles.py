"""Tensors out of files written by `torch.save`, without PyTorch and without running what a pickle asks for.

A pickle is a program. This reader runs it with four names in its world (ordered dicts and what rebuilds a tensor);
any other name stops it. Nothing else of the file is built or called, and what is built holds nothing that a program
could set. Members are read as they lie in the file, never unpacked, so none is larger than the file.
"""

import collections
import math
import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from unified_io.errors import CheckpointError

_DTYPES = {
    "FloatStorage": np.dtype("<f4"),
    "DoubleStorage": np.dtype("<f8"),
    "HalfStorage": np.dtype("<f2"),
    "BFloat16Storage": np.dtype(ml_dtypes.bfloat16),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
    "ShortStorage": np.dtype("<i2"),
    "CharStorage": np.dtype("i1"),
    "ByteStorage": np.dtype("u1"),
    "BoolStorage": np.dtype("?"),
}


MAX_ENTRIES = 1 << 16
_DEEPEST = 8  # dicts within dicts


class StoredTensor(NamedTuple):
    """A tensor that still lies in its file."""

    path: Path
    entry: str
    dtype: np.dtype
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    def read(self) -> np.ndarray:
        """Reads it.

        Raises:
          CheckpointError: The file holds fewer numbers than it says.
        """
        try:
            with zipfile.ZipFile(self.path) as archive:
                values = np.frombuffer(archive.read(_plain(archive, self.entry)), self.dtype)
        except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
            raise CheckpointError(f"{self.path}: {self.entry} can not be read ({error})") from error
        last = self.offset + sum((n - 1) * step for n, step in zip(self.shape, self.stride, strict=True))
        if 0 in self.shape:
            return np.zeros(self.shape, self.dtype)
        if min(self.offset, *self.stride, *self.shape) < 0 or last >= len(values):
            raise CheckpointError(
                f"{self.path}: {self.entry} has {len(values)} numbers, the tensor reaches to {last}"
            )
        if math.prod(self.shape) > len(values):
            raise CheckpointError(
                f"{self.path}: {self.entry} has {len(values)} numbers, the tensor repeats them to {self.shape}; save "
                "it as a tensor of its own (tensor.clone())"
            )
        steps = [step * self.dtype.itemsize for step in self.stride]
        return np.lib.stride_tricks.as_strided(values[self.offset :], self.shape, steps, writeable=False)


def open_tensors(path: str | Path) -> dict[str, StoredTensor]:
    """Returns the tensors of a file by name; dicts within dicts give dotted names, all that is no tensor is left out.

    Raises:
      CheckpointError: It is no file of `torch.save` (1.6 or later), or asks for something that is no tensor.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            entry = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
            with archive.open(_plain(archive, entry)) as file:
                tree = _Reader(file, path, entry.removesuffix("data.pkl")).load()
    except (zipfile.BadZipFile, StopIteration) as error:
        raise CheckpointError(
            f"{path} is not what torch.save writes since PyTorch 1.6; load it there and save it again as safetensors"
        ) from error
    # A program that is none fails in any way.
    except Exception as error:
        raise CheckpointError(f"{path} can not be read: {error}") from error
    named: dict[str, StoredTensor] = {}
    for seen, (name, value) in enumerate(_flat(tree, "")):
        if seen > MAX_ENTRIES:
            raise CheckpointError(f"{path} holds more than {MAX_ENTRIES} entries; is it a model?")
        if isinstance(value, StoredTensor):
            named[name] = value
    return named


def _plain(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    """Finds a member that lies in the archive as it is."""
    member = archive.getinfo(name)
    if member.compress_type != zipfile.ZIP_STORED:
        raise zipfile.BadZipFile(f"{name} is compressed, which torch.save never does")
    return member


class _Reader(pickle._Unpickler):
    """Python's own unpickler in Python: the one in C takes memory for as many entries as a file claims to have."""

    def __init__(self, file: Any, path: Path, root: str):
        super().__init__(file)
        self._path = path
        self._root = root

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if module == "torch._utils" and name in ("_rebuild_tensor_v2", "_rebuild_parameter"):
            return getattr(self, name)
        if module in ("torch", "torch.storage") and name in _DTYPES:
            return name
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is no tensor; it may be harmful")

    def persistent_load(self, pid: Any) -> Any:
        kind, dtype, key, *_ = pid
        if kind != "storage" or dtype not in _DTYPES or not (isinstance(key, str) and key.isalnum()):
            raise pickle.UnpicklingError("it refers to something that is no storage")
        return _DTYPES[dtype], f"{self._root}data/{key}"

    def _rebuild_tensor_v2(self, storage: Any, offset: int, shape: Any, stride: Any, *_: Any) -> StoredTensor:
        dtype, entry = storage
        numbers = (offset, *shape, *stride)
        if not isinstance(dtype, np.dtype) or not all(type(number) is int for number in numbers):
            raise pickle.UnpicklingError("it builds a tensor out of something that is none")
        return StoredTensor(self._path, entry, dtype, offset, tuple(shape), tuple(stride))

    def _rebuild_parameter(self, tensor: StoredTensor, *_: Any) -> StoredTensor:
        return tensor


def _flat(tree: Any, name: str, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Yields everything in dicts within dicts, the dicts too: a small file may refer to one of them very often."""
    yield name, tree
    if isinstance(tree, dict) and depth < _DEEPEST:
        for key, value in tree.items():
            if isinstance(key, str | int):
                yield from _flat(value, f"{name}.{key}" if name else str(key), depth + 1)
