"""T5X's `infer`: predictions or scores of a task's examples as JSON lines."""

import dataclasses
import itertools
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from unified_io.errors import ConfigError, DataError, unknown
from unified_io.modalities.base import FIELDS
from unified_io.model import parameter_shapes
from unified_io.t5x_compat import model_info
from unified_io.t5x_compat.engine.configs import DatasetConfig, RestoreCheckpointConfig
from unified_io.t5x_compat.engine.partitioning import PjitPartitioner
from unified_io.t5x_compat.engine.predictor import METHODS, Predictor
from unified_io.t5x_compat.engine.results import Results
from unified_io.t5x_compat.model import T5XModel
from unified_io.train import mesh as meshes
from unified_io.train.job import check_writable


def infer(
    *,
    model: T5XModel,
    dataset_cfg: DatasetConfig,
    restore_checkpoint_cfg: RestoreCheckpointConfig,
    output_dir: str,
    partitioner: PjitPartitioner = PjitPartitioner(),
    mode: str = "predict",
    checkpoint_period: int = 100,
    shard_id: int = 0,
    num_shards: int = 1,
) -> "InferJob":
    """Returns the job that writes what a model says of examples.

    Args:
      model: The model; its `output` is what is predicted.
      dataset_cfg: Which examples.
      restore_checkpoint_cfg: Of which parameters.
      output_dir: Holds `<task>-<mode>.jsonl-SSSSS-of-NNNNN` for every task, and `.COMPLETED` once it is whole.
      partitioner: The mesh.
      mode: "predict", "score" (log-probabilities of the targets) or "predict_with_aux".
      checkpoint_period: Batches that are written at a time: at most so many are lost with a killed run.
      shard_id: Which part of the examples, from 0.
      num_shards: Of how many.

    Raises:
      ConfigError: An unknown mode, impossible numbers, or data that should be packed.
    """
    if mode not in METHODS:
        raise unknown("infer.mode", mode, METHODS)
    if not 0 <= shard_id < num_shards or checkpoint_period < 1:
        raise ConfigError(
            f"shard_id is {shard_id} of num_shards={num_shards} and checkpoint_period is {checkpoint_period}; shards "
            "count from 0, and a period is at least 1"
        )
    if dataset_cfg.pack:
        raise ConfigError("predictions are of single examples; give --gin.utils.DatasetConfig.pack=False")
    model = dataclasses.replace(model, config=dataset_cfg.model(model.config))
    about = (mode, checkpoint_period, shard_id, num_shards)
    return InferJob(model, dataset_cfg, restore_checkpoint_cfg, partitioner, output_dir, *about)


@dataclasses.dataclass(frozen=True)
class InferJob:
    """Writes what a model says of examples; see `infer`."""

    model: T5XModel
    dataset: DatasetConfig
    restore: RestoreCheckpointConfig
    partitioner: PjitPartitioner
    output_dir: str
    mode: str
    checkpoint_period: int
    shard_id: int
    num_shards: int

    def check(self) -> None:
        """Finds what can not work before anything is compiled.

        Raises:
          ConfigError: No such task or split, no such output, a folder that can not be written, or a batch that does not
            divide over the devices.
          CheckpointError: There is no checkpoint in a folder of checkpoints.
        """
        check_writable(self.output_dir)
        self.model.config.target(self.model.output)
        self._tasks()
        self._predictor.check(meshes.shards(meshes.make_mesh(self.partitioner.mesh)))
        self._checkpoint()

    def infer(self) -> None:
        """Writes a file a task; one that is complete is left alone."""
        if self.shard_id == 0:
            model_info.write(self.output_dir, parameter_shapes(self.model.config))
        files = {name: self._results(name) for name in self._tasks()}
        for results in files.values():
            if results.completed:
                _tell(f"{results.path.name} is complete already")
        left = {name: results for name, results in files.items() if not results.completed}
        if not left:
            return
        mesh = meshes.make_mesh(self.partitioner.mesh)
        params = self._predictor.read(self._checkpoint(), self.restore.dtype, mesh)
        for name, results in left.items():
            self._write(name, results, mesh, params)

    def _write(self, name: str, results: Results, mesh: jax.sharding.Mesh, params: Any) -> None:
        """Writes what is missing of one file; of several processes the first one does, and all compute."""
        writes, size = jax.process_index() == 0, self._chunk
        done = results.chunks
        examples = itertools.islice(self._examples(name), done * size, None)
        for number in itertools.count(done):
            chunk = list(itertools.islice(examples, size))
            if not chunk:
                break
            first = number * self.checkpoint_period
            groups = (group for _, group in chunk)
            found = list(self._predictor.results(self.mode, mesh, params, groups, first))
            if writes:
                rows = (
                    {"inputs": inputs, **self._said(x)} for (inputs, _), x in zip(chunk, found, strict=True)
                )
                results.write(rows)
                _tell(f"{results.path.name}: {number * size + len(chunk)} examples")
        if writes:
            results.finish()

    def _examples(self, name: str) -> Iterator[tuple[dict[str, Any], Mapping[str, np.ndarray]]]:
        """Yields the text of every example of a task, and its flat features."""
        import seqio
        import tensorflow as tf

        config = self.dataset
        dataset = seqio.get_mixture_or_task(self._tasks()[name]).get_dataset(
            sequence_length=None,
            split=config.split,
            shuffle=config.shuffle,
            seed=config.seed or 0,
            shard_info=seqio.ShardInfo(self.shard_id, self.num_shards),
            num_epochs=1,
            trim_output_features=False,
            try_in_mem_cache=False,
        )
        groups = self.model.FEATURE_CONVERTER_CLS(pack=False)(dataset, None)
        try:
            for raw, group in zip(dataset.as_numpy_iterator(), groups.as_numpy_iterator(), strict=True):
                yield _text(raw), group
        except tf.errors.OpError as error:
            raise DataError(f"an example of {name} can not be read: {error}") from error

    def _said(self, found: Any) -> dict[str, Any]:
        if self.mode == "score":
            return {"score": float(found)}
        tokens, aux = found if self.mode == "predict_with_aux" else (found, None)
        target = self.model.config.target(self.model.output)
        written = FIELDS[target.fields[0]].dtype == "string"
        said = {"prediction": target.detokenize(tokens) if written else np.asarray(tokens).tolist()}
        return (
            said if aux is None else {**said, "aux": {key: np.asarray(x).tolist() for key, x in aux.items()}}
        )

    def _results(self, name: str) -> Results:
        file = f"{name}-{self.mode}.jsonl-{self.shard_id:05d}-of-{self.num_shards:05d}"
        about = {
            "checkpoint": self._checkpoint(),
            "split": self.dataset.split,
            "output": self.model.output,
        }
        return Results(Path(self.output_dir, file), about, self._chunk)

    @property
    def _chunk(self) -> int:
        """Examples that are written at a time."""
        return self._predictor.batch_size * self.checkpoint_period

    def _tasks(self) -> dict[str, str]:
        return self.dataset.tasks(self.model.config)

    def _checkpoint(self) -> str:
        path = self.restore.only
        if path is None or not Path(path).is_dir():
            raise ConfigError(f"no checkpoint in {path!r}; give --gin.CHECKPOINT_PATH=FOLDER")
        return path

    @property
    def _predictor(self) -> Predictor:
        return Predictor(self.model, self.dataset.batch_size)


def _text(raw: Mapping[str, Any]) -> dict[str, str]:
    """What T5X writes of an example: its text; media are not text."""
    return {key: value.decode() for key, value in raw.items() if key.endswith("_pretokenized")}


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
