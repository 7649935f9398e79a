"""Several devices compute what one computes, and every array lies where the rules say."""

import os
import re
import subprocess
import sys
import textwrap

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified_io.errors import ConfigError
from unified_io.train import mesh as meshes
from unified_io.train.mesh import MeshConfig, init_sharded, make_mesh, shard_batch, shardings

_PRELUDE = """
import functools, re, sys
import flax.linen as nn, jax, jax.numpy as jnp, numpy as np
from jax.sharding import PartitionSpec as P
from unified_io import pytree
from unified_io.checkpoint import Checkpoints
from unified_io.train import mesh as meshes
from unified_io.train.mesh import MeshConfig, init_sharded, make_mesh, shard_batch
from unified_io.train.optimizer import OptimizerConfig, ScheduleConfig, build
from unified_io.train.state import TrainState
from unified_io.train.step import make_train_step

class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        box = functools.partial(nn.with_logical_partitioning, nn.initializers.normal(0.3))
        wi = self.param("wi", box(names=("embed", "mlp")), (16, 32))
        wo = self.param("wo", box(names=("mlp", "embed")), (32, 16))
        scale = self.param("scale", nn.with_logical_partitioning(nn.initializers.ones, ("embed",)), (16,))
        hidden = nn.with_logical_constraint(jax.nn.relu(x * scale @ wi), ("batch", "length", "mlp"))
        return hidden @ wo

model = Net()
rng = np.random.default_rng(0)
batch = {"x": rng.normal(size=(8, 3, 16)).astype(np.float32), "y": rng.normal(size=(8, 3, 16)).astype(np.float32)}

def loss_fn(params, batch, rng):
    return jnp.mean((model.apply({"params": params}, batch["x"]) - batch["y"]) ** 2), {}

compiled = []
jax.monitoring.register_event_duration_secs_listener(lambda e, d, **_: compiled.extend([e] * ("backend_compile" in e)))

def run(devices, shape, name="adamw", steps=3):
    mesh = make_mesh(MeshConfig(*shape), devices)
    init = lambda key: model.init(key, batch["x"])["params"]
    shapes = nn.meta.unbox(jax.eval_shape(init, jax.random.key(0)))
    rate = ScheduleConfig("constant", base=0.01)
    optimizer = build(OptimizerConfig(name, rate, weight_decay=0.01, min_dim_to_factor=8), shapes)
    state = init_sharded(lambda key: TrainState.create(init(key), optimizer), jax.random.key(0), mesh=mesh)
    step = make_train_step(loss_fn, optimizer, seed=0)
    losses = []
    with meshes.use(mesh):
        placed = shard_batch(batch, mesh)
        text = jax.jit(loss_fn).lower(state.params, placed, None).as_text()
        for i in range(steps):
            before = jax.tree.map(lambda x: x.sharding, state)
            compiled.clear()
            state, metrics = step(state, placed)
            assert len(compiled) == (i == 0), compiled
            losses.append((float(metrics["loss"]), float(metrics["grad_norm"])))
            assert jax.tree.map(lambda x: x.sharding, state) == before
    return state, losses, text, placed
"""


def _run(code: str, *arguments: str) -> None:
    environment = {**os.environ, "JAX_NUM_CPU_DEVICES": "8", "JAX_PLATFORMS": "cpu"}
    program = _PRELUDE + textwrap.dedent(code)
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_eight_devices_compute_what_one_computes_and_read_each_others_checkpoints(tmp_path):
    _run(
        """
        devices = jax.devices()
        assert len(devices) == 8
        assert make_mesh(MeshConfig(data=2)).devices.tolist() == [[[devices[0]]], [[devices[1]]]]
        cases = (("adafactor", (8, 1, 1)), ("adamw", (1, 8, 1)), ("adafactor", (2, 2, 2)), ("adamw", (2, 1, 4)))
        for name, shape in cases:
            one, one_losses, _, _ = run(devices[:1], (1, 1, 1), name)
            many, losses, text, placed = run(devices, shape, name)
            assert meshes.own_shards(make_mesh(MeshConfig(*shape))) == [*range(shape[0] * shape[1])]
            np.testing.assert_allclose(losses, one_losses, rtol=2e-5)
            jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=5e-5), many.params, one.params)
            assert placed["x"].sharding.spec == P(("data", "fsdp")) and len(placed["x"].addressable_shards) == 8
            wi, wo = many.params["wi"], many.params["wo"]
            assert wi.sharding.spec == P("fsdp", "model") and wo.sharding.spec == P("model", "fsdp")
            assert wi.addressable_shards[0].data.shape == (16 // shape[1], 32 // shape[2])
            # The constraint inside the model is really there.
            assert re.search(r"sharding_constraint [^\\n]*\\"data\\"[^\\n]*\\"model\\"", text), text
        moments = {k: v for k, v in pytree.named_leaves(many.opt_state).items() if "/mu/" in k}
        assert [v.sharding.spec for k, v in moments.items() if k.endswith("wi")] == [P("fsdp", "model")]
        for k, gradient in pytree.named_leaves(one.opt_state).items():
            if "/mu/" in k:
                np.testing.assert_allclose(moments[k], gradient, rtol=1e-4, atol=1e-8, err_msg=k)
        with Checkpoints(sys.argv[1]) as checkpoints:
            checkpoints.save(3, many, wait=True)
            for target in (one, *(run(devices, s, name, steps=0)[0] for s in ((4, 1, 2), (1, 4, 2)))):
                back = checkpoints.restore(pytree.abstract(target))
                jax.tree.map(np.testing.assert_array_equal, back, many)
                same = jax.tree.map(lambda a, b: a.sharding == b.sharding, back, target)
                assert jax.tree.all(same)
        """,
        str(tmp_path),
    )


def test_one_device_is_a_mesh_too():
    mesh = make_mesh(MeshConfig(), jax.devices()[:1])
    assert dict(mesh.shape) == {"data": 1, "fsdp": 1, "model": 1}
    box = nn.with_logical_partitioning(nn.initializers.ones, ("embed", "mlp"))
    params = init_sharded(lambda key: {"w": box(key, (2, 3), jnp.float32)}, jax.random.key(0), mesh=mesh)
    assert isinstance(params["w"], jax.Array) and params["w"].shape == (2, 3)
    assert shard_batch({"a": np.ones((1, 2))}, mesh)["a"].shape == (1, 2)


@pytest.mark.parametrize(
    "config", [MeshConfig(data=3), MeshConfig(model=2), MeshConfig(fsdp=2), MeshConfig(data=1, model=0)]
)
def test_a_mesh_that_does_not_fit_is_an_error(config):
    with pytest.raises(
        ConfigError, match=r"does not fit 1 devices; choose fsdp and model whose product divides 1"
    ):
        make_mesh(config, jax.devices()[:1])


def test_every_rule_is_of_this_mesh_and_named_once():
    names = [name for name, _ in meshes.RULES]
    assert len(names) == len(set(names))
    assert {axis for _, axis in meshes.RULES} == {("data", "fsdp"), "fsdp", "model", None}


def _abstract_mesh(*shape: int):
    return jax.sharding.AbstractMesh(shape, meshes.AXES)


def _boxed(shape, names):
    return {"w": nn.LogicallyPartitioned(jax.ShapeDtypeStruct(shape, jnp.float32), names)}


def test_shardings_follow_the_names():
    mesh = _abstract_mesh(1, 2, 4)
    for names, spec in {
        ("vocab", "embed"): ("model", "fsdp"),
        ("embed", "joined_kv"): ("fsdp", "model"),
        ("layers", "mlp"): (None, "model"),
        ("image_patch", None): ("model", None),
    }.items():
        assert tuple(shardings(_boxed((8, 8), names), mesh)["w"].spec) == spec
    assert tuple(shardings(_boxed((8,), ("vocab", "embed")), mesh)["w"].spec) == (), (
        "row statistics are replicated"
    )
    assert tuple(shardings({"w": jnp.ones((3, 3))}, mesh)["w"].spec) == ()


def test_names_and_sizes_that_can_not_be_are_errors():
    with pytest.raises(ConfigError, match="unknown logical axis 'embd'; did you mean 'embed'"):
        shardings(_boxed((8, 8), ("vocab", "embd")), _abstract_mesh(1, 2, 4))
    with pytest.raises(
        ConfigError, match=re.escape("axis 'mlp' of a parameter of shape (8, 6) does not divide over the 4")
    ):
        shardings(_boxed((8, 6), ("embed", "mlp")), _abstract_mesh(1, 2, 4))


def test_a_batch_that_does_not_divide_is_named():
    class Mesh:
        shape = {"data": 2, "fsdp": 1}

    with pytest.raises(
        ConfigError, match=r"encoder/slots has shape \(3, 4\); its first axis must divide over 2"
    ):
        shard_batch({"encoder": {"slots": np.zeros((3, 4))}}, Mesh())
