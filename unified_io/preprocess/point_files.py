"""Files of points and surfaces: PLY (text and binary), OBJ and NPY, told apart by what they begin with.

Only positions and faces are read. Faces of more than three corners become fans of triangles.
"""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from unified_io.errors import DataError
from unified_io.preprocess.sources import opened

MAX_POINTS = 10_000_000

_KINDS = {
    **{"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4"},
    **{"float": "f4", "double": "f8", "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2"},
    **{"int32": "i4", "uint32": "u4", "float32": "f4", "float64": "f8"},
}
_ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
_FACE_LISTS = ("vertex_indices", "vertex_index")
_MAX_LINE = 4096


class _Property(NamedTuple):
    """A number of an element, or a list of them with the kind of its length."""

    label: str
    kind: str
    length: str = ""


@dataclass(frozen=True)
class Surface:
    """Points, and the triangles between them; a cloud has none."""

    vertices: Float[np.ndarray, "n 3"]
    triangles: Int[np.ndarray, "m 3"]

    @classmethod
    def of(cls, vertices: Any, name: str, faces: Iterable[Sequence[int]] = ()) -> "Surface":
        """Checks vertices and faces that `name` holds, and cuts the faces in triangles.

        Raises:
          DataError: There is no point, too many, or one that is not finite; a face has a corner that is no point.
        """
        try:
            points = np.asarray(vertices, np.float32)
        except (TypeError, ValueError) as error:
            raise DataError(f"{name} holds no numbers: {error}; give points [n, 3]") from error
        if points.ndim != 2 or points.shape[1] < 3 or not len(points):
            raise DataError(f"{name} holds an array of {points.shape}; give one or more points, [n, 3]")
        _check_count(len(points), name)
        points = np.ascontiguousarray(points[:, :3])
        if bad := int((~np.isfinite(points)).any(axis=1).sum()):
            raise DataError(
                f"{name} has {bad} points of {len(points)} that are NaN or infinite; drop them first"
            )
        fans = [(face[0], *face[i : i + 2]) for face in faces for i in range(1, len(face) - 1)]
        triangles = np.array(fans, np.int64).reshape(-1, 3)
        if triangles.size and not 0 <= triangles.min() <= triangles.max() < len(points):
            raise DataError(
                f"{name} has a face with a corner {triangles.max()} or {triangles.min()}, but its points are 0 to "
                f"{len(points) - 1}; is the file complete?"
            )
        return cls(points, triangles)


def read_surface(value: Any) -> Surface:
    """Reads the path or the bytes of a PLY, OBJ or NPY file.

    Raises:
      DataError: It is missing, empty, broken, none of these, or without points.
    """
    with opened(value, "a point cloud") as (name, file):
        start = file.read(6)
        file.seek(0)
        if start.startswith(b"ply"):
            return _read_ply(file, name)
        if start == b"\x93NUMPY":
            return Surface.of(np.load(file, allow_pickle=False), name)
        return _read_obj(file, name)


def _read_obj(file: BinaryIO, name: str) -> Surface:
    vertices, faces = [], []
    for line in io.TextIOWrapper(file, "utf-8"):
        kind, *words = line.split("#")[0].split() or [""]
        if kind == "v":
            vertices.append([float(word) for word in words[:3]])
        elif kind == "f":
            corners = [int(word.split("/")[0]) for word in words]
            # counted from 1, or back from the last vertex so far
            faces.append([corner - 1 if corner > 0 else len(vertices) + corner for corner in corners])
    if not vertices:
        raise DataError(
            f"{name} has no line that begins with v; give a PLY, OBJ or NPY file with points in it"
        )
    return Surface.of(vertices, name, faces)


def _read_ply(file: BinaryIO, name: str) -> Surface:
    order, elements = _header(file, name)
    vertices, faces = None, []
    for element, count, properties in elements:
        _check_count(count, name)
        columns = _element(file, order, count, properties)
        if element == "vertex":
            if not columns.keys() >= set("xyz"):
                raise DataError(f"vertices of {name} have {', '.join(columns)}; x, y and z are needed")
            vertices = np.stack([np.asarray(columns[axis], np.float32) for axis in "xyz"], axis=1)
        elif element == "face":
            faces = next((columns[label] for label in _FACE_LISTS if label in columns), [])
    if vertices is None:
        raise DataError(f"{name} has no element vertex; give a file with points in it")
    return Surface.of(vertices, name, faces)


def _header(file: BinaryIO, name: str) -> tuple[str, list[tuple[str, int, list[_Property]]]]:
    """Reads up to end_header: byte order ("" for text), and each element's name, count and properties."""
    order, elements = None, []
    while (line := file.readline(_MAX_LINE).decode("ascii").split()) != ["end_header"]:
        match line:
            case ["format", kind, _]:
                if kind not in _ORDERS:
                    raise DataError(f"{name} is a PLY of format {kind!r}; known are {', '.join(_ORDERS)}")
                order = _ORDERS[kind]
            case ["element", element, count]:
                elements.append((element, int(count), []))
            case ["property", "list", length, kind, label]:
                elements[-1][2].append(_Property(label, _KINDS[kind], _KINDS[length]))
            case ["property", kind, label]:
                elements[-1][2].append(_Property(label, _KINDS[kind]))
            case ["ply"] | ["comment" | "obj_info", *_]:
                pass
            case _:
                raise DataError(f"{name} has {' '.join(line)!r} in its PLY header; is the file complete?")
    if order is None:
        raise DataError(f"{name} is a PLY whose header names no format; is the file complete?")
    return order, elements


def _element(file: BinaryIO, order: str, count: int, properties: list[_Property]) -> dict[str, Any]:
    """Reads one element: a column of numbers for each property, or of arrays where it is a list."""
    if any(p.length for p in properties):
        row = _text_row if order == "" else _binary_row
        rows = [row(file, order, properties) for _ in range(count)]
        return {p.label: [values[i] for values in rows] for i, p in enumerate(properties)}
    if order == "":
        table = np.array([file.readline().split() for _ in range(count)], np.float64).reshape(
            count, len(properties)
        )
        return {p.label: table[:, i] for i, p in enumerate(properties)}
    kind = np.dtype([(p.label, order + p.kind) for p in properties])
    table = np.frombuffer(_exactly(file, kind.itemsize * count), kind)
    return {p.label: table[p.label] for p in properties}


def _binary_row(file: BinaryIO, order: str, properties: list[_Property]) -> list[np.ndarray]:
    def take(kind: str, count: int) -> np.ndarray:
        dtype = np.dtype(order + kind)
        return np.frombuffer(_exactly(file, dtype.itemsize * count), dtype)

    return [take(p.kind, int(take(p.length, 1)[0]) if p.length else 1) for p in properties]


def _text_row(file: BinaryIO, order: str, properties: list[_Property]) -> list[np.ndarray]:
    words = iter(file.readline().split())

    def take(count: int) -> np.ndarray:
        return np.array([next(words) for _ in range(count)], np.float64)

    return [take(int(take(1)[0]) if p.length else 1) for p in properties]


def _exactly(file: BinaryIO, size: int) -> bytes:
    here = file.tell()
    if not 0 <= size <= file.seek(0, io.SEEK_END) - here:
        raise ValueError(f"{size} bytes wanted at {here}, the file ends")
    file.seek(here)
    return file.read(size)


def _check_count(count: int, name: str) -> None:
    if not 0 <= count <= MAX_POINTS:
        raise DataError(f"{name} has {count} points or faces; the most is {MAX_POINTS}: sample fewer")
