"""Trains the whole small network on meshes of virtual devices and compares them with one device. Run as a program.

python whole_model.py '{"scan_layers": true, "remat": "full"}' adamw 2,2,2 4,1,2
"""

import dataclasses
import json
import re
import sys
from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import numpy as np
import optax
from jax.sharding import Mesh
from tiny import featurize, tiny_config, tiny_examples

from unified_io import pytree
from unified_io.data.batch import assemble
from unified_io.data.budgets import Budgets
from unified_io.data.packing import measure, plan
from unified_io.model import Network, UnifiedIOConfig, blank_batch, parameter_shapes
from unified_io.train import mesh as meshes
from unified_io.train import optimizer as optimizers
from unified_io.train.job import TrainJob
from unified_io.train.mesh import MeshConfig
from unified_io.train.optimizer import OptimizerConfig, ScheduleConfig
from unified_io.train.state import TrainState
from unified_io.train.step import make_train_step

GROUPS, STEPS = 8, 2
# With so large an epsilon, gradients that are nothing but rounding move nothing.
OPTIMIZER = OptimizerConfig("adamw", ScheduleConfig("constant", base=0.01), eps=1e-3)


def main(switches: str, name: str, *shapes: str) -> None:
    """Compares meshes, each given as data,fsdp,model, with one device.

    Args:
      switches: Of `model_of`, as JSON.
      name: "adamw", a whole optimizer; or "gradients", which are then what parameters move by, and soon compiled.
      *shapes: The meshes.
    """
    compiled: list[str] = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, _, **__: compiled.extend([event] * ("backend_compile" in event))
    )
    job = job_of(model_of(**json.loads(switches)))
    batch = global_batch(job)
    whole = optimizers.build(job.optimizer, nn.unbox(parameter_shapes(job.model)))
    optimizer = {"adamw": whole, "gradients": optax.sgd(1.0)}[name]
    devices = jax.devices()
    one = meshes.make_mesh(MeshConfig(1), devices[:1])
    start = jax.device_get(init_on(one, job, optimizer))
    wanted = train(job, optimizer, one, start, batch, compiled)
    for shape in shapes:
        mesh = meshes.make_mesh(MeshConfig(*map(int, shape.split(","))), devices)
        compare(train(job, optimizer, mesh, start, batch, compiled), wanted, shape)
    assert_constrained(job, mesh, start.params, batch)
    if name == "adamw":
        fresh = init_on(mesh, job, optimizer)
        jax.tree.map(np.testing.assert_array_equal, jax.device_get(fresh), start)


def model_of(inputs: Sequence[str] = (), targets: Sequence[str] = (), **backbone: Any) -> UnifiedIOConfig:
    """The small model, with heads that four devices can share; with all its modalities, or those named."""
    whole = tiny_config(**{"num_heads": 4, **backbone})
    kept = lambda found, names: tuple(m for m in found if not names or m.name in names)  # noqa: E731
    return dataclasses.replace(whole, inputs=kept(whole.inputs, inputs), targets=kept(whole.targets, targets))


def job_of(model: UnifiedIOConfig) -> TrainJob:
    """A job of one row a group; neither its folder nor its mixture is used."""
    room = lambda modalities: {m.name: 2 if m.slot_size > 1 else 48 for m in modalities}  # noqa: E731
    budgets = Budgets(1, 48, 32, room(model.inputs), room(model.targets))
    frozen = ("/tokenizer/",) if any(m.slot_size > 1 for m in model.targets) else ()
    optimizer = dataclasses.replace(OPTIMIZER, frozen=frozen)
    return TrainJob("nowhere", model, "none", budgets, optimizer, STEPS)


def global_batch(job: TrainJob) -> Any:
    """One batch of eight groups, with many examples in some rows."""
    model = job.model
    written = {field for target in model.targets for field in target.fields[:1]}
    examples = [x for seed in range(9) for x in tiny_examples(seed) if written & x.keys()]
    features = featurize(model, examples)
    planned = plan([measure(x, model.inputs, model.targets) for x in features], job.budgets, groups=GROUPS)
    batch = assemble(features, planned, model.inputs, model.targets)
    most = batch["encoder"]["segment_ids"].max(axis=(1, 2))
    assert most.min() >= 1 and most.max() >= 2, f"examples of the groups' fullest rows: {most}"
    return batch


def init_on(mesh: Mesh, job: TrainJob, optimizer: Any) -> TrainState:
    """A fresh state on a mesh."""
    return meshes.init_sharded(lambda key: state_of(key, job, optimizer), jax.random.key(0), mesh=mesh)


def state_of(key: Any, job: TrainJob, optimizer: Any) -> TrainState:
    """A fresh state with boxed parameters."""
    params = Network(job.model).init(key, blank_batch(job.model))["params"]
    return TrainState.create(params, optimizer)


def train(job: TrainJob, optimizer: Any, mesh: Mesh, start: Any, batch: Any, compiled: list[str]) -> Any:
    """Trains from a state of NumPy arrays; returns the metrics of every step and the last parameters."""
    boxed = jax.eval_shape(lambda key: state_of(key, job, optimizer), jax.random.key(0))
    placed = meshes.shardings(boxed, mesh)
    state = jax.device_put(start, placed)
    assert_split(state.params, mesh)
    step = make_train_step(job._loss_fn(), optimizer, seed=0)
    reports = []
    with meshes.use(mesh):
        on_mesh = meshes.shard_batch(batch, mesh)
        for number in range(STEPS):
            compiled.clear()
            state, metrics = step(state, on_mesh)
            assert len(compiled) == (number == 0), f"step {number} compiled {len(compiled)} programs"
            assert jax.tree.map(lambda leaf: leaf.sharding, state) == placed
            reports.append({name: float(value) for name, value in metrics.items()})
    return reports, pytree.named_leaves(jax.device_get(state.params))


def assert_split(params: Any, mesh: Mesh) -> None:
    """Every device holds its part of the backbone and the tables, and hardly more."""
    large = {
        name: leaf
        for name, leaf in pytree.named_leaves(params).items()
        if re.search(r"^(encoder|decoder)/.*kernel$|text_token_embedder.*embedding$", name)
    }
    parts = mesh.shape["fsdp"] * mesh.shape["model"]
    assert len(large) > 10, sorted(pytree.named_leaves(params))
    for name, leaf in large.items():
        held = leaf.addressable_shards[0].data.size
        assert held * parts == leaf.size, f"{name} of {leaf.shape}: {leaf.sharding.spec}"


def assert_constrained(job: TrainJob, mesh: Mesh, params: Any, batch: Any) -> None:
    """What the network says of its parameters' axes reaches the compiler."""
    with meshes.use(mesh):
        lowered = jax.jit(job._loss_fn()).lower(params, meshes.shard_batch(batch, mesh), jax.random.key(0))
    constraints = re.findall(r"sdy\.sharding_constraint.*", lowered.as_text())
    # Of a parameter that is stored as (fsdp, model): gathered along the one axis, split along the other.
    split = [line for line in constraints if '[{}, {"model"}]' in line]
    assert len(split) > 15 and len(constraints) > 50, f"{len(split)} of {len(constraints)}: {constraints}"


def compare(found: Any, wanted: Any, shape: str) -> None:
    """Several devices report and learn what one does."""
    for number, (mine, theirs) in enumerate(zip(found[0], wanted[0], strict=True)):
        assert mine.keys() == theirs.keys()
        for name, value in theirs.items():
            where = f"{name} of step {number} on {shape}"
            np.testing.assert_allclose(mine[name], value, rtol=5e-5, atol=1e-6, err_msg=where)
    for name, leaf in wanted[1].items():
        np.testing.assert_allclose(found[1][name], leaf, atol=1e-4, err_msg=f"{name} on {shape}")


if __name__ == "__main__":
    main(*sys.argv[1:])
