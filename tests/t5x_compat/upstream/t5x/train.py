"""Trains and evaluates, and leaves checkpoints, events, config.gin and model-info.txt in MODEL_DIR."""

import os
import time

import jax
import numpy as np
import seqio
from jax import random

from . import checkpoints, gin_utils, states, utils
from . import eval as eval_lib


def train(
    *,
    model,
    train_dataset_cfg,
    train_eval_dataset_cfg,
    infer_eval_dataset_cfg,
    checkpoint_cfg,
    partitioner,
    trainer_cls,
    model_dir,
    total_steps,
    eval_steps,
    eval_period,
    random_seed,
    use_hardware_rng=False,
    summarize_config_fn,
    inference_evaluator_cls=seqio.Evaluator,
    relative_steps=None,
    stats_period=None,
    use_orbax=True,
    verify_matching_vocabs_fn=utils.verify_matching_vocabs,
    gc_period=0,
):
    os.makedirs(model_dir, exist_ok=True)
    if use_hardware_rng or random_seed is None:
        jax.config.update("jax_default_prng_impl", "unsafe_rbg")
    init_rng, trainer_rng = random.split(
        random.PRNGKey(int(time.time()) if random_seed is None else random_seed)
    )
    dataset = utils.get_dataset(train_dataset_cfg, 0, 1, model.FEATURE_CONVERTER_CLS)
    batches = utils.prepare_train_iter(dataset, partitioner)
    shapes = jax.tree.map(lambda spec: (train_dataset_cfg.batch_size, *spec.shape[1:]), batches.element_spec)
    types = jax.tree.map(lambda spec: spec.dtype, batches.element_spec)
    evaluated = {}
    if train_eval_dataset_cfg:
        evaluated = utils.get_training_eval_datasets(
            train_eval_dataset_cfg, 0, 1, eval_steps, model.FEATURE_CONVERTER_CLS
        )
    initializer = states.TrainStateInitializer(
        optimizer_def=model.optimizer_def,
        init_fn=model.get_initial_variables,
        input_shapes=shapes,
        input_types=types,
        partitioner=partitioner,
    )
    manager = checkpoints.Manager(
        model_dir,
        initializer.global_train_state_shape,
        partitioner,
        keep=checkpoint_cfg.save.keep,
    )
    latest = utils.RestoreCheckpointConfig(model_dir, "latest", dtype=checkpoint_cfg.save.dtype)
    state = states.restored(initializer, partitioner, latest) or states.restored(
        initializer, partitioner, checkpoint_cfg.restore
    )
    first = batches.peek_async()
    state = state or initializer.from_scratch(init_rng)
    info = os.path.join(model_dir, "model-info.txt")
    states.log_model_info(info, initializer.global_train_state_shape, partitioner)
    step = int(checkpoints.get_local_data(state.step))
    trainer = trainer_cls(
        model=model,
        train_state=state,
        partitioner=partitioner,
        train_state_axes=initializer.train_state_axes,
        eval_names=evaluated.keys(),
        summary_dir=model_dir,
        rng=trainer_rng,
    )
    summarize_config_fn(model_dir, None, step)
    evaluator = None
    if infer_eval_dataset_cfg is not None:
        evaluator = eval_lib.InferenceEvaluator(
            infer_eval_dataset_cfg, inference_evaluator_cls, model, partitioner, log_dir=model_dir
        )
        evaluator = evaluator if evaluator.eval_tasks else None
    if step not in checkpoints.all_steps(model_dir):
        manager.save(trainer.train_state)
    # Real T5X compiles the step for a batch of ones.
    assert all(np.ones(shape, types[name]).nbytes for name, shape in shapes.items())
    first.result()
    trainer.train(batches, total_steps - step, start_step=step)
    manager.save(trainer.train_state)
    trainer.compile_eval(
        {name: utils.get_zeros_batch_like_dataset(dataset) for name, dataset in evaluated.items()}
    )
    trainer.eval({name: dataset.as_numpy_iterator() for name, dataset in evaluated.items()})
    if evaluator is not None:
        evaluator.evaluate(trainer.train_state, initializer.train_state_axes).result()


if __name__ == "__main__":
    gin_utils.run(train)
