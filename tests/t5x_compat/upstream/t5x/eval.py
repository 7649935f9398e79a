"""Evaluates a checkpoint by seqio's evaluator."""

import functools
import os

import jax
import seqio

from . import asking, gin_utils, states


class InferenceEvaluator:
    """Asks a model what the metrics of tasks need."""

    def __init__(self, infer_eval_dataset_cfg, inference_evaluator_cls, model, partitioner, log_dir=None):
        cfg = infer_eval_dataset_cfg
        self._model, self._partitioner, self._cfg = model, partitioner, cfg
        self._evaluator = inference_evaluator_cls(
            mixture_or_task_name=cfg.mixture_or_task_name,
            feature_converter=model.FEATURE_CONVERTER_CLS(pack=False),
            eval_split=cfg.split,
            use_cached=cfg.use_cached,
            seed=cfg.seed,
            sequence_length=cfg.task_feature_lengths,
            use_memory_cache=cfg.use_memory_cache,
            **({"log_dir": os.path.join(log_dir, "inference_eval")} if log_dir else {"logger_cls": ()}),
        )
        self.eval_tasks = self._evaluator.eval_tasks
        self._functions = None

    @property
    def model_feature_shapes(self):
        return self._evaluator.model_feature_shapes

    def evaluate(self, train_state, train_state_axes):
        """Returns a future of the metrics of every task."""
        made = functools.partial(
            asking.get_infer_fn,
            batch_size=self._cfg.batch_size,
            train_state_axes=train_state_axes,
            partitioner=self._partitioner,
        )
        self._functions = self._functions or [
            made(step)
            for step in (
                self._model.predict_batch,
                self._model.predict_batch_with_aux,
                self._model.score_batch,
            )
        ]
        predict, with_aux, score = (
            functools.partial(function, train_state=train_state) for function in self._functions
        )
        metrics, _ = self._evaluator.evaluate(
            compute_metrics=jax.process_index() == 0,
            step=int(train_state.step),
            predict_fn=functools.partial(predict, rng=jax.random.PRNGKey(0)),
            score_fn=score,
            predict_with_aux_fn=functools.partial(with_aux, rng=jax.random.PRNGKey(0)),
        )
        return metrics


def evaluate(
    *,
    model,
    dataset_cfg,
    restore_checkpoint_cfg,
    partitioner,
    output_dir,
    inference_evaluator_cls=seqio.Evaluator,
    training_evaluator_cls=None,
    summarize_config_fn=gin_utils.summarize_gin_config,
    fallback_init_rng=None,
    use_orbax=False,
):
    summarize_config_fn(model_dir=output_dir, summary_writer=None, step=0)
    evaluator = InferenceEvaluator(
        dataset_cfg, inference_evaluator_cls, model, partitioner, log_dir=output_dir
    )
    if not evaluator.eval_tasks:
        raise ValueError(
            f"{dataset_cfg.mixture_or_task_name} has no metrics, or no split {dataset_cfg.split}"
        )
    shapes = {
        name: (dataset_cfg.batch_size, *shape) for name, shape in evaluator.model_feature_shapes.items()
    }
    initializer = states.TrainStateInitializer(
        optimizer_def=None,
        init_fn=model.get_initial_variables,
        input_shapes=shapes,
        partitioner=partitioner,
    )
    states.log_model_info(
        os.path.join(output_dir, "model-info.txt"), initializer.global_train_state_shape, partitioner
    )
    restore_checkpoint_cfg.strict = False
    train_state = states.restored(initializer, partitioner, restore_checkpoint_cfg)
    return evaluator.evaluate(train_state, initializer.train_state_axes).result()


if __name__ == "__main__":
    gin_utils.run(evaluate)
