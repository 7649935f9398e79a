"""Predicts the first batch of a task and writes it down as text."""

import json
import os

import flax.core
import jax
import orbax.checkpoint as ocp
import seqio
import tensorflow as tf

from t5x import gin_flags, utils


def infer(
    *,
    mode,
    model,
    output_dir,
    dataset_cfg,
    partitioner,
    restore_checkpoint_cfg,
    checkpoint_ds_iter=True,
    verify_matching_vocabs_fn="not bound",
    output_vocab_feature_name="targets",
):
    assert verify_matching_vocabs_fn is None and not checkpoint_ds_iter
    assert partitioner.rules["image_patch"] == "model"
    with ocp.Checkpointer(ocp.PyTreeCheckpointHandler()) as reader:
        params = reader.restore(os.path.join(os.path.abspath(restore_checkpoint_cfg.path), "state"))["target"]
    batch = next(utils.read(dataset_cfg, model.FEATURE_CONVERTER_CLS).as_numpy_iterator())
    step = {"predict": model.predict_batch, "score": model.score_batch}[mode]
    found = jax.jit(step)(flax.core.freeze(params), batch)
    task = seqio.get_mixture_or_task(dataset_cfg.mixture_or_task_name)
    vocabulary = task.output_features[output_vocab_feature_name].vocabulary
    os.makedirs(output_dir, exist_ok=True)
    with open(os.path.join(output_dir, f"{task.name}-{mode}.jsonl"), "w") as file:
        for row in jax.device_get(found):
            said = (
                vocabulary.decode_tf(tf.constant(row)).numpy().decode() if mode == "predict" else float(row)
            )
            file.write(json.dumps({mode: said}) + "\n")


if __name__ == "__main__":
    gin_flags.parse(infer)()
