"""Runs that hold in few bits what they do not train: what they say, what moves, what they leave, how they go on."""

import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from tiny_connected import connected_config

import data_tasks.connected_digits.facts  # noqa: F401  registers digit_facts
from unified_io import checkpoint, pytree
from unified_io.backbones.adapters import LoRAConfig
from unified_io.convert import folders
from unified_io.data.batch import assemble
from unified_io.data.budgets import Budgets
from unified_io.data.packer import prepare
from unified_io.data.packing import one_per_row
from unified_io.errors import CheckpointError, ConfigError
from unified_io.nn.held import is_held
from unified_io.reliability.machine import Machine
from unified_io.reliability.plan import plan
from unified_io.train.job import TrainJob
from unified_io.train.optimizer import OptimizerConfig, ScheduleConfig
from unified_io.train.validation import loss_of

MODEL = connected_config(lora=LoRAConfig(rank=2, alpha=4.0), scan_layers=False)
BUDGETS = Budgets(4, 48, 16, {"text": 160, "image": 2, "video": 1, "audio": 2}, {"text": 48})
TRAINED = ("_connector/", "/lora_[ab]$")


def job(folder, begins, **changes) -> TrainJob:
    optimizer = OptimizerConfig(learning_rate=ScheduleConfig("constant", base=0.01), trained=TRAINED)
    numbers = {"total_steps": 4, "checkpoint_period": 2, "eval_period": 4, "eval_examples": 8}
    given = {"frozen_storage": "nf4", "initial_params": {"": str(begins)}, "lookahead": 2.0}
    return TrainJob(str(folder), MODEL, "digit_facts", BUDGETS, optimizer, **{**numbers, **given, **changes})


@pytest.fixture(scope="module")
def params():
    """Drawn at random, the updates too, so that they have gradients on both sides."""
    drawn, rng = folders.random_params(MODEL), np.random.default_rng(0)
    return pytree.map_named(
        lambda name, leaf: np.float32(rng.normal(size=leaf.shape) * 0.05) if "/lora_b" in name else leaf,
        drawn,
    )


@pytest.fixture(scope="module")
def begins(params, tmp_path_factory):
    folder = tmp_path_factory.mktemp("begins") / "model"
    folders.save(folder, MODEL, params)
    return folder


@pytest.fixture(scope="module")
def batch():
    picture = np.random.default_rng(0).random((20, 30, 3), np.float32)
    examples = [
        {"text_inputs": "what is this?", "text_targets": "a two", "image_inputs": picture},
        {"text_inputs": "say one", "text_targets": "one"},
    ]
    prepared = [prepare(example, MODEL.inputs, MODEL.targets) for example in examples]
    made = one_per_row([example.lengths for example in prepared], BUDGETS)
    return assemble([x.features for x in prepared], made, MODEL.inputs, MODEL.targets)


def held_and_meant(stage, params):
    """Parameters trained and not, and the latter as they are held and as the weights that are meant."""
    parts = stage.apart._divided(params)
    held = stage.apart._held(parts[1])
    meant = jax.tree.map(
        lambda leaf, was: np.asarray(leaf.kernel(was.shape[-2])) if is_held(leaf) else leaf,
        held,
        parts[1],
        is_leaf=is_held,
    )
    return parts, held, meant


@pytest.mark.parametrize("storage", ["int8", "nf4"])
def test_loss_and_gradients_are_those_of_the_weights_that_are_meant(storage, params, batch, tmp_path, begins):
    """The loss is near that of the full weights; trained parameters learn as beside the meant weights."""
    parts, held, meant = held_and_meant(job(tmp_path / "run", begins, frozen_storage=storage), params)
    loss = loss_of(MODEL, 0.0)

    def learned(rest):
        compute = lambda p, rest: loss(pytree.together(p, rest), batch, jax.random.key(0))[0]  # noqa: E731
        return jax.jit(jax.value_and_grad(compute))(parts[0], rest)

    (full, _), (said, got), (_, wanted) = learned(parts[1]), learned(held), learned(meant)
    assert full != said and abs(said - full) < {"int8": 0.01, "nf4": 0.1}[storage] * full
    # Of media that nobody gave there is no gradient.
    slopes = {name: np.abs(leaf).max() for name, leaf in pytree.named_leaves(got).items()}
    assert all(slopes[name] > 0 for name in slopes if "image_connector" in name or "lora" in name)
    for name, leaf in pytree.named_leaves(wanted).items():
        np.testing.assert_allclose(pytree.named_leaves(got)[name], leaf, atol=1e-6, rtol=1e-5, err_msg=name)


@pytest.fixture(scope="module")
def ran(begins, tmp_path_factory):
    """A run from its beginning to its end."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    job(folder, begins).train()
    return folder


def test_what_is_not_trained_is_left_as_it_was_and_never_saved(ran, params):
    before = pytree.named_leaves(params)
    after = pytree.named_leaves(folders.load(ran / "model").params)
    moved = {name for name in before if not np.array_equal(before[name], after[name])}
    lora = {name for name in before if "/lora_" in name}
    assert lora and moved == lora
    saved, _ = checkpoint.load_params(ran / "checkpoint_4")
    assert pytree.named_leaves(saved).keys() == {n for n in before if "/lora_" in n or "_connector/" in n}


def test_a_run_that_goes_on_ends_as_one_that_never_stopped(ran, begins, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(ran, folder)
    shutil.rmtree(folder / "model")
    shutil.rmtree(folder / "checkpoint_4")
    job(folder, begins).train()
    one, other = (pytree.named_leaves(folders.load(run / "model").params) for run in (ran, folder))
    for name, leaf in one.items():
        np.testing.assert_array_equal(leaf, other[name], err_msg=name)


def test_a_run_does_not_go_on_beside_other_parameters(ran, begins, params, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(ran, folder)
    shutil.rmtree(folder / "model")
    with pytest.raises(ConfigError, match="begun with frozen_storage='nf4', not 'int8'"):
        job(folder, begins, total_steps=6, frozen_storage="int8").train()
    other = pytree.map_named(lambda name, leaf: leaf + 1 if name.endswith("norm/scale") else leaf, params)
    folders.save(tmp_path / "other", MODEL, other)
    with pytest.raises(CheckpointError, match="does not train are not those it was begun with"):
        job(folder, tmp_path / "other", total_steps=6).train()


ON_FOUR_DEVICES = """
import sys
from train.test_apart import job
from unified_io.train.mesh import MeshConfig

begins, meant, folder = sys.argv[1:]
for name, given in (("held", {}), ("meant", {"frozen_storage": None, "initial_params": {"": meant}})):
    job(f"{folder}/{name}", begins, mesh=MeshConfig(data=2, fsdp=2), **given).train()
"""


@pytest.mark.slow
def test_several_devices_learn_beside_what_is_held(params, begins, tmp_path):
    """Trained parameters end as they do beside the weights that are meant, divided over the devices."""
    parts, _, meant = held_and_meant(job(tmp_path / "run", begins), params)
    folders.save(tmp_path / "meant", MODEL, pytree.together(parts[0], meant))
    tests = Path(__file__).resolve().parents[1]
    environment = os.environ | {
        "JAX_NUM_CPU_DEVICES": "4",
        "PYTHONPATH": os.pathsep.join([str(tests), str(tests.parent)]),
        "JAX_COMPILATION_CACHE_DIR": jax.config.jax_compilation_cache_dir,
    }
    command = [sys.executable, "-c", ON_FOUR_DEVICES, *map(str, (begins, tmp_path / "meant", tmp_path))]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    one, other = (pytree.named_leaves(folders.load(tmp_path / n / "model").params) for n in ("held", "meant"))
    moved = {
        name for name, leaf in one.items() if not np.array_equal(leaf, pytree.named_leaves(params)[name])
    }
    assert moved and all("/lora_" in name for name in moved)
    for name in moved:
        np.testing.assert_allclose(one[name], other[name], atol=1e-5, err_msg=name)


def test_a_plan_counts_eight_bits_a_weight_and_no_state_of_what_is_held(begins, tmp_path):
    machine = Machine("a laptop", 1, flops=1e11, bandwidth=1e10, memory=2**33, disk=10**12)
    stage = job(tmp_path / "run", begins, frozen_storage="int8")
    small, full = plan(stage, machine), plan(dataclasses.replace(stage, frozen_storage=None), machine)
    blocks = [
        leaf.size
        for name, leaf in pytree.named_leaves(folders.random_params(MODEL)).items()
        if "/layers_" in name and name.endswith("/kernel") and name.startswith("language_model")
    ]
    saved = full.memory["parameters"] - small.memory["parameters"]
    assert 0.9 * 3 * sum(blocks) < saved < 3 * sum(blocks)
    assert small.parameters == full.parameters and small.disk["trained model"] == full.disk["trained model"]
    assert small.disk["one checkpoint"] < 0.1 * full.disk["one checkpoint"]


def test_what_can_not_be_held_is_said_before_anything_is_compiled(begins, tmp_path):
    with pytest.raises(ConfigError, match="did you mean 'nf4'"):
        job(tmp_path / "a", begins, frozen_storage="nf5").check()
    stage = job(tmp_path / "b", begins)
    everything = dataclasses.replace(stage.optimizer, trained=())
    with pytest.raises(ConfigError, match="no kernel's name has"):
        dataclasses.replace(stage, optimizer=everything).check()
    job(tmp_path / "c", begins).check()
