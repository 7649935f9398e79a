"""What gin files say of datasets and checkpoints, how data is read, how a state starts, and how a model is asked."""

import dataclasses
import functools
from typing import Any

import clu.data
import jax
import jax.numpy as jnp
import numpy as np
import seqio
from jax.experimental import multihost_utils


@dataclasses.dataclass
class DatasetConfig:
    mixture_or_task_name: Any
    task_feature_lengths: Any
    split: str
    batch_size: int
    shuffle: bool
    seed: int | None
    use_cached: bool = False
    pack: bool = False
    use_custom_packing_ops: bool = False
    module: str | None = None
    use_memory_cache: bool = True
    trim_output_features: bool = True


@dataclasses.dataclass
class SaveCheckpointConfig:
    dtype: str = "float32"
    period: int | None = None
    keep: int | None = None
    save_dataset: bool = False


@dataclasses.dataclass
class RestoreCheckpointConfig:
    path: Any
    mode: str = "latest"
    strict: bool = True
    dtype: str | None = None


@dataclasses.dataclass
class CheckpointConfig:
    save: SaveCheckpointConfig | None = None
    restore: RestoreCheckpointConfig | None = None


def create_learning_rate_scheduler(factors="constant", base_learning_rate=1.0, warmup_steps=10000):
    return lambda step: jnp.float32(base_learning_rate)


def verify_matching_vocabs(cfg, model):
    """Asks a model for vocabularies; ours has none, so gin files must not have it called."""
    return model.input_vocabulary, model.output_vocabulary


def get_dataset(cfg, shard_id, num_shards, feature_converter_cls, num_epochs=None):
    """Reads a dataset as model features, batched."""
    seed = cfg.seed
    if seed is None:
        seed = int(multihost_utils.broadcast_one_to_all(np.int32(7)))
    return seqio.get_dataset(
        mixture_or_task_name=seqio.get_mixture_or_task(cfg.mixture_or_task_name),
        task_feature_lengths=cfg.task_feature_lengths,
        dataset_split=cfg.split,
        shuffle=cfg.shuffle,
        num_epochs=num_epochs,
        feature_converter=feature_converter_cls(
            pack=cfg.pack, use_custom_packing_ops=cfg.use_custom_packing_ops
        ),
        shard_info=seqio.ShardInfo(index=shard_id, num_shards=num_shards),
        use_cached=cfg.use_cached,
        seed=seed,
        trim_output_features=cfg.trim_output_features,
        batch_size=cfg.batch_size // num_shards,
    )


def get_training_eval_datasets(cfg, shard_id, num_shards, eval_steps, feature_converter_cls):
    """Batches to evaluate every task on, and their mixture."""
    read = functools.partial(
        get_dataset,
        shard_id=0,
        num_shards=1,
        feature_converter_cls=feature_converter_cls,
        num_epochs=eval_steps * cfg.batch_size,
    )

    def batches(name):
        dataset = read(dataclasses.replace(cfg, mixture_or_task_name=name, batch_size=1))
        dataset = dataset.unbatch().repeat().shard(num_shards, shard_id)
        dataset = dataset.batch(cfg.batch_size // num_shards, drop_remainder=True).take(eval_steps)
        return dataset.cache() if cfg.use_memory_cache else dataset

    provider = seqio.get_mixture_or_task(cfg.mixture_or_task_name)
    names = [task.name for task in seqio.get_subtasks(provider) if cfg.split in task.splits]
    if isinstance(provider, seqio.Mixture):
        names.append(provider.name)
    return {name: batches(name) for name in names}


class ShardedDatasetIterator(clu.data.dataset_iterator.DatasetIterator):
    """Batches in parts on the devices of a mesh, all split along their first axis."""

    def __init__(self, iterator, partitioner):
        self._iterator = iterator
        self._sharding = jax.sharding.NamedSharding(partitioner.mesh, partitioner.data_partition_spec)

    def __next__(self):
        return jax.tree.map(lambda leaf: jax.device_put(leaf, self._sharding), next(self._iterator))

    @property
    def element_spec(self):
        return self._iterator.element_spec


def prepare_train_iter(dataset, partitioner):
    """The batches to train on, the first of which may be waited for early."""
    batches = clu.data.dataset_iterator.TfDatasetIterator(dataset, checkpoint=True)
    return clu.data.dataset_iterator.PeekableDatasetIterator(ShardedDatasetIterator(batches, partitioner))


def get_zeros_batch_like_dataset(dataset):
    return {
        name: jnp.zeros(tuple(spec.shape), spec.dtype.as_numpy_dtype)
        for name, spec in dataset.element_spec.items()
    }
