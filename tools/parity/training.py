"""What the official JAX code computes in training: a checkpoint, losses, gradients, optimizer steps, packed rows."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np
import optax

from parity.batches import Rows
from parity.fixture import Compared, Fixture
from parity.forward import turned
from parity.released import batch_of, every, laid_out, load
from unified_io.convert import stream, uio2
from unified_io.data.batch import assemble
from unified_io.data.packing import Plan
from unified_io.loss import TargetOutput, token_loss, total_loss
from unified_io.model import Network, UnifiedIOConfig
from unified_io.train.optimizer import OptimizerConfig, ScheduleConfig, build

# What the fixtures' READMEs say one can expect between float32 implementations.
LOSS, LOGITS, ENCODER, GRADIENT = 1e-4, 1e-3, 1e-4, 1e-2
EXACT = 1e-6


def t5x_checkpoint(fixture: Fixture) -> Iterator[Compared]:
    """Every parameter, through our names and back; then the model's numbers."""
    config, params = load(fixture)
    shapes, read = stream.emit(params, uio2.T5X)
    listed = fixture.json("parameters.json")
    yield Compared("names", sorted(name.replace(".", "/") for name in shapes), expected=sorted(listed))
    for name, entry in listed.items():
        array = read(name.replace("/", "."))
        yield Compared(f"{name} shape", list(array.shape), expected=entry["shape"])
        flat = array.reshape(-1).astype(np.float64)
        sums = {
            "sum": flat.sum(),
            "l2": np.sqrt(np.square(flat).sum()),
            "first": flat[0],
            "last": flat[-1],
            "weighted": flat @ np.cos(np.arange(flat.size)),
        }
        for key, value in sums.items():
            yield Compared(
                f"{name} {key}", value, expected=entry[key], tolerance=EXACT * max(abs(entry[key]), 1.0)
            )
    yield from every(fixture.arrays("expected.npz"), _forward(fixture, config, params))


def train_loss(fixture: Fixture) -> Iterator[Compared]:
    """The forward, every way to sum the loss, gradients, two Adafactor steps; patterns off and on."""
    config, params = load(fixture)
    rows = laid_out(config, batch_of(fixture))
    expected = fixture.json("expected.json")
    outputs = _run(config, params, rows)
    for way in ("all_modalities", "label_smoothing", "no_normalising", "by_a_constant"):
        yield from _losses(rows, outputs, way, expected[way])
    unmasked = {name: value for name, value in batch_of(fixture).items()}
    unmasked |= {key: np.zeros_like(value) for key, value in unmasked.items() if key.endswith("task_mask")}
    no_masks = laid_out(config, unmasked)
    unhidden = _run(config, params, no_masks)
    yield from _losses(no_masks, unhidden, "with_zero_task_masks", expected["with_zero_task_masks"])
    applied = _patterned(config)
    patterned = _run(applied, params, rows)
    yield from _losses(rows, patterned, "if_patterns_were_applied", expected["if_patterns_were_applied"])

    def arrays() -> Iterator[Compared]:
        yield from _forward(fixture, config, params)
        yield from _places(no_masks, unhidden, "with_zero_task_masks/", every={})
        yield from _places(rows, patterned, "if_patterns_were_applied/", every={})
        yield from _steps(rows, params, expected)

    yield from every(fixture.arrays("expected.npz"), arrays())


def _patterned(config: UnifiedIOConfig) -> UnifiedIOConfig:
    backbone = dataclasses.replace(config.backbone, sparse_patterns=True, dynamic_masking=True)
    return dataclasses.replace(config, backbone=backbone)


def _run(config: UnifiedIOConfig, params: Any, rows: Rows) -> dict[str, TargetOutput]:
    return jax.jit(lambda batch: Network(config).apply({"params": params}, batch))(rows.batch)


def _forward(fixture: Fixture, config: UnifiedIOConfig, params: Any) -> Iterator[Compared]:
    """Encoder output and every target's tokens, logits and losses."""
    rows = laid_out(config, batch_of(fixture))
    encoded = jax.jit(lambda b: Network(config).apply({"params": params}, b, method="encode"))(rows.batch)
    mask = rows.mask("inputs")
    yield Compared("encoder_mask", mask.astype(np.int32))
    position = turned(rows.spread(encoded.angles, "inputs"))
    yield Compared("encoder_position_embedding", position, where=mask, tolerance=ENCODER)
    yield Compared("encoder_output", rows.spread(encoded.hidden, "inputs"), where=mask, tolerance=ENCODER)
    expected = fixture.arrays("expected.npz")
    every = {name.split("/")[0]: int(name.rsplit("_", 1)[1]) for name in expected if "/logits_every_" in name}
    yield from _places(rows, _run(config, params, rows), "", every)


def _places(
    rows: Rows, outputs: Mapping[str, TargetOutput], prefix: str, every: Mapping[str, int]
) -> Iterator[Compared]:
    for name, out in outputs.items():
        mask = rows.masks["targets"][name]
        if name in every:
            yield Compared(
                f"{prefix}{name}/target_tokens", rows.unbank(out.tokens, "targets", name), where=mask
            )
            weights = rows.unbank(out.weights, "targets", name)
            yield Compared(f"{prefix}{name}/loss_mask", (weights > 0).astype(np.int32))
            step = every[name]
            logits = rows.unbank(out.logits, "targets", name)[:, ::step]
            yield Compared(
                f"{prefix}{name}/logits_every_{step}", logits, where=mask[:, ::step], tolerance=LOGITS
            )
        cross_entropy = rows.unbank(token_loss(out.logits, out.tokens)[0], "targets", name)
        yield Compared(
            f"{prefix}{name}/cross_entropy_per_position", cross_entropy, where=mask, tolerance=LOGITS
        )


def _losses(
    rows: Rows, outputs: Mapping[str, TargetOutput], way: str, expected: Mapping[str, Any]
) -> Iterator[Compared]:
    """The loss and all metrics of one way to sum it; pairs are a total and a count."""
    divide_by = (
        None
        if expected.get("loss_normalizing_by_weight_sum", True)
        else expected.get("loss_normalizing_factor", 1.0)
    )
    total, metrics = total_loss(
        dict(outputs), expected["z_loss"], expected.get("label_smoothing", 0.0), divide_by
    )
    ours: dict[str, Any] = {"loss": total, **_packing_metrics(rows)}
    for name in outputs:
        cross_entropy, z_term = metrics[f"{name}/loss"], metrics[f"{name}/z_loss"]
        count = float(metrics[f"{name}/tokens"])
        ours[f"{name}/cross_ent_loss"] = cross_entropy
        ours[f"{name}/z_loss"] = z_term
        ours[f"{name}/loss"] = cross_entropy + z_term
        ours[f"{name}/accuracy"] = [float(metrics[f"{name}/accuracy"]) * count, count]
        ours[f"{name}/nonpadding_fraction"] = [count, rows.masks["targets"][name].size]
    for name, value in {"loss": expected["loss"], **expected["metrics"]}.items():
        wanted = np.asarray(value, np.float64)
        allowed = LOSS * max(float(np.max(np.abs(wanted))), 1e-12)
        yield Compared(
            f"{way}/{name}", np.asarray(ours[name], np.float64), expected=wanted, tolerance=allowed
        )


def _packing_metrics(rows: Rows) -> dict[str, list[float]]:
    """What the official trainer logs of its padding, from our masks."""
    size = len(rows.mask("inputs"))
    frames = {}
    for m in rows.config.inputs:
        if m.max_items > 1 and m.slot_size > 1:
            real = rows.masks["inputs"][m.name].reshape(size, -1, m.slot_size).any(axis=2)
            frames[f"packing/{m.name}_per_example"] = [float(real.sum()), size]
    return {
        **frames,
        "packing/input_nonpadding_fraction": [float(rows.mask("inputs").mean(axis=1).sum()), size],
        "packing/target_nonpadding_fraction": [float(rows.mask("targets").mean(axis=1).sum()), size],
        "packing/input_overflow": [0.0, size],  # ours holds all by construction
        "packing/target_overflow": [0.0, size],
        "packing/n-valid": [float(rows.mask("targets").any(axis=1).sum()), size],
    }


def _steps(rows: Rows, params: Any, expected: Mapping[str, Any]) -> Iterator[Compared]:
    """Gradients and two steps of Adafactor, by our optimizer."""
    settings = expected["optimiser"]
    config = OptimizerConfig(
        name="adafactor",
        learning_rate=ScheduleConfig(factors="constant", base=settings["lr"]),
        b1=settings["momentum"],
        decay_exponent=settings["decay_rate"],
        min_dim_to_factor=settings["min_dim_size_to_factor"],
        clip_norm=settings["global_norm_clip"],
    )
    optimizer = build(config, params)

    def loss(params):
        return total_loss(Network(rows.config).apply({"params": params}, rows.batch))[0]

    @jax.jit
    def step(params, state):
        value, grads = jax.value_and_grad(loss)(params)
        updates, state = optimizer.update(grads, state, params)
        return optax.apply_updates(params, updates), state, value, grads

    state, before = optimizer.init(params), params
    for number in (1, 2):
        after, state, value, grads = step(before, state)
        wanted = settings[f"loss_step{number}"]
        yield Compared(f"loss_step{number}", value, expected=wanted, tolerance=LOSS * abs(wanted))
        if number == 1:
            yield from _norms(grads, expected["gradient_norms"], "gradient_norms")
            yield from _named(grads, "grad/", GRADIENT * 1e-1)
        moved = jax.tree.map(lambda new, old: new - old, after, before)
        yield from _norms(moved, expected[f"update_norms_step{number}"], f"update_norms_step{number}")
        yield from _named(after, f"after_step{number}/", ENCODER)
        before = after


def _norms(tree: Any, expected: Mapping[str, float], title: str) -> Iterator[Compared]:
    shapes, read = stream.emit(tree, uio2.T5X)
    yield Compared(
        f"{title} names", sorted(name.replace(".", "/") for name in shapes), expected=sorted(expected)
    )
    for name, norm in expected.items():
        ours = np.linalg.norm(read(name.replace("/", ".")).astype(np.float64))
        yield Compared(f"{title} {name}", ours, expected=norm, tolerance=GRADIENT * norm)


def _named(tree: Any, prefix: str, tolerance: float) -> Iterator[Compared]:
    """Every array of a tree under the fixture's names; `_all` keeps those that it holds."""
    shapes, read = stream.emit(tree, uio2.T5X)
    for name in shapes:
        yield Compared(prefix + name.replace(".", "/"), read(name), tolerance=tolerance)


def train_loss_packed(fixture: Fixture) -> Iterator[Compared]:
    """Two examples a row: the same loss; and the released loss where rows are too short."""
    config, params = load(fixture)
    rows = laid_out(config, batch_of(fixture))
    expected = fixture.json("expected.json")

    def arrays() -> Iterator[Compared]:
        for way in ("unpacked", "packed", "packed_too_short"):
            batch, metrics = _folded(rows, expected[way])
            own = dataclasses.replace(rows, batch=batch)
            outputs = _run(config, params, own)
            total, _ = total_loss(dict(outputs))
            yield from _pair_losses(own, outputs, way, expected[way], total, metrics)

    yield from every(fixture.arrays("expected.npz"), arrays())


def _pair_losses(
    rows: Rows,
    outputs: Mapping[str, TargetOutput],
    way: str,
    expected: Mapping[str, Any],
    total: Any,
    extra: Any,
) -> Iterator[Compared]:
    for item in _losses(rows, outputs, way, {"z_loss": 1e-4, **expected}):
        name = item.name.removeprefix(f"{way}/")
        yield dataclasses.replace(item, ours=np.asarray(extra[name], np.float64)) if name in extra else item
    for name, out in outputs.items():
        cross_entropy = token_loss(out.logits, out.tokens)[0] * out.weights
        yield Compared(
            f"{way}/{name}/masked_cross_entropy",
            rows.unbank(cross_entropy, "targets", name),
            tolerance=LOGITS,
        )


def _folded(rows: Rows, expected: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, list[float]]]:
    """Our batch with neighbours in one row; what the released packing cuts off is taken out of the plan."""
    if "fold" not in expected:
        return rows.batch, {}
    fold = expected["fold"]
    lengths = rows.plan.lengths
    groups = np.arange(len(lengths)) // fold
    sums = {
        side: np.bincount(groups, [getattr(x, side) for x in lengths]).astype(int)
        for side in ("encoder", "decoder")
    }
    budgets = dataclasses.replace(
        rows.plan.budgets,
        rows=int(groups[-1]) + 1,
        encoder_length=int(sums["encoder"].max()),
        decoder_length=int(sums["decoder"].max()),
    )
    plan = Plan(budgets, 1, lengths, groups)
    batch = assemble(rows.features, plan, rows.config.inputs, rows.config.targets)
    limits = {"encoder": expected["pack_inputs_to"], "decoder": expected["pack_targets_to"]}
    metrics = {}
    for side, name in (("encoder", "input"), ("decoder", "target")):
        fill = sums[side] / limits[side]  # theirs counts what it cuts off
        metrics[f"packing/{name}_nonpadding_fraction"] = [float(fill.sum()), len(fill)]
        lost = (
            int((sums[side] > limits[side]).sum()) if side == "encoder" else 0
        )  # theirs never counts the other
        metrics[f"packing/{name}_overflow"] = [float(lost), len(fill)]
        _cut(rows, batch, plan, side, limits[side])
    return batch, metrics


def _cut(rows: Rows, batch: dict[str, Any], plan: Plan, side: str, limit: int) -> None:
    """Takes out of a row what is past `limit` in the released order: by modality, then by example, as slots are."""
    modalities, budgets = {
        "encoder": (rows.config.inputs, plan.budgets.inputs),
        "decoder": (rows.config.targets, plan.budgets.targets),
    }[side]
    nowhere = sum(budgets[m.name] * m.slot_size for m in modalities)
    slots = batch[side]["slots"][0]
    for row in range(len(slots)):
        real = np.flatnonzero(slots[row] < nowhere)
        lost = real[np.argsort(slots[row, real])[limit:]]
        slots[row, lost] = nowhere
        for ids in batch[side].keys() - {"slots"}:
            batch[side][ids][0, row, lost] = 0
        if side == "decoder":
            for head in batch["heads"].values():
                positions = head["positions"]
                positions[np.isin(positions, row * slots.shape[1] + lost)] = slots.size
