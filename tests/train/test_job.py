"""Where a training job starts."""

import dataclasses

import flax.linen as nn
import jax
import numpy as np
import optax
import pytest
from tiny import featurize, tiny_config, tiny_examples

from unified_io import pytree
from unified_io.convert import folders
from unified_io.data.batch import assemble
from unified_io.data.budgets import Budgets
from unified_io.data.packing import measure, plan
from unified_io.errors import CheckpointError, ConfigError, DataError
from unified_io.modalities.image import ImageInput
from unified_io.model import parameter_shapes
from unified_io.reliability.drills import tiny, world
from unified_io.train import mesh as meshes
from unified_io.train import optimizer as optimizers
from unified_io.train import start
from unified_io.train.job import TrainJob
from unified_io.train.optimizer import OptimizerConfig
from unified_io.train.state import TrainState
from unified_io.train.step import make_train_step
from unified_io.vocab import Vocabulary


def job(tmp_path, model, **options) -> TrainJob:
    budgets = Budgets(1, 8, 8, {m.name: 8 for m in model.inputs}, {m.name: 8 for m in model.targets})
    return TrainJob(str(tmp_path / "run"), model, "none", budgets, OptimizerConfig(), 1, **options)


def initial(job) -> dict:
    mesh = meshes.make_mesh(job.mesh)
    optimizer = optimizers.build(job.optimizer, nn.unbox(parameter_shapes(job.model)))
    given = start.parameters(job.model, job.initial_params)
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


def test_targets_count_as_the_job_weighs_them(tmp_path):
    model = tiny_config()
    features = featurize(model, tiny_examples())
    budgets = Budgets(4, 64, 48, {m.name: 48 for m in model.inputs}, {m.name: 24 for m in model.targets})
    planned = plan([measure(x, model.inputs, model.targets) for x in features], budgets, groups=1)
    batch = assemble(features, planned, model.inputs, model.targets)
    params, weights = folders.random_params(model), {"text": 0.5, "image": 0.0}
    loss, metrics = job(tmp_path, model, target_weights=weights)._loss_fn()(params, batch, jax.random.key(0))
    parts = {m.name: metrics[f"{m.name}/loss"] + metrics[f"{m.name}/z_loss"] for m in model.targets}
    assert len(parts) > 2 and all(part > 0 for part in parts.values())
    np.testing.assert_allclose(
        loss, sum(weights.get(name, 1.0) * part for name, part in parts.items()), rtol=1e-5
    )


def test_microbatches_make_the_same_step(tmp_path):
    """Although the targets are spread unevenly over them."""
    model = tiny_config()
    features = featurize(model, tiny_examples())
    lengths = [measure(x, model.inputs, model.targets) for x in features]
    budgets = Budgets(1, 64, 48, {m.name: 48 for m in model.inputs}, {m.name: 24 for m in model.targets})
    planned = plan(lengths, budgets, groups=4)
    assert planned.placed.all()
    batch = assemble(features, planned, model.inputs, model.targets)
    params = folders.random_params(model)
    found = []
    for microbatches in (1, 4):
        one = job(tmp_path, model, microbatches=microbatches)
        step = make_train_step(one._loss_fn(), optax.sgd(1.0), seed=0, split=one._split())
        state, metrics = step(TrainState.create(jax.tree.map(jax.numpy.array, params), optax.sgd(1.0)), batch)
        found.append(pytree.named_leaves(state.params) | metrics)
    whole, parts = found
    assert whole.keys() == parts.keys() and whole["examples"] == len(features)
    for name, value in whole.items():
        np.testing.assert_allclose(parts[name], value, rtol=2e-4, atol=2e-6, err_msg=name)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"eval_period": 0}, "eval_period is 0; give at least 1"),
        ({"lookahead": 0.5}, "lookahead is 0.5; give at least 1"),
        ({"keep": 0}, "keep is 0; give at least 1"),
        ({"target_weights": {"text": -1.0}}, "target_weights has -1.0 for text; give 0 or more"),
        ({"target_weights": {"txet": 2.0}}, "unknown target modality 'txet'; did you mean 'text'"),
        ({"first_step": 1}, "begins at step 1 and ends at total_steps=1; give at least 2"),
    ],
)
def test_impossible_numbers_are_refused_before_anything_is_compiled(tmp_path, options, words):
    with pytest.raises(ConfigError, match=words):
        job(tmp_path, tiny_config(), **options).check()


def test_a_tokenizer_that_is_not_there_is_found_before_anything_is_compiled(tmp_path):
    model = tiny_config()
    text = dataclasses.replace(model.inputs[0], vocabulary=Vocabulary("no/such.model"))
    with pytest.raises(ConfigError, match=r"no/such\.model"):
        job(tmp_path, dataclasses.replace(model, inputs=(text, *model.inputs[1:]))).check()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (dict(source=12), "source is 12"),
        (dict(budgets=Budgets(2, 40, 28, {"text": 64}, {"text": 48, "image": 3})), "input budgets are for"),
    ],
    ids=["source", "budgets"],
)
def test_parts_that_do_not_go_together_are_named(tmp_path, make, words):
    with pytest.raises(ConfigError, match=words):
        tiny.job(tmp_path / "run", world.World("nowhere"), **make).check()


def test_numbers_that_no_picture_and_no_batch_can_have_are_named():
    with pytest.raises(ConfigError, match="resolution 16 has no whole number of patches of 5"):
        ImageInput(resolution=16, patch=5)
    with pytest.raises(ConfigError, match="Budgets.inputs is 7"):
        Budgets(1, 8, 8, 7, {})


def test_files_that_are_not_there_are_named_before_anything_is_compiled(tmp_path):
    job = tiny.job(tmp_path / "run", world.World(str(tmp_path / "nowhere")))
    job.check()
    with pytest.raises(DataError, match="drill_.* finds no file at .*nowhere"):
        job.train()
    assert not (tmp_path / "run" / "train.jsonl").exists()
