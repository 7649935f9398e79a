"""Several devices compute what one computes, and every array lies where the rules say."""

import dataclasses
import os
import re
import subprocess
import sys
import textwrap
import types
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified_io import cli
from unified_io.errors import ConfigError
from unified_io.gin_edge import session
from unified_io.model import parameter_shapes
from unified_io.train import mesh as meshes
from unified_io.train.mesh import MeshConfig, init_sharded, make_mesh, shard_batch, shardings

TESTS = Path(__file__).resolve().parents[1]

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
        use = lambda name, axes, shape: nn.with_logical_constraint(self.param(name, box(names=axes), shape), axes)
        wi, wo = use("wi", ("embed", "mlp"), (16, 32)), use("wo", ("mlp", "embed"), (32, 16))
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

def run(devices, shape, name="adamw", steps=3, start=lambda state: state):
    mesh = make_mesh(MeshConfig(*shape), devices)
    init = lambda key: model.init(key, batch["x"])["params"]
    shapes = nn.meta.unbox(jax.eval_shape(init, jax.random.key(0)))
    rate = ScheduleConfig("constant", base=0.01)
    optimizer = build(OptimizerConfig(name, rate, weight_decay=0.01, min_dim_to_factor=8), shapes)
    state = init_sharded(lambda key: TrainState.create(init(key), optimizer), jax.random.key(0), mesh=mesh)
    state = start(state)
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


def _run(*arguments: str) -> None:
    """Runs Python with eight devices."""
    environment = {
        **os.environ,
        "JAX_NUM_CPU_DEVICES": "8",
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)]),
        "JAX_COMPILATION_CACHE_DIR": jax.config.jax_compilation_cache_dir,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.2",
    }
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_eight_devices_compute_what_one_computes_and_read_each_others_checkpoints(tmp_path):
    program = """
        devices = jax.devices()
        assert len(devices) == 8
        assert make_mesh(MeshConfig(data=2)).devices.tolist() == [[[devices[0]]], [[devices[1]]]]
        cases = (("adafactor", (8, 1, 1)), ("adamw", (1, 8, 1)), ("adafactor", (2, 2, 2)), ("adamw", (4, 1, 2)))
        for name, shape in cases:
            one, one_losses, *_ = run(devices[:1], (1, 1, 1), name)
            many, losses, text, placed = run(devices, shape, name)
            assert meshes.own_shards(make_mesh(MeshConfig(*shape))) == [*range(shape[0] * shape[1])]
            np.testing.assert_allclose(losses, one_losses, rtol=2e-5)
            jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=5e-5), many.params, one.params)
            assert placed["x"].sharding.spec == P(("data", "fsdp")) and len(placed["x"].addressable_shards) == 8
            wi, wo = many.params["wi"], many.params["wo"]
            assert wi.sharding.spec == P("fsdp", "model") and wo.sharding.spec == P("model", "fsdp")
            assert wi.addressable_shards[0].data.shape == (16 // shape[1], 32 // shape[2])
            # A parameter lies in parts over fsdp, and is whole along this axis where it is used.
            used = r"sharding_constraint [^\\n]*<@\\w*, \\[{}, {\\"model\\"}\\]> : tensor<16x32xf32>"
            assert re.search(used, text), text
            # The constraint inside the model is really there.
            assert re.search(r"sharding_constraint [^\\n]*\\"data\\"[^\\n]*\\"model\\"", text), text
        moments = {k: v for k, v in pytree.named_leaves(many.opt_state).items() if "/mu/" in k}
        assert [v.sharding.spec for k, v in moments.items() if k.endswith("wi")] == [P("fsdp", "model")]
        for k, gradient in pytree.named_leaves(one.opt_state).items():
            if "/mu/" in k:
                np.testing.assert_allclose(moments[k], gradient, rtol=1e-4, atol=1e-8, err_msg=k)
        with Checkpoints(sys.argv[1]) as checkpoints:
            checkpoints.save(3, many, wait=True)
            like = pytree.abstract(many)
            _, [(wanted, _)], *_ = run(devices, shape, name, 1, lambda _: checkpoints.restore(like))
            for other in ((1, 1, 1), (1, 2, 1), (2, 1, 2), (1, 4, 2), (2, 1, 4)):
                def restored(target):
                    there = checkpoints.restore(pytree.abstract(target))
                    with Checkpoints(sys.argv[1] + "-" + "x".join(map(str, other))) as others:
                        others.save(3, there, wait=True)
                        back = others.restore(like)
                    for found, wished in ((there, pytree.abstract(target)), (back, like)):
                        jax.tree.map(np.testing.assert_array_equal, found, many)
                        same = jax.tree.map(lambda a, b: a.sharding == b.sharding, found, wished)
                        assert jax.tree.all(same)
                    return there

                _, [(loss, _)], *_ = run(devices[:np.prod(other)], other, name, 1, restored)
                np.testing.assert_allclose(loss, wanted, rtol=1e-6, err_msg=str(other))
        """
    _run("-c", _PRELUDE + textwrap.dedent(program), str(tmp_path / "many"))


@pytest.mark.parametrize(
    "switches, optimizer, shapes",
    [
        (
            '{"scan_layers": true, "remat": "full", "inputs": ["text", "image"], "targets": ["text"]}',
            "gradients",
            ("8,1,1", "2,2,2", "1,2,4"),
        ),
        pytest.param(
            '{"scan_layers": true, "remat": "full"}',
            "adamw",
            ("2,2,2", "1,8,1", "2,1,4"),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            '{"inputs": ["text", "image", "action"], "targets": ["text"]}',
            "adamw",
            ("8,1,1", "4,1,2", "2,4,1"),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_the_network_learns_on_eight_devices_what_it_learns_on_one(switches, optimizer, shapes):
    """On packed rows, with every modality where there is time: `whole_model.py` says what is compared."""
    _run(str(TESTS / "train" / "whole_model.py"), switches, optimizer, *shapes)


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
        ConfigError, match=r"MeshConfig.data=.* do not fit 1 devices; set .* so that their product divides 1"
    ):
        make_mesh(config, jax.devices()[:1])


@pytest.mark.parametrize(
    "config, found",
    [
        (MeshConfig(), (8, 1, 1)),
        (MeshConfig(data=1), (1, 1, 1)),
        (MeshConfig(data=-1, model=2), (4, 1, 2)),
        (MeshConfig(data=1, fsdp=-1), (1, 8, 1)),
        (MeshConfig(data=1, fsdp=-1, model=4), (1, 2, 4)),
        (MeshConfig(data=2, fsdp=2, model=-1), (2, 2, 2)),
    ],
)
def test_one_axis_may_take_what_the_others_leave(config, found):
    assert meshes.sizes(config, 8) == dict(zip(meshes.AXES, found, strict=True))


@pytest.mark.parametrize(
    "config",
    [MeshConfig(data=-1, fsdp=-1), MeshConfig(data=-1, model=3), MeshConfig(data=-2), MeshConfig(fsdp=0)],
)
def test_nothing_else_fits(config):
    with pytest.raises(ConfigError, match="do not fit 8 devices"):
        meshes.sizes(config, 8)


@pytest.mark.parametrize(
    "name, shape",
    [("one_device", (1, 1, 1)), ("data", (8, 1, 1)), ("fsdp", (1, 8, 1)), ("two_dimensional", (1, 4, 2))],
)
def test_a_mesh_file_spreads_a_run_over_eight_devices(name, shape, tmp_path):
    files = ["run/digits.gin", f"mesh/{name}.gin"]
    job = session.build(session.parse(files, [f"MODEL_DIR={str(tmp_path)!r}"]), cli.run).training
    assert tuple(meshes.sizes(job.mesh, 8).values()) == shape
    placed = jax.tree.leaves(shardings(parameter_shapes(job.model), _abstract_mesh(*shape)))
    assert {axis for sharding in placed for axis in sharding.spec if axis} == {"fsdp", "model"}


@dataclasses.dataclass(frozen=True)
class Device:
    """A device of some process."""

    process_index: int


def _mesh_of(processes: list[int], *shape: int):
    devices = np.array([Device(process) for process in processes]).reshape(shape)
    return types.SimpleNamespace(devices=devices, shape=dict(zip(meshes.AXES, shape, strict=True)))


@pytest.mark.parametrize(
    "processes, shape, own",
    [
        ([0, 0, 1, 1], (4, 1, 1), [0, 1]),
        ([1, 1, 0, 0], (2, 2, 1), [2, 3]),
        ([0, 1, 0, 1], (4, 1, 1), [0, 2]),
        ([0, 0, 1, 1], (2, 1, 2), [0]),
        ([1, 1, 0, 0], (1, 1, 4), [0]),  # a layer split over processes: both make the only shard
        ([1, 0, 1, 0], (1, 2, 2), [0, 1]),
    ],
)
def test_a_process_makes_the_shards_of_its_devices(processes, shape, own):
    assert meshes.own_shards(_mesh_of(processes, *shape)) == own


def test_a_mesh_that_leaves_a_process_idle_is_an_error():
    with pytest.raises(ConfigError, match=r"2 of 4 devices leaves nothing to do for processes \[1\]"):
        make_mesh(MeshConfig(data=2), [Device(0), Device(0), Device(1), Device(1)])


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
