"""What a task reads, in a few numbers, and what it is asked for: enough to notice that a run began with another one."""

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import seqio
import tensorflow as tf

from unified_io.data import pipeline
from unified_io.errors import DataError
from unified_io.modalities.base import Modality
from unified_io.vocab import Vocabulary

# Raw records that are looked at: the first ones, unshuffled.
_RECORDS = 4
# Differences of an objective that are told.
_FEW = 3


def fingerprint(task: seqio.Task, split: str) -> dict[str, Any]:
    """Returns JSON values that change when the data of a bound task changes, or what is asked of it.

    `examples` is their number where the source knows it, `files` the number of its files or shards, `listing` a hash
    of their names and sizes, and `records` a hash of the first raw records. Of numbers with a fraction only mean and
    spread count, to three digits: another processor may round them otherwise. `objective` holds every setting of the
    objective that a task of pre-training is bound to, by its path, and is empty for other tasks.

    Raises:
      DataError: The source can not be read.
    """
    source = task.source
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
        "objective": dict(_settings(pipeline.objective_of(task), "objective")),
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
    asked = sorted(was["objective"].keys() | now["objective"].keys())
    changed = [key for key in asked if was["objective"].get(key) != now["objective"].get(key)]
    said += [
        f"{key} was {was['objective'].get(key)} and is {now['objective'].get(key)}" for key in changed[:_FEW]
    ]
    if len(changed) > _FEW:
        said.append(f"{len(changed) - _FEW} more settings of the objective changed")
    return ", ".join(said) or None


def _settings(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yields the numbers and words in a config by path, in the form in which they come back from JSON.

    What belongs to the model is only named: it may lie elsewhere or compute otherwise and ask for the same.
    """
    if isinstance(value, Modality):
        value = value.name
    if isinstance(value, Vocabulary):
        value = {"base_size": value.base_size, "size": value.size}
    if dataclasses.is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, tuple | list):
        value = dict(enumerate(value))
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _settings(item, f"{path}.{key}")
    elif value is not None:
        yield path, value


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
