"""What a gin file says of a dataset, of checkpoints and of a learning rate."""

import dataclasses
from typing import Any

import seqio


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


@dataclasses.dataclass
class RestoreCheckpointConfig:
    path: Any
    mode: str = "specific"
    dtype: str = "float32"


def read(cfg: DatasetConfig, converter_cls: Any) -> Any:
    """Reads a dataset, without end where it is shuffled."""
    return seqio.get_dataset(
        mixture_or_task_name=cfg.mixture_or_task_name,
        task_feature_lengths=cfg.task_feature_lengths,
        dataset_split=cfg.split,
        shuffle=cfg.shuffle,
        num_epochs=None if cfg.shuffle else 1,
        feature_converter=converter_cls(pack=cfg.pack, use_custom_packing_ops=False),
        shard_info=seqio.ShardInfo(index=0, num_shards=1),
        use_cached=cfg.use_cached,
        seed=cfg.seed,
        batch_size=cfg.batch_size,
    )
