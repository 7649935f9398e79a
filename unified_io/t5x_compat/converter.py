"""From the examples of a bound task to T5X's flat features: a group of rows is one example of its batch."""

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import seqio
import tensorflow as tf

from unified_io.data import pipeline, proposals
from unified_io.data.batch import assemble
from unified_io.data.budgets import Budgets
from unified_io.data.lane import usable
from unified_io.data.packer import Packer, Prepared, prepare
from unified_io.data.packing import one_per_row
from unified_io.data.quarantine import Quarantine
from unified_io.errors import ConfigError, DataError
from unified_io.model import UnifiedIOConfig
from unified_io.t5x_compat import batches
from unified_io.t5x_compat.lengths import TRAINING, limited

# Examples to leave out before giving up, as our loader does.
_MAX_BAD = 100


class GroupConverter(seqio.FeatureConverter):
    """Makes groups of rows: one example in one row, or packed as the budgets say.

    Without packing every example gives one group, in order, so that predictions can be laid beside examples.
    """

    TASK_FEATURES: Mapping[str, Any] = {}
    MODEL_FEATURES: Mapping[str, Any] = {}
    PACKING_FEATURE_DTYPES: Mapping[str, Any] = {}

    def __init__(
        self,
        config: UnifiedIOConfig,
        budgets: Budgets | None = None,
        *,
        pack: bool = True,
        use_custom_packing_ops: bool = False,
    ):
        """Sets up a converter.

        Args:
          config: The model whose modalities read the examples.
          budgets: The shape of a packed group; needed to pack.
          pack: Whether several examples share a row.
          use_custom_packing_ops: Not with us.

        Raises:
          ConfigError: It should pack and there are no budgets, or with seqio's operations.
        """
        if pack and budgets is None:
            raise ConfigError(
                "pack is True and the model has no budgets; bind T5XModel.budgets, or set DatasetConfig.pack = False"
            )
        if use_custom_packing_ops:
            raise ConfigError(
                "our rows are planned in Python; set DatasetConfig.use_custom_packing_ops = False"
            )
        super().__init__(pack=pack)
        self._config, self._budgets = config, budgets

    def __call__(
        self, ds: tf.data.Dataset, task_feature_lengths: Mapping[str, Any] | None
    ) -> tf.data.Dataset:
        """Returns a dataset of groups.

        Args:
          ds: Examples of a task or mixture that is bound to the configuration; see `tasks.registered`.
          task_feature_lengths: See `lengths.limited`; `is_training` says whether modalities augment.

        Raises:
          ConfigError: An unknown length.
        """
        lengths = dict(task_feature_lengths or {})
        config = limited(self._config, lengths)
        if self.pack:
            assert self._budgets is not None
            return _packed(ds, _Groups(config, self._budgets, bool(lengths.get(TRAINING))))
        budgets = proposals.padded(config, rows=1)
        return _alone(ds, _Groups(config, budgets, bool(lengths.get(TRAINING))))

    def _convert_features(self, ds: Any, task_feature_lengths: Any) -> Any:
        raise NotImplementedError("features are converted by __call__")

    def get_model_feature_lengths(self, task_feature_lengths: Any) -> Any:
        """Not asked for: the shapes are those of the dataset."""
        raise NotImplementedError("look at the element_spec of the converted dataset")


@dataclasses.dataclass(frozen=True, eq=False)
class _Groups:
    """How examples become groups: the modalities, the shape of a group, and whether to augment."""

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
        """Makes the group of one example; its number seeds whatever `preprocess` draws."""
        row = {key: pipeline.as_read(key, value) for key, value in zip(keys, values, strict=True)}
        inputs, targets = self.config.inputs, self.config.targets
        seed = pipeline.fold(int(index))
        return list(self.of([prepare(row, inputs, targets, seed=seed, training=self.training)]).values())

    def packed(self, ds: tf.data.Dataset) -> Iterator[dict[str, np.ndarray]]:
        """Packs all of a dataset; the last groups may be part empty."""
        packer = Packer(self.config.inputs, self.config.targets, self.budgets)
        for made in packer.batches(self._usable(ds, packer)):
            yield _first(made.batch)

    def _usable(self, ds: tf.data.Dataset, packer: Packer) -> Iterator[Prepared]:
        quarantine = Quarantine(_MAX_BAD)
        for index, row in enumerate(ds.as_numpy_iterator()):
            row = {key: pipeline.as_read(key, value) for key, value in row.items()}
            try:
                yield usable(row, packer, seed=pipeline.fold(index), training=self.training)
            except DataError as error:
                quarantine.add(f"{row.get('meta/task', 'example')} {row.get('meta/id', index)}", error)


def _alone(ds: tf.data.Dataset, groups: _Groups) -> tf.data.Dataset:
    specs = groups.specs
    types = [spec.dtype for spec in specs.values()]

    def convert(index: tf.Tensor, example: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        one = functools.partial(groups.one, tuple(example))
        values = tf.numpy_function(one, [index, *example.values()], types)
        return {
            name: tf.ensure_shape(value, spec.shape)
            for (name, spec), value in zip(specs.items(), values, strict=True)
        }

    return ds.enumerate().map(convert)


def _packed(ds: tf.data.Dataset, groups: _Groups) -> tf.data.Dataset:
    return tf.data.Dataset.from_generator(lambda: groups.packed(ds), output_signature=groups.specs)


def _first(batch: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The one group of a batch, by flat names."""
    return {name: leaf[0] for name, leaf in batches.flatten(batch).items()}
