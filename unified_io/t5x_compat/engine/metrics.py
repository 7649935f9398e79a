"""The metrics of tasks, computed by seqio's evaluator from what the model writes."""

import dataclasses
import functools
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import seqio

from unified_io.t5x_compat.engine.configs import DatasetConfig
from unified_io.t5x_compat.engine.predictor import Predictor
from unified_io.t5x_compat.model import T5XModel

FOLDER = "inference_eval"


@dataclasses.dataclass(frozen=True, eq=False)
class TaskMetrics:
    """Computes the metrics of every task of a mixture that has the split; see `tasks.registered`.

    Attributes:
      folder: Gets `inference_eval/<task>-metrics.jsonl`, `<task>-<step>.jsonl` and events in `<task>/`.
      model: The model, with the lengths of the evaluation; its `output` is what is compared.
      dataset: Which examples.
      evaluator: seqio's Evaluator, with what gin binds to it.
    """

    folder: str
    model: T5XModel
    dataset: DatasetConfig
    evaluator: Callable[..., seqio.Evaluator]

    def check(self) -> None:
        """Raises ConfigError if no task has the split."""
        _ = self.tasks

    def __call__(self, mesh: jax.sharding.Mesh, params: Any, step: int) -> dict[str, float]:
        """Returns `<task>/<metric>` of every metric that is a number."""
        numbers: dict[str, float] = {}
        for name, evaluator in self._evaluators.items():
            if jax.process_index() == 0:
                _forget(Path(self.folder, FOLDER, f"{name}-metrics.jsonl"), step)
            asked = {mode: functools.partial(self._ask, mode, mesh, params) for mode in _ARGUMENTS}
            computed, _ = evaluator.evaluate(
                compute_metrics=jax.process_index() == 0,
                step=step,
                **{argument: asked[mode] for mode, argument in _ARGUMENTS.items()},
            )
            metrics = next(iter((computed.result() or {name: {}}).values()))
            numbers |= {f"{name}/{key}": value for key, value in _numbers(metrics).items()}
        return numbers

    @functools.cached_property
    def tasks(self) -> dict[str, str]:
        """Names of the registered copies of the tasks, by those of the declared ones."""
        return self.dataset.tasks(self.model.config)

    @functools.cached_property
    def _evaluators(self) -> dict[str, seqio.Evaluator]:
        """One a task; each reads its examples once."""
        folder = Path(self.folder, FOLDER)
        folder.mkdir(parents=True, exist_ok=True)
        field = self.model.config.target(self.model.output).fields[0]
        config = self.dataset
        found = {}
        for name, copy in self.tasks.items():
            evaluator = found[name] = self.evaluator(
                mixture_or_task_name=copy,
                feature_converter=self.model.FEATURE_CONVERTER_CLS(pack=False),
                eval_split=config.split,
                seed=config.seed or 0,
                shuffle=config.shuffle,
                log_dir=str(folder),
                async_compute_metrics=False,
                target_field_name=field,
            )
            evaluator._loggers = tuple(_Named(logger, name) for logger in evaluator.loggers)
        return found

    def _ask(self, mode: str, mesh: jax.sharding.Mesh, params: Any, dataset: Any) -> Any:
        """Answers as seqio wants it: pairs of number and result, and what else is known apart."""
        groups = (group for _, group in dataset.as_numpy_iterator())
        found = list(self._predictor.results(mode, mesh, params, groups))
        if mode != "predict_with_aux":
            return list(enumerate(found))
        aux = {key: [extra[key] for _, extra in found] for key in found[0][1]}
        return list(enumerate(tokens for tokens, _ in found)), aux

    @functools.cached_property
    def _predictor(self) -> Predictor:
        return Predictor(self.model, self.dataset.batch_size)


# seqio's arguments by mode.
_ARGUMENTS = {"predict": "predict_fn", "score": "score_fn", "predict_with_aux": "predict_with_aux_fn"}


class _Named(seqio.Logger):
    """Writes under the name of the declared task, not under that of its bound copy."""

    def __init__(self, logger: seqio.Logger, name: str):
        super().__init__(logger.output_dir)
        self._logger, self._name = logger, name

    def __call__(self, task_name: str, *args: Any, **kwargs: Any) -> None:
        self._logger(self._name, *args, **kwargs)


def _forget(path: Path, step: int) -> None:
    """Takes off the metrics file what a run that was killed will write again."""
    if not path.is_file():
        return
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if json.loads(line)["step"] < step]
    if len(kept) < len(lines):
        draft = path.with_name(f".{path.name}.draft")
        draft.write_text("".join(kept), encoding="utf-8")
        os.replace(draft, path)


def _numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    def pairs() -> Iterator[tuple[str, float]]:
        for key, value in metrics.items():
            value = getattr(value, "value", value)
            if np.ndim(value) == 0 and np.issubdtype(np.asarray(value).dtype, np.number):
                yield key, float(value)

    return dict(pairs())
