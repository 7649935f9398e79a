"""From the examples of a bound task to T5X's flat features: a group of rows is one example of its batch."""

import functools
from collections.abc import Mapping
from typing import Any

import seqio
import tensorflow as tf

from unified_io.data import proposals
from unified_io.data.budgets import Budgets
from unified_io.data.values import META
from unified_io.errors import ConfigError
from unified_io.model import UnifiedIOConfig
from unified_io.t5x_compat.groups import Groups
from unified_io.t5x_compat.lengths import TRAINING, limited


def for_training(lengths: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Returns the lengths of a task with the word that it is trained on; T5X itself does not tell a converter.

    for_training({"text_inputs": 32}) = {"is_training": True, "text_inputs": 32}
    """
    return {TRAINING: True, **(lengths or {})}


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
          task_feature_lengths: See `lengths.limited`; `is_training` says whether modalities augment. Those that seqio's
            evaluator measures in a task, of every field and META among them, change nothing.

        Raises:
          ConfigError: An unknown length.
        """
        lengths = dict(task_feature_lengths or {})
        if lengths.keys() >= META.keys():
            lengths = {}
        config = limited(self._config, lengths)
        if self.pack:
            assert self._budgets is not None
            return _packed(ds, Groups(config, self._budgets, bool(lengths.get(TRAINING))))
        budgets = proposals.padded(config, rows=1)
        return _alone(ds, Groups(config, budgets, bool(lengths.get(TRAINING))))

    def _convert_features(self, ds: Any, task_feature_lengths: Any) -> Any:
        raise NotImplementedError("features are converted by __call__")

    def get_model_feature_lengths(self, task_feature_lengths: Any) -> Any:
        """Not asked for: the shapes are those of the dataset."""
        raise NotImplementedError("look at the element_spec of the converted dataset")


def _alone(ds: tf.data.Dataset, groups: Groups) -> tf.data.Dataset:
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


def _packed(ds: tf.data.Dataset, groups: Groups) -> tf.data.Dataset:
    return tf.data.Dataset.from_generator(lambda: groups.packed(ds), output_signature=groups.specs)
