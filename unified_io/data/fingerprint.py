"""What a source holds, in a few numbers: enough to notice that it is another one than a run began with."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import seqio
import tensorflow as tf

from unified_io.errors import DataError

# Raw records that are looked at: the first ones, unshuffled.
_RECORDS = 4


def fingerprint(source: seqio.DataSource, split: str) -> dict[str, Any]:
    """Returns JSON values that change when the data of a source changes.

    `examples` is their number where the source knows it, `files` the number of its files or shards, `listing` a hash
    of their names and sizes, and `records` a hash of the first raw records. Of numbers with a fraction only mean and
    spread count, to three digits: another processor may round them otherwise.

    Raises:
      DataError: The source can not be read.
    """
    try:
        shards = source.list_shards(split)
        records = source.get_dataset(split=split, shuffle=False, seed=0)
        count = source.num_input_examples(split)
        if count is None and (known := int(records.cardinality())) >= 0:
            count = known
        content = [sorted(tf.nest.map_structure(_gist, record).items()) for record in _first(records)]
    except (OSError, ValueError, tf.errors.OpError) as error:
        raise DataError(f"split {split!r} can not be read: {error}; look at the source") from error
    return {
        "examples": count,
        "files": len(shards),
        "listing": _hash([_listed(shard) for shard in shards]),
        "records": _hash(content),
    }


def difference(was: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """Says in words how a fingerprint changed; None if it did not."""
    said = []
    for key in ("examples", "files"):
        if was[key] != now[key]:
            said.append(f"{key} were {_number(was[key])} and are {_number(now[key])}")
    if was["listing"] != now["listing"] and was["files"] == now["files"]:
        said.append("files have other names, sizes or another order")
    if was["records"] != now["records"]:
        said.append(f"the first records were {was['records']} and are {now['records']}")
    return ", ".join(said) or None


def _first(records: tf.data.Dataset) -> list[Any]:
    options = tf.data.Options()
    options.autotune.enabled = False
    options.threading.private_threadpool_size = 1
    return list(records.take(_RECORDS).with_options(options).as_numpy_iterator())


def _gist(value: Any) -> Any:
    array = np.asarray(value)
    if array.dtype.kind == "f":
        size = np.nan_to_num(array.astype(np.float64))
        return array.shape, *((f"{size.mean():.2e}", f"{size.std():.2e}") if array.size else ())
    return array.shape, array.tolist() if array.dtype.kind == "O" else array.tobytes()


def _listed(shard: str) -> tuple[str, int | None]:
    path = Path(shard)
    return path.name, path.stat().st_size if path.is_file() else None


def _number(count: int | None) -> str:
    return "not counted" if count is None else str(count)


def _hash(value: Any) -> str:
    return hashlib.blake2b(repr(value).encode(), digest_size=8).hexdigest()
