"""Our own records: TFRecord or ArrayRecord files of msgpack, which holds pictures, sounds, boxes and texts as they are.

What is written is what `record.pack` makes of a record; no code is ever run to read it.
"""

import dataclasses
import functools
import itertools
import struct
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from data_tasks.sources.record import pack, unpack
from data_tasks.sources.shards import Sharded, Stamp, written
from data_tasks.sources.stored import Record
from unified_io.errors import ConfigError, DataError

_MOST = 2**30  # bytes of a record
_SHARD = 2**28  # bytes of a file; the next record begins another one
_HEAD, _FOOT = 12, 4  # around every record: its length and the check sum of that, the check sum of the record
_TABLE = [
    functools.reduce(lambda crc, _: (crc >> 1) ^ (0x82F63B78 * (crc & 1)), range(8), byte)
    for byte in range(256)
]


@dataclasses.dataclass(frozen=True)
class Records(Sharded):
    """Records of our own, found by their number.

    Attributes:
      pattern: Files of a split below the dataset's folder; .tfrecord, or .array_record where that is installed. With a
        * in it, writing begins another file every 256 MiB.
    """

    pattern: str = "{split}-*.tfrecord"

    def count(self, path: Path, stamp: Stamp) -> int:
        if _is_array(path):
            return _ask(path, lambda reader: reader.num_records())
        return len(_places(path, stamp))

    def read(self, path: Path, stamp: Stamp, index: int) -> Record:
        if _is_array(path):
            stored = _ask(path, lambda reader: reader.read([index])[0])
        else:
            at, length = map(int, _places(path, stamp)[index])
            with open(path, "rb") as file:
                file.seek(at)
                stored = file.read(length)
        try:
            record = unpack(stored)
        except Exception as error:  # msgpack fails on bad bytes in many ways
            raise DataError(f"record {index} of {path} is none of ours ({error}); write it again") from error
        if not isinstance(record, dict):
            raise DataError(f"record {index} of {path} is {type(record).__name__}, wanted a dictionary")
        return record

    def write(self, folder: Path, split: str, records: Iterable[Record]) -> None:
        name = self.pattern.format(split=split)
        packed = (pack(_lists(record)) for record in records)
        for number, shard in enumerate(_shards(packed) if "*" in name else [packed]):
            path = folder / name.replace("*", f"{number:05d}")
            with written(path) as part:
                (_write_array if _is_array(path) else _write_tfrecord)(part, shard)


def _shards(packed: Iterable[bytes]) -> Iterator[Iterator[bytes]]:
    """Shares records out to files; at least one, be it empty."""
    rest = iter(packed)

    def one(first: list[bytes]) -> Iterator[bytes]:
        size = 0
        for stored in itertools.chain(first, rest):
            yield stored
            size += len(stored)
            if size >= _SHARD:
                return

    first = list(itertools.islice(rest, 1))
    while True:
        yield one(first)
        if not (first := list(itertools.islice(rest, 1))):
            return


def _write_tfrecord(path: Path, packed: Iterable[bytes]) -> None:
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(path)) as writer:
        for stored in packed:
            writer.write(stored)


@functools.lru_cache(maxsize=4096)
def _places(path: Path, stamp: Stamp) -> np.ndarray:
    """Where the records of a TFRecord file begin, and how long they are: [records, 2].

    Raises:
      DataError: A length is damaged, or the file is cut off.
    """
    places, at, size = [], 0, stamp[1]
    with open(path, "rb") as file:
        while at < size:
            file.seek(at)
            head = file.read(_HEAD)
            number = len(places)
            if len(head) < _HEAD:
                raise DataError(f"{path} is cut off in the head of record {number}; get it again")
            length, sum_of_length = struct.unpack("<QI", head)
            if _masked(_crc(head[:8])) != sum_of_length:
                raise DataError(
                    f"{path} is damaged at record {number}, byte {at}, or is no TFRecord; get it again"
                )
            if length > _MOST or at + _HEAD + length + _FOOT > size:
                raise DataError(f"{path} is cut off in record {number}, or it is longer than {_MOST} bytes")
            places.append((at + _HEAD, length))
            at += _HEAD + length + _FOOT
    return np.array(places, np.int64).reshape(-1, 2)


def _crc(data: bytes) -> int:
    """CRC-32C, the check sum of TFRecord."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def _masked(crc: int) -> int:
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _is_array(path: Path) -> bool:
    return ".array_record" in path.name


def _module() -> Any:
    try:
        from array_record.python import array_record_module
    except ImportError as error:
        raise ConfigError(
            "reading .array_record needs: pip install array_record; or write .tfrecord"
        ) from error
    return array_record_module


def _ask(path: Path, question: Callable[[Any], Any]) -> Any:
    """Opens an ArrayRecord file for one question; what is wrong with it, its reader may only say when it is closed.

    Raises:
      DataError: The file is none.
    """
    module = _module()
    try:
        reader = module.ArrayRecordReader(str(path))
        answer = question(reader)
        reader.close()
    except (RuntimeError, ValueError, IndexError) as error:
        raise DataError(f"{path} can not be read as ArrayRecord: {error}; get it again") from error
    return answer


def _write_array(path: Path, packed: Iterable[bytes]) -> None:
    writer = _module().ArrayRecordWriter(str(path), "group_size:1")
    for stored in packed:
        writer.write(stored)
    writer.close()


def _lists(value: Any) -> Any:
    """A record with lists for tuples, which msgpack does not know."""
    if isinstance(value, dict):
        return {str(key): _lists(one) for key, one in value.items()}
    return [_lists(one) for one in value] if isinstance(value, list | tuple) else value
