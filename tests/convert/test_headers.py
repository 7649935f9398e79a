"""Headers of safetensors files, thousands of them, made to mislead: refused by name, or every tensor is in the file."""

import json
import random
import resource
import struct

import numpy as np
import pytest

from unified_io.convert import stores
from unified_io.errors import CheckpointError

HEADERS = 4_000
DATA = bytes(range(64))
SOUND = {
    "a": {"dtype": "F32", "shape": [2, 4], "data_offsets": [0, 32]},
    "b": {"dtype": "F16", "shape": [16], "data_offsets": [32, 64]},
}
DTYPES = ("F32", "F64", "F16", "BF16", "I64", "U8", "BOOL", "F8_E4M3", "O", "", "float32", 7, None)
NUMBERS = (
    0,
    1,
    2,
    4,
    16,
    32,
    64,
    65,
    -1,
    2**31,
    2**32,
    2**53,
    2**63 - 1,
    2**63,
    2**64,
    10**30,
    1.5,
    "4",
    None,
    [],
)


def write(path, header, length=None, data=DATA):
    path.unlink(missing_ok=True)  # a file written over is flushed to the disk first
    path.write_bytes(struct.pack("<Q", len(header) if length is None else length) + header + data)
    return path


def spoiled(rng):
    """A header with a few of its values replaced, and the length it claims."""
    header = json.loads(json.dumps(SOUND))
    for _ in range(rng.randint(1, 3)):
        entry = header[rng.choice("ab")]
        match rng.randrange(8):
            case 0:
                entry["dtype"] = rng.choice(DTYPES)
            case 1:
                entry["shape"] = [rng.choice(NUMBERS) for _ in range(rng.choice((0, 1, 2, 3, 70)))]
            case 2:
                entry["data_offsets"] = [rng.choice(NUMBERS) for _ in range(rng.choice((0, 1, 2, 2, 2, 3)))]
            case 3:
                entry["shape"], entry["data_offsets"] = rng.choice((None, 4, "8", {})), [0, 64]
            case 4:
                header[rng.choice(("c", "__metadata__", "", "a\0b"))] = rng.choice(
                    (entry, {}, {"x": 1}, [], None)
                )
            case 5:
                entry.pop(rng.choice(list(entry)), None)
                entry.setdefault("data_offsets", [0, 32])
            case _:  # another reading of the same bytes
                dtype, size = rng.choice((("U8", 1), ("F16", 2), ("BF16", 2), ("F32", 4), ("I64", 8)))
                header["a"] = {"dtype": dtype, "shape": [32 // size, 1], "data_offsets": [0, 32]}
    text = json.dumps(header).encode()
    if rng.random() < 0.2:  # and bytes of the text itself
        place = rng.randrange(len(text))
        text = text[:place] + rng.randbytes(rng.randrange(3)) + text[place + rng.randrange(3) :]
    lengths = (*[None] * 10, len(text) - 1, len(text) + 1, len(text) + 64, 0, 2**24, 2**63, 2**64 - 1)
    return text, rng.choice(lengths)


def test_a_header_that_misleads_is_refused_or_harmless(tmp_path):
    rng, read = random.Random(0), 0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(HEADERS):
        header, length = spoiled(rng)
        path = write(tmp_path / "x.safetensors", header, length)
        try:
            store = stores.open_store(path)
            arrays = [store.read(name) for name in store.shapes()]
        except CheckpointError as error:
            assert "x.safetensors" in str(error)
        else:
            read += 1
            assert sum(array.nbytes for array in arrays) <= len(DATA)
    assert HEADERS / 100 < read < HEADERS / 2, "the headers are all good, or all bad in the same way"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10, "KiB"


def test_the_sound_header_is_read(tmp_path):
    store = stores.open_store(write(tmp_path / "x.safetensors", json.dumps(SOUND).encode()))
    assert store.read("a").tobytes() + store.read("b").tobytes() == DATA


@pytest.mark.parametrize(
    "change, words",
    [
        ({"a": {"dtype": "F32", "shape": [3, 4], "data_offsets": [0, 32]}}, "invalid"),
        ({"a": {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 32]}}, "overflow"),
        ({"a": {"dtype": "F32", "shape": [8], "data_offsets": [0, 2**40]}}, "invalid"),
        ({"b": {"dtype": "F16", "shape": [16], "data_offsets": [0, 32]}}, "invalid"),
        ({"b": {"dtype": "F16", "shape": [8], "data_offsets": [48, 64]}}, "invalid"),
        ({"c": {"dtype": "F16", "shape": [0], "data_offsets": [64, 66]}}, "invalid"),
    ],
    ids=["bytes of shape", "product of shape", "end of file", "overlap", "gap", "empty with bytes"],
)
def test_what_a_header_lists_is_the_file_without_gap_or_overlap(tmp_path, change, words):
    with pytest.raises(CheckpointError, match=words):
        stores.open_store(write(tmp_path / "x.safetensors", json.dumps(SOUND | change).encode()))


def test_a_header_is_not_read_that_is_larger_than_any(tmp_path):
    path = write(tmp_path / "x.safetensors", b"{}", stores.MAX_LIST_BYTES + 1, b"")
    with path.open("r+b") as file:
        file.truncate(stores.MAX_LIST_BYTES + 100)
    with pytest.raises(CheckpointError, match=f"its header has {stores.MAX_LIST_BYTES + 1} bytes"):
        stores.open_store(path)


def test_a_header_has_so_many_tensors_and_no_more(tmp_path, monkeypatch):
    monkeypatch.setattr(stores, "MAX_TENSORS", 3)
    empty = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    for count in (3, 4):
        path = write(
            tmp_path / f"{count}.safetensors",
            json.dumps({f"{n}": empty for n in range(count)}).encode(),
            data=b"",
        )
        if count == 3:
            assert len(stores.open_store(path).shapes()) == 3
        else:
            with pytest.raises(CheckpointError, match="holds 4 tensors; the most is 3"):
                stores.open_store(path)


def test_a_tensor_of_more_axes_than_numpy_has_is_refused_when_read(tmp_path):
    many = {"a": {"dtype": "F32", "shape": [1] * 5_000 + [16], "data_offsets": [0, 64]}}
    store = stores.open_store(write(tmp_path / "x.safetensors", json.dumps(many).encode()))
    with pytest.raises(CheckpointError, match="a can not be read"):
        store.read("a")
    assert np.prod(store.shapes()["a"]) == 16
