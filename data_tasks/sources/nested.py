"""Nested examples of tf.data as one level of tensors, and the records they make. Knows no dataset."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from unified_io.errors import DataError

_MOST_STEPS = 100_000  # of a dataset in an example
_INTO = "\t"  # between the name of a dictionary and of what is in it; names of tfds have slashes of their own
_SPLITS = "\n"  # between the name of a ragged tensor and the number of the axis that ends are of


def flat(example: Mapping[str, Any]) -> dict[str, tf.Tensor]:
    """Returns an example as one level of dense tensors; of ragged ones their values and where rows end.

    A dataset in it, the steps of an episode, becomes tensors with one more axis.
    """
    found: dict[str, tf.Tensor] = {}
    for key, value in example.items():
        if isinstance(value, tf.data.Dataset):
            value = value.batch(_MOST_STEPS).get_single_element()
        if key == "tfds_id":
            found["name"] = value
        elif isinstance(value, Mapping):
            found |= {f"{key}{_INTO}{inner}": tensor for inner, tensor in flat(value).items()}
        elif isinstance(value, tf.RaggedTensor):
            found[key] = value.flat_values
            found |= {f"{key}{_SPLITS}{axis}": ends for axis, ends in enumerate(value.nested_row_splits)}
        else:
            found[key] = value
    return found


def as_records(row: dict[str, Any], features: Any) -> dict[str, Any]:
    """Returns what `flat` made flat: text as text, lists of dictionaries as lists.

    Args:
      row: The tensors of an example.
      features: What tfds knows of them.
    """
    row = {key: value for key, value in row.items() if key not in ("name", "index")}
    for key in [key for key in row if f"{key}{_SPLITS}0" in row]:
        axis, value = 0, row.pop(key)
        ends = []
        while f"{key}{_SPLITS}{axis}" in row:
            ends.append(row.pop(f"{key}{_SPLITS}{axis}"))
            axis += 1
        row[key] = _ragged(value, ends)
    nested: dict[str, Any] = {}
    for key, value in row.items():
        *folders, last = key.split(_INTO)
        here = nested
        for folder in folders:
            here = here.setdefault(folder, {})
        here[last] = value
    return {key: _value(value, _of(features, key)) for key, value in nested.items()}


def _of(features: Any, key: str) -> Any:
    """The feature of a key; None where nothing is known of it."""
    known = isinstance(features, Mapping | tfds.features.FeaturesDict) and key in features
    return features[key] if known else None


def _ragged(values: Any, ends: list[np.ndarray]) -> list[Any]:
    rows = values
    for splits in reversed(ends):
        rows = [rows[begin:end] for begin, end in zip(splits[:-1], splits[1:], strict=True)]
    return rows


def _value(value: Any, feature: Any) -> Any:
    """One value as a record has it."""
    inner = getattr(feature, "feature", None)
    if isinstance(value, dict):
        if isinstance(inner, Mapping | tfds.features.FeaturesDict):  # a list of dictionaries, one array a key
            return _transposed({key: _value(one, None) for key, one in value.items()}, inner)
        return {key: _value(one, _of(feature, key)) for key, one in value.items()}
    if isinstance(value, list):
        return [_value(one, inner) for one in value]
    if isinstance(value, np.ndarray) and value.dtype == object:
        return [_value(one, inner) for one in value] if value.ndim else _value(value.item(), feature)
    if isinstance(value, bytes) and _is_text(feature if inner is None else inner):
        try:
            return value.decode()
        except UnicodeDecodeError as error:
            raise DataError(f"a text of it is not in UTF-8: {error.reason} at byte {error.start}") from error
    return value.item() if isinstance(value, np.generic) and value.dtype.kind in "fiub" else value


def _is_text(feature: Any) -> bool:
    return isinstance(feature, tfds.features.Text) or type(feature) is tfds.features.Tensor


def _transposed(columns: dict[str, Any], inner: Any) -> list[dict[str, Any]]:
    """Returns a dictionary of lists as a list of dictionaries.

    tfds stores lists of one length here; those that its `mock_data` makes up differ, and are cut to the shortest.
    """
    return [
        {key: _value(_nth(column, place), inner[key]) for key, column in columns.items()}
        for place in range(_shortest(columns))
    ]


def _shortest(column: Any) -> int:
    return min(map(_shortest, column.values())) if isinstance(column, dict) else len(column)


def _nth(column: Any, place: int) -> Any:
    if isinstance(column, dict):
        return {key: _nth(one, place) for key, one in column.items()}
    return column[place]
