"""A model that is asked about a dataset of numbered examples."""

import inspect
from collections.abc import Mapping

import jax
import numpy as np


def get_infer_fn(infer_step, batch_size, train_state_axes, partitioner):
    """Has a model predict or score a dataset of numbered examples; returns numbers with what it says of them."""

    def numbered(params, batch, rng, indices):
        takes_rng = "rng" in inspect.signature(infer_step).parameters
        return indices, infer_step(params, batch, rng) if takes_rng else infer_step(params, batch)

    data = partitioner.data_partition_spec
    step = partitioner.partition(numbered, (train_state_axes.params, data, None, data), (None, None))

    def infer(dataset, train_state, rng=None):
        length = len(dataset)
        if missing := -length % batch_size:
            pad = dataset.take(1).map(lambda i, x: (np.int64(-1), x)).cache().repeat(missing)
            dataset = dataset.concatenate(pad)
        results, indices = [], []
        for index, batch in dataset.batch(batch_size, drop_remainder=True).as_numpy_iterator():
            own = None
            if rng is not None:
                own, rng = jax.random.split(rng)
            which, found = step(train_state.params, batch, own, index)
            results.append(found)
            indices.append(which)
        found, indices = jax.tree.map(lambda *parts: np.concatenate(parts), *results), np.concatenate(indices)
        real = np.where(indices >= 0)
        found, indices = jax.tree.map(lambda leaf: leaf[real], found), indices[real]
        aux = None
        if isinstance(found, tuple) and len(found) == 2 and isinstance(found[1], Mapping):
            found, aux = found
        leaves, structure = jax.tree.flatten(found)
        each = [jax.tree.unflatten(structure, leaf) for leaf in zip(*leaves, strict=True)]
        pairs = jax.tree.map(lambda leaf: np.array(leaf).tolist(), list(zip(indices, each, strict=True)))
        assert len(pairs) == length
        return pairs if aux is None else (pairs, jax.tree.map(lambda leaf: np.array(leaf).tolist(), aux))

    return infer
