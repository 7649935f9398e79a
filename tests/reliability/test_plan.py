"""A plan says what the real arrays weigh and what does not fit, and compiles nothing."""

import dataclasses
import json
import math

import flax.linen as nn
import jax
import pytest
from tiny import tiny_config

from unified_io.data.budgets import Budgets, Lengths
from unified_io.errors import ConfigError
from unified_io.flops import StepFlops
from unified_io.gin_edge import session
from unified_io.loss import total_loss
from unified_io.model import Network, blank_batch, parameter_shapes
from unified_io.reliability import memory
from unified_io.reliability.machine import PEAKS, Machine, measure, named
from unified_io.reliability.plan import plan
from unified_io.reliability.table import amount, duration, table
from unified_io.train import mesh as meshes
from unified_io.train import optimizer as optimizers
from unified_io.train.job import TrainJob
from unified_io.train.mesh import MeshConfig
from unified_io.train.optimizer import OptimizerConfig
from unified_io.train.state import TrainState

LAPTOP = Machine("a laptop", 1, flops=1e11, bandwidth=1e10, memory=8 * 2**30, disk=10**12)
TINY = tiny_config(scan_layers=True)


def of_text(model):
    """The model with text alone, which is traced fast."""
    return dataclasses.replace(model, inputs=model.inputs[:1], targets=model.targets[:1])


TEXT = of_text(TINY)


def job(model=TEXT, *, rows: int = 4, length: int = 64, media: int = 4, **options) -> TrainJob:
    budgets = Budgets(
        rows,
        length,
        length,
        {m.name: media if m.slot_size > 1 else rows * length for m in model.inputs},
        {m.name: media if m.slot_size > 1 else rows * length for m in model.targets},
    )
    given = {"optimizer": OptimizerConfig(), "total_steps": 100} | options
    return TrainJob("not/there", model, "none", budgets, **given)


def released(size: str):
    return session.build_macro(session.parse([f"model/{size}.gin"], []), "MODEL")


def real_bytes(tree) -> int:
    return sum(leaf.nbytes for leaf in jax.tree.leaves(tree))


@pytest.mark.parametrize("name", ["adamw", "adafactor", "muon"])
def test_a_state_weighs_what_its_arrays_do(name):
    config = OptimizerConfig(name=name, frozen=("/tokenizer/",), min_dim_to_factor=16)
    model = dataclasses.replace(TINY, inputs=TEXT.inputs, targets=TINY.targets[:2])
    params = nn.unbox(Network(model).init(jax.random.key(0), blank_batch(model))["params"])
    state = TrainState.create(params, optimizers.build(config, params))
    made = plan(job(model, optimizer=config), LAPTOP)
    assert made.memory["parameters"] == real_bytes(state.params)
    assert made.memory["optimizer state"] == real_bytes(state.opt_state)
    assert made.memory["gradients"] == 4 * made.parameters["trained"]
    assert made.disk["one checkpoint"] == real_bytes(state)
    assert made.disk["trained model"] == real_bytes(state.params)
    tokenizers = sum(n for part, n in made.parameters_by_part.items() if part.endswith("/tokenizer"))
    assert made.parameters["frozen"] == tokenizers > 0


@pytest.mark.parametrize("remat", ["none", "full"])
def test_activations_are_about_what_the_compiler_takes(remat):
    model = tiny_config(scan_layers=True, remat=remat)
    big = job(model, rows=8, length=256)
    estimate = sum(memory.activations(big).values())
    step = jax.value_and_grad(
        lambda params, batch: total_loss(Network(model).apply({"params": params}, batch))[0]
    )
    lowered = jax.jit(step).lower(nn.unbox(parameter_shapes(model)), memory.blank(big))
    taken = lowered.compile().memory_analysis().temp_size_in_bytes
    assert 0.8 * taken < estimate < 1.25 * taken


def test_remat_and_fewer_rows_save_activations():
    def kept(**options):
        backbone = options.pop("backbone", {})
        model = of_text(tiny_config(scan_layers=True, **backbone))
        return sum(memory.activations(job(model, **options)).values())

    assert kept(backbone={"remat": "full"}) < kept()
    assert kept(rows=2) < kept(rows=4)


def test_a_mesh_splits_the_state_and_the_work():
    eight = dataclasses.replace(LAPTOP, devices=8)
    alone = plan(job(), LAPTOP)
    split = plan(job(mesh=MeshConfig(data=2, fsdp=2, model=2)), eight)
    for part in ("parameters", "optimizer state"):
        assert alone.memory[part] / 4 <= split.memory[part] < 0.6 * alone.memory[part]
    assert split.examples_per_step == 4 * alone.examples_per_step
    assert split.seconds["products"] == pytest.approx(alone.seconds["products"] / 2)
    assert split.rates["tokens"] > alone.rates["tokens"]
    spread = plan(job(mesh=MeshConfig(data=-1)), eight)
    assert spread.mesh["data"] == 8
    assert spread.memory == alone.memory


def test_microbatches_multiply_the_batch_and_not_the_activations():
    one, four = (plan(job(microbatches=n), LAPTOP) for n in (1, 4))
    assert four.examples_per_step == 4 * one.examples_per_step
    assert four.memory["batch"] == 4 * one.memory["batch"]
    assert four.memory["activations/encoder"] == one.memory["activations/encoder"]
    assert four.memory["gradients"] == 2 * one.memory["gradients"]
    assert four.seconds["products"] == pytest.approx(4 * one.seconds["products"])


@pytest.mark.parametrize(
    "mesh", [MeshConfig(data=2), MeshConfig(data=-1, model=3), MeshConfig(data=1, model=0)]
)
def test_a_mesh_that_does_not_fit_names_its_fields(mesh):
    machine = LAPTOP if mesh.data == 2 else dataclasses.replace(LAPTOP, devices=4)
    with pytest.raises(ConfigError, match=r"MeshConfig\.data=.*set MeshConfig\.data=-1"):
        plan(job(mesh=mesh), machine)


def test_a_width_that_does_not_divide_is_an_error():
    with pytest.raises(ConfigError, match="does not divide"):
        plan(job(mesh=MeshConfig(data=1, model=3)), dataclasses.replace(LAPTOP, devices=3))


def test_bounds_are_work_by_rate_and_traffic_by_bandwidth():
    made = plan(job(), LAPTOP)
    work = sum(StepFlops(TEXT).batch(job().budgets).values())
    assert made.seconds["products"] == pytest.approx(work / LAPTOP.flops)
    assert made.seconds["step"] == max(made.seconds["products"], made.seconds["traffic"])
    assert made.seconds["run"] == 100 * made.seconds["step"]
    sizes = made.memory
    moved = 6 * sizes["gradients"] + 2 * sizes["optimizer state"] + sizes["batch"]
    assert made.seconds["traffic"] == pytest.approx(moved / LAPTOP.bandwidth)
    starved = plan(job(), dataclasses.replace(LAPTOP, bandwidth=1e6))
    assert starved.seconds["step"] == starved.seconds["traffic"] > made.seconds["traffic"]


def test_lengths_tell_how_many_examples_a_batch_holds():
    short = Lengths(30, 20, {"text": 30}, {"text": 20})
    made, blind = plan(job(), LAPTOP, [short] * 50), plan(job(), LAPTOP)
    assert (made.examples_per_step, blind.examples_per_step) == (8, 4)
    assert 0 < made.useful_share < 1 and blind.useful_share is None
    whole = sum(StepFlops(TEXT).batch(job().budgets).values())
    assert sum(made.flops_per_example.values()) == pytest.approx(whole / 8)


def test_memory_that_does_not_suffice_names_what_to_lower():
    needed = sum(plan(job(rows=64), LAPTOP).memory.values())
    tight = plan(job(rows=64), dataclasses.replace(LAPTOP, memory=needed - 1))
    with pytest.raises(ConfigError, match=r"Budgets\.rows \(now 64\).*BackboneConfig\.remat='full'"):
        tight.check()
    plan(job(rows=64), dataclasses.replace(LAPTOP, memory=needed)).check()


def test_a_full_disk_names_the_folder():
    needed = plan(job(), LAPTOP).disk["total"]
    with pytest.raises(ConfigError, match=r"TrainJob\.model_dir"):
        plan(job(), dataclasses.replace(LAPTOP, disk=needed - 1)).check()
    plan(job(), dataclasses.replace(LAPTOP, disk=None)).check()


@pytest.fixture
def compiled() -> list[str]:
    """Fills with what is compiled from here on."""
    seen: list[str] = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, *_, **__: seen.append(event) if "backend_compile" in event else None
    )
    return seen


def test_a_compilation_would_be_seen(compiled):
    jax.jit(lambda x: x * 17 + len(compiled))(1)
    assert compiled


@pytest.mark.parametrize(
    ("model", "parameters"),
    [
        pytest.param(of_text, 6_444_423_168, id="text alone"),
        pytest.param(lambda model: model, 6_864_176_143, id="whole", marks=pytest.mark.slow),
    ],
)
def test_xxl_does_not_fit_one_cpu_and_nothing_is_compiled(model, parameters, compiled):
    made = plan(job(model(released("xxl")), rows=2, length=512), LAPTOP)
    assert compiled == []
    assert made.parameters["total"] == parameters
    with pytest.raises(
        ConfigError, match=r"parameters, gradients and optimizer state take .*MeshConfig\.model"
    ):
        made.check()
    assert any("OptimizerConfig.name" in problem for problem in made.problems)


def test_the_parameters_are_those_that_are_counted():
    sizes = memory.state_shapes(job(released("large"))).params
    assert sum(leaf.size for leaf in jax.tree.leaves(sizes)) == 1_080_595_919


def test_a_plan_is_text_and_json():
    made = plan(job(), dataclasses.replace(LAPTOP, disk=0))
    again = json.loads(json.dumps(made.as_json()))
    assert again["parameters"]["total"] == made.parameters["total"]
    assert again["problems"] == list(made.problems)
    text = made.as_text()
    for shown in (
        f"{made.parameters['total']:,}",
        "decoder/cross_attention",
        "activations/encoder",
        "model_dir",
    ):
        assert shown in text


def test_a_named_machine_has_its_peaks():
    assert named("h200", 8).flops == PEAKS["h200"][0]
    with pytest.raises(ConfigError, match="did you mean 'h100'"):
        named("h10", 8)


def test_this_machine_is_measured(tmp_path):
    here = measure("float32", tmp_path / "not" / "there")
    assert here.devices == len(jax.devices())
    assert math.isfinite(here.flops) and here.flops > 1e8
    assert math.isfinite(here.bandwidth) and here.bandwidth > 1e7
    assert here.memory > 2**28 and here.disk > 0


@pytest.mark.parametrize(
    ("value", "words"),
    [(0, "0 B"), (999, "999 B"), (999.7, "1 kB"), (1234, "1.23 kB"), (5e9, "5 GB"), (2e22, "20 ZB")],
)
def test_amounts_have_three_digits(value, words):
    assert amount(value, "B") == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.012, "12 ms"), (3.4, "3.4 s"), (90, "1.5 min"), (7200, "2 h"), (864000, "10.0 days")],
)
def test_times_are_in_the_unit_that_fits(seconds, words):
    assert duration(seconds) == words


def test_columns_are_as_wide_as_they_need():
    assert table([("a", "1", "x"), ("bcd", "22", "")]) == "a    1   x\nbcd  22"


def test_groups_of_the_plan_are_those_of_the_loader():
    made = plan(job(mesh=MeshConfig(data=1), microbatches=3), LAPTOP)
    mesh = meshes.make_mesh(MeshConfig(data=1))
    assert made.examples_per_step == 4 * 3 * meshes.shards(mesh)
