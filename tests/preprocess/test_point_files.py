"""Files of points and surfaces: each format says the same, and what is broken is an error that names the file."""

import io

import numpy as np
import pytest

from unified_io.errors import DataError
from unified_io.preprocess.point_files import read_surface

VERTICES = np.float32([[0, 0, 0], [1, 0.5, 0], [1, 1, -2.25], [0, 1, 0], [5, 5, 5]])
TRIANGLES = [[0, 1, 2], [0, 2, 3], [1, 2, 4]]
HEADER = (
    "ply\nformat {} 1.0\ncomment by hand\nelement camera 1\nproperty double fov\nelement vertex 5\nproperty uchar red\n"
    "property float x\nproperty float y\nproperty double z\nelement face 2\nproperty list uchar int vertex_indices\n"
    "property short flags\nend_header\n"
)


def binary_ply(order, name):
    body = np.array([1.5], order + "f8").tobytes()
    for x, y, z in VERTICES:
        body += b"\x07" + np.array([x, y], order + "f4").tobytes() + np.array([z], order + "f8").tobytes()
    for face in ([0, 1, 2, 3], [1, 2, 4]):
        body += (
            bytes([len(face)])
            + np.array(face, order + "i4").tobytes()
            + np.array([9], order + "i2").tobytes()
        )
    return HEADER.format(name).encode() + body


def text_ply():
    lines = ["1.5"] + [f"7 {x} {y} {z}" for x, y, z in VERTICES] + ["4 0 1 2 3 9", "3 1 2 4 9"]
    return (HEADER.format("ascii") + "\n".join(lines) + "\n").encode()


def obj():
    lines = ["# by hand", "mtllib a.mtl"] + [f"v {x} {y} {z} 0.1 0.2 0.3" for x, y, z in VERTICES]
    return "\n".join([*lines, "vn 0 0 1", "f 1/1/1 2//1 3 4 # a square", "f -4 -3 -1"]).encode()


FILES = {
    "ascii": text_ply(),
    "little": binary_ply("<", "binary_little_endian"),
    "big": binary_ply(">", "binary_big_endian"),
    "obj": obj(),
}


@pytest.mark.parametrize("kind", FILES)
def test_every_format_says_the_same(kind, tmp_path):
    path = tmp_path / "a.anything"
    path.write_bytes(FILES[kind])
    for surface in (read_surface(FILES[kind]), read_surface(path)):
        np.testing.assert_array_equal(surface.vertices, VERTICES)
        assert surface.triangles.tolist() == TRIANGLES


def test_points_without_faces():
    header = "ply\nformat binary_little_endian 1.0\nelement vertex 5\n"
    header += "property float x\nproperty float y\nproperty float z\nend_header\n"
    surface = read_surface(header.encode() + VERTICES.tobytes())
    np.testing.assert_array_equal(surface.vertices, VERTICES)
    assert surface.triangles.shape == (0, 3)


def npy(array, **options):
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def test_npy_with_colours_behind_the_positions():
    surface = read_surface(npy(np.concatenate([VERTICES, np.ones((5, 3))], axis=1)))
    np.testing.assert_array_equal(surface.vertices, VERTICES)
    assert surface.triangles.shape == (0, 3)


def cut(data, size):
    return data[: len(data) - size]


def ply(body, header="element vertex 1\nproperty float x\nproperty float y\nproperty float z\n"):
    return f"ply\nformat ascii 1.0\n{header}end_header\n{body}".encode()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is 0 bytes long"),
        (b"# nothing\n", "no line that begins with v"),
        (b"v 1 2\n", "can not be read|array of"),
        (b"v 0 0 0\nf 1 2 3\n", "a corner 2"),
        (b"v 0 0 0\nv 1 0 0\nf -3 1 2\n", "corner 1 or -1"),
        (b"\xff\xfe\x00\x01rubbish", "can not be read as a point cloud"),
        (cut(FILES["little"], 1), "the file ends"),
        (cut(FILES["little"], 60), "the file ends"),
        (cut(FILES["ascii"], 10), "can not be read"),
        (b"ply\nformat ascii 1.0\nelement vertex 1\n", "in its PLY header"),
        (b"ply\nelement vertex 0\nend_header\n", "names no format"),
        (b"ply\nformat gzip 1.0\nend_header\n", "of format 'gzip'"),
        (ply("0 0 nan\n"), "1 points of 1 that are NaN"),
        (
            ply("", "element vertex 0\nproperty float x\nproperty float y\nproperty float z\n"),
            r"array of \(0, 3\)",
        ),
        (ply("", ""), "no element vertex"),
        (ply("0\n", "element vertex 1\nproperty float s\n"), "vertices of .* have s; x, y and z"),
        (ply("", "element vertex 99999999\nproperty float x\n"), "99999999 points or faces"),
        (npy(np.array([{}]), allow_pickle=True), "can not be read"),
    ],
)
def test_broken_files_are_errors_that_name_the_file(data, message, tmp_path):
    path = tmp_path / "broken.ply"
    path.write_bytes(data)
    with pytest.raises(DataError, match=message) as error:
        read_surface(path)
    assert "broken.ply" in str(error.value)
