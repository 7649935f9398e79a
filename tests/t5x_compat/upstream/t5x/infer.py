"""Writes predictions or scores of a task's examples as JSON lines."""

import functools
import json
import os

import jax
import jax.numpy as jnp
import numpy as np
import seqio
import tensorflow as tf

from . import asking, gin_utils, states, utils


def write_inferences_to_file(path, inferences, task_ds, mode, vocabulary=None):
    """Writes a line an example: what was said, and of the example what is called `*_pretokenized`."""
    predictions, aux_values = inferences

    def plain(value):
        if isinstance(value, bytes):
            return value.decode("utf-8")
        return value.tolist() if isinstance(value, np.ndarray | jnp.ndarray) else value

    with open(path, "w") as file:
        for i, example in task_ds.enumerate().as_numpy_iterator():
            row = {"inputs": {k: plain(v) for k, v in example.items() if k.endswith("_pretokenized")}}
            if mode == "score":
                row["score"] = plain(predictions[i])
            else:
                row["prediction"] = plain(vocabulary.decode_tf(tf.constant(predictions[i])).numpy())
            if aux_values:
                is_list = lambda leaf: isinstance(leaf, list)  # noqa: E731
                row["aux"] = jax.tree.map(lambda leaf, i=i: leaf[i], aux_values, is_leaf=is_list)
            file.write(json.dumps(row, cls=seqio.TensorAndNumpyEncoder) + "\n")


def infer(
    *,
    mode,
    model,
    dataset_cfg,
    restore_checkpoint_cfg,
    partitioner,
    output_dir,
    checkpoint_period,
    shard_id=0,
    num_shards=1,
    write_fn=write_inferences_to_file,
    checkpoint_ds_iter=True,
    summarize_config_fn=gin_utils.summarize_gin_config,
    verify_matching_vocabs_fn=utils.verify_matching_vocabs,
    output_vocab_feature_name="targets",
    use_orbax=False,
):
    summarize_config_fn(model_dir=output_dir, summary_writer=None, step=0)
    if verify_matching_vocabs_fn is not None:
        verify_matching_vocabs_fn(dataset_cfg, model)
    batch_size, lengths = dataset_cfg.batch_size, dataset_cfg.task_feature_lengths
    provider = seqio.maybe_get_mixture_or_task(dataset_cfg.mixture_or_task_name)
    converter = model.FEATURE_CONVERTER_CLS(pack=False)

    def read(provider):
        return provider.get_dataset(
            sequence_length=lengths,
            split=dataset_cfg.split,
            shuffle=False,
            num_epochs=1,
            shard_info=seqio.ShardInfo(index=shard_id, num_shards=num_shards),
            use_cached=dataset_cfg.use_cached,
            seed=dataset_cfg.seed,
        )

    specs = converter(read(provider), lengths).element_spec
    initializer = states.TrainStateInitializer(
        optimizer_def=None,
        init_fn=model.get_initial_variables,
        input_shapes={name: (batch_size, *spec.shape) for name, spec in specs.items()},
        input_types={name: jnp.dtype(spec.dtype.as_numpy_dtype) for name, spec in specs.items()},
        partitioner=partitioner,
    )
    info = os.path.join(output_dir, "model-info.txt")
    states.log_model_info(info, initializer.global_train_state_shape, partitioner)
    restore_checkpoint_cfg.strict = False
    train_state = states.restored(initializer, partitioner, restore_checkpoint_cfg)
    step = {
        "predict": model.predict_batch,
        "predict_with_aux": model.predict_batch_with_aux,
        "score": model.score_batch,
    }[mode]
    asked = functools.partial(
        asking.get_infer_fn(step, batch_size, initializer.train_state_axes, partitioner),
        train_state=train_state,
    )
    for task in seqio.get_subtasks(provider):
        examples = read(task)
        _infer_task(
            task,
            tf.data.Dataset.zip((examples, converter(examples, task_feature_lengths=lengths))),
            checkpoint_period * batch_size,
            asked,
            functools.partial(
                write_fn,
                mode=mode,
                vocabulary=task.output_features[output_vocab_feature_name].vocabulary,
            ),
            os.path.join(output_dir, f"{task.name}-{mode}.jsonl-{shard_id:05}-of-{num_shards:05}"),
            checkpoint_ds_iter,
        )


def _infer_task(task, dataset, chunk_size, asked, write, path, checkpoint_ds_iter):
    """In chunks, each of which lies in memory as a whole, the examples padded to the largest."""
    chunks = iter(dataset.padded_batch(chunk_size, drop_remainder=False).enumerate().prefetch(1))
    if checkpoint_ds_iter:
        tf.train.Checkpoint(ds=chunks).write(f"{path}.ckpt")
    parts = []
    for number, chunk in chunks:
        whole = tf.data.Dataset.from_tensor_slices(chunk)
        rng = jax.random.fold_in(jax.random.PRNGKey(0), number)
        found = asked(whole.map(lambda example, features: features).enumerate(), rng=rng)
        pairs, aux = found if isinstance(found, tuple) else (found, {})
        assert [index for index, _ in pairs] == list(range(len(pairs)))
        parts.append(f"{path}-chunk{int(number):05}")
        write(parts[-1], ([said for _, said in pairs], aux), whole.map(lambda example, features: example))
    with open(path, "w") as merged:
        for part in parts:
            with open(part) as file:
                merged.write(file.read())
            os.remove(part)
    open(f"{path}.COMPLETED", "w").close()


if __name__ == "__main__":
    gin_utils.run(infer)
