"""Where a training job starts."""

import flax.linen as nn
import jax
import numpy as np
import pytest
from tiny import tiny_config

from unified_io import pytree
from unified_io.convert import folders
from unified_io.data.budgets import Budgets
from unified_io.errors import CheckpointError
from unified_io.model import parameter_shapes
from unified_io.train import mesh as meshes
from unified_io.train import optimizer as optimizers
from unified_io.train.job import TrainJob
from unified_io.train.optimizer import OptimizerConfig


def job(tmp_path, model, **options) -> TrainJob:
    budgets = Budgets(1, 8, 8, {m.name: 8 for m in model.inputs}, {m.name: 8 for m in model.targets})
    return TrainJob(str(tmp_path / "run"), model, "none", budgets, OptimizerConfig(), 1, **options)


def initial(job) -> dict:
    mesh = meshes.make_mesh(job.mesh)
    optimizer = optimizers.build(job.optimizer, nn.unbox(parameter_shapes(job.model)))
    given = job._given()
    with meshes.use(mesh):
        return pytree.named_leaves(job._initial_state(mesh, optimizer, given).params)


def test_training_goes_on_from_a_saved_model(tmp_path):
    """With other switches of the backbone too: they change no parameter."""
    saved = tiny_config()
    params = folders.random_params(saved, seed=3)
    folders.save(tmp_path / "released", saved, params)
    start = initial(
        job(tmp_path, tiny_config(sparse_patterns=True), initial_params={"": str(tmp_path / "released")})
    )
    wanted = pytree.named_leaves(params)
    assert start.keys() == wanted.keys()
    for name, leaf in start.items():
        np.testing.assert_array_equal(jax.device_get(leaf), wanted[name], err_msg=name)


def test_a_model_of_another_size_is_refused(tmp_path):
    folders.save(tmp_path / "other", tiny_config(), folders.random_params(tiny_config()))
    with pytest.raises(CheckpointError, match="is of another model"):
        initial(job(tmp_path, tiny_config(mlp_dim=48), initial_params={"": str(tmp_path / "other")}))
