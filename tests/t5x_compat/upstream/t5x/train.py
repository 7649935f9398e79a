"""Trains, and leaves losses and a checkpoint in MODEL_DIR."""

import json
import os

import orbax.checkpoint as ocp

from t5x import gin_flags, utils


def train(
    *,
    model,
    train_dataset_cfg,
    train_eval_dataset_cfg,
    infer_eval_dataset_cfg,
    partitioner,
    trainer_cls,
    model_dir,
    total_steps,
    eval_steps,
    eval_period,
    random_seed,
    verify_matching_vocabs_fn="not bound",
):
    assert verify_matching_vocabs_fn is None and infer_eval_dataset_cfg is None
    assert partitioner.rules["image_patch"] == "model"
    batches = utils.read(train_dataset_cfg, model.FEATURE_CONVERTER_CLS).as_numpy_iterator()
    first = next(batches)
    trainer = trainer_cls(model=model, batch=first, rng_seed=random_seed)
    losses = [trainer.train(first)] + [trainer.train(next(batches)) for _ in range(total_steps - 1)]
    model_dir = os.path.abspath(model_dir)
    options = ocp.CheckpointManagerOptions(step_prefix="checkpoint", create=True)
    with ocp.CheckpointManager(model_dir, options=options) as manager:
        item = ocp.args.PyTreeSave(trainer.optimizer.state_dict())
        manager.save(total_steps, args=ocp.args.Composite(state=item))
    with open(os.path.join(model_dir, "losses.json"), "w") as file:
        json.dump([each["loss"] for each in losses], file)
    evaluated = next(utils.read(train_eval_dataset_cfg, model.FEATURE_CONVERTER_CLS).as_numpy_iterator())
    assert evaluated.keys() == first.keys() and eval_steps and eval_period


if __name__ == "__main__":
    gin_flags.parse(train)()
