"""Examples of a bound task as groups of rows: one example a group, or packed. Knows flat features, not T5X."""

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from unified_io.data import pipeline
from unified_io.data.batch import assemble
from unified_io.data.budgets import Budgets
from unified_io.data.lane import usable
from unified_io.data.packer import Packer, Prepared, prepare
from unified_io.data.packing import one_per_row
from unified_io.data.quarantine import Quarantine
from unified_io.data.values import as_read
from unified_io.errors import DataError
from unified_io.model import UnifiedIOConfig
from unified_io.t5x_compat import batches

# Examples to leave out before giving up, as our loader does.
_MAX_BAD = 100


@dataclasses.dataclass(frozen=True, eq=False)
class Groups:
    """How examples become groups.

    Attributes:
      config: The model whose modalities read them.
      budgets: The shape of a group.
      training: Whether to augment, and to leave out what can not be used.
    """

    config: UnifiedIOConfig
    budgets: Budgets
    training: bool

    @functools.cached_property
    def specs(self) -> dict[str, tf.TensorSpec]:
        """Shape and type of every flat feature."""
        return {name: tf.TensorSpec(leaf.shape, leaf.dtype, name=name) for name, leaf in self.of([]).items()}

    def of(self, examples: list[Prepared]) -> dict[str, np.ndarray]:
        """Lays examples out one a row."""
        plan = one_per_row([example.lengths for example in examples], self.budgets)
        features = [example.features for example in examples]
        return _first(assemble(features, plan, self.config.inputs, self.config.targets))

    def one(self, keys: tuple[str, ...], index: np.ndarray, *values: Any) -> list[np.ndarray]:
        """Makes the group of one example; its number seeds whatever `preprocess` draws.

        One that can not be used is left out of training, its group is empty. Elsewhere every example counts.
        """
        row = {key: as_read(key, value) for key, value in zip(keys, values, strict=True)}
        inputs, targets = self.config.inputs, self.config.targets
        seed = pipeline.fold(int(index))
        try:
            group = self.of([prepare(row, inputs, targets, seed=seed, training=self.training)])
        except DataError as error:
            if not self.training:
                raise DataError(f"{_name(row, index)}: {error}") from error
            self._leave_out(_name(row, index), error)
            group = self.of([])
        return list(group.values())

    def packed(self, ds: tf.data.Dataset) -> Iterator[dict[str, np.ndarray]]:
        """Packs all of a dataset; the last groups may be part empty."""
        packer = Packer(self.config.inputs, self.config.targets, self.budgets)
        for made in packer.batches(self._usable(ds, packer)):
            yield _first(made.batch)

    @functools.cached_property
    def _left_out(self) -> Quarantine:
        return Quarantine(_MAX_BAD)

    def _leave_out(self, name: str, error: DataError) -> None:
        # The same one comes again in every epoch.
        if name not in {entry.name for entry in self._left_out}:
            self._left_out.add(name, error)

    def _usable(self, ds: tf.data.Dataset, packer: Packer) -> Iterator[Prepared]:
        for index, row in enumerate(ds.as_numpy_iterator()):
            row = {key: as_read(key, value) for key, value in row.items()}
            try:
                yield usable(row, packer, seed=pipeline.fold(index), training=self.training)
            except DataError as error:
                self._leave_out(_name(row, index), error)


def _name(row: Mapping[str, Any], index: Any) -> str:
    return f"{row.get('meta/task', 'example')} {row.get('meta/id') or index}"


def _first(batch: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The one group of a batch, by flat names."""
    return {name: leaf[0] for name, leaf in batches.flatten(batch).items()}
