"""The whole network: the encoder's path, and the training forward with losses and gradients."""

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from parity.batches import Rows, chosen, lay_out
from parity.fixture import Compared, Fixture
from parity.run import traced
from unified_io.convert import stores, stream, uio2
from unified_io.convert.port import config as port_config
from unified_io.loss import token_loss, total_loss
from unified_io.model import Network, UnifiedIOConfig
from unified_io.nn import masks
from unified_io.tokenizers.quantizer import squared_distances, unit


def load(fixture: Fixture, partial: bool = False) -> tuple[UnifiedIOConfig, Any]:
    """Returns the model of a port fixture and its parameters, loaded by the converter.

    Args:
      fixture: Whose `config.json` and weights to take.
      partial: The weights are those of one path only; what else the config describes is missing.
    """
    config = port_config.from_port(fixture.config["config"], resampler_activation="gelu")
    store = stores.open_store(fixture.folder / "weights.safetensors")
    held = {found[0] for name in store.shapes() if (found := uio2.PORT.to_ours(name))}
    absent = tuple(f"^{name}$" for name in stream.shapes_of(config) if partial and name not in held)
    return config, stream.load(store, uio2.PORT, config, expect_missing=absent, quiet=True)[0]


def turned(angles: np.ndarray) -> np.ndarray:
    """Angles as the fixtures store them: cosine and sine of each side by side."""
    return np.stack([np.cos(angles), np.sin(angles)], axis=-1).reshape(*angles.shape[:-1], -1)


def encoder(fixture: Fixture) -> Iterator[Compared]:
    """The five embedders, their concatenation, the layers."""
    config, params = load(fixture, partial=True)
    yield from _position_tables(fixture, config, params)
    for case, names in fixture.config["cases"].items():
        rows = lay_out(config, chosen(fixture.inputs, "inputs/", names))
        encoded, parts = traced(Network(config), params, rows.batch, method="encode")
        yield from _embedders(fixture, rows, parts, case)
        mask = rows.mask("inputs")
        yield from _wanted(
            fixture,
            {
                f"{case}/seq/embed": _concatenated(rows, parts, "inputs", "embeddings"),
                f"{case}/seq/mask": mask.astype(np.int32),
                f"{case}/seq/position_embed": turned(rows.spread(encoded.angles, "inputs")),
                **_stack(rows, parts, "encoder", "inputs", f"{case}/encoder"),
            },
            mask,
        )


def _position_tables(fixture: Fixture, config: UnifiedIOConfig, params: Any) -> Iterator[Compared]:
    for m in config.inputs:
        expected = fixture.outputs.get(f"rope/pos_cache/{m.name}")
        if expected is None:
            continue
        features = m.empty(int(np.prod(expected.shape[:-1])) // m.slot_size)
        features["positions"] = np.arange(features["positions"].size, dtype=np.int32).reshape(
            features["positions"].shape
        )
        if "frames" in features:
            features["frames"] = np.arange(len(features["frames"]), dtype=np.int32)
            features["positions"] %= features["positions"].shape[1]
        bank = {key: value[None] for key, value in features.items()}
        method = lambda net, bank, name=m.name: net.input_embedders[name](bank).angles  # noqa: E731
        run = functools.partial(Network(config).apply, method=method)
        angles = np.asarray(jax.jit(run)({"params": params}, bank))
        yield Compared(f"rope/pos_cache/{m.name}", turned(angles).reshape(expected.shape))


def _embedders(fixture: Fixture, rows: Rows, parts: Mapping[str, Any], case: str) -> Iterator[Compared]:
    for name, mask in rows.masks["inputs"].items():
        kind = name.removesuffix("_history")
        call = f"shared_{kind}_encoder" + ("@2" if name != kind and kind in rows.masks["inputs"] else "")
        if call in parts:
            patches = fixture.inputs[f"inputs/{name}/mask"]
            patches = patches.reshape(-1, patches.shape[-1]) > 0
            suffix = "" if name == kind else "__call2"
            for level, value in zip(("x", "x1"), parts[call], strict=True):
                value = np.asarray(value)[: len(patches), : patches.shape[1]]
                yield from _wanted(fixture, {f"{case}/vit/{kind}/{level}{suffix}": value}, patches)
        part = parts[f"input_embedders_{name}"]
        ours = {
            f"{case}/embed/{name}/embed": rows.unbank(part.embeddings, "inputs", name),
            f"{case}/embed/{name}/mask": mask.astype(np.int32),
            f"{case}/embed/{name}/position_embed": turned(rows.unbank(part.angles, "inputs", name)),
        }
        yield from _wanted(fixture, ours, mask)


def _stack(rows: Rows, parts: Mapping[str, Any], stack: str, side: str, prefix: str) -> dict[str, np.ndarray]:
    """What the layers of one stack returned, under the fixtures' names."""
    names = {
        "pre_attention_norm": "pre_attention_layer_norm",
        "query": "attention/query",
        "query_norm": "attention/query_norm",
        "key_norm": "attention/key_norm",
        "attention": "attention",
        "self_attention": "self_attention",
        "encoder_decoder_attention": "encoder_decoder_attention.read",
        "mlp": "mlp",
    }
    number = getattr(rows.config.backbone, f"num_{stack}_layers")
    found = {}
    for layer in range(number):
        for theirs, ours in names.items():
            if f"{stack}/layers_{layer}/{ours}" in parts:
                found[f"{prefix}/layers_{layer}/{theirs}"] = parts[f"{stack}/layers_{layer}/{ours}"]
        found[f"{prefix}/layers_{layer}/out"] = parts[f"{stack}/layers_{layer}"]
    found[f"{prefix}/out"] = parts[stack]
    return {name: rows.spread(np.asarray(value), side) for name, value in found.items()}


def _concatenated(rows: Rows, parts: Mapping[str, Any], side: str, field: str) -> np.ndarray:
    banks = {name: getattr(parts[f"{side[:-1]}_embedders_{name}"], field) for name in rows.masks[side]}
    return np.concatenate([rows.unbank(bank, side, name) for name, bank in banks.items()], axis=1)


def _wanted(fixture: Fixture, ours: Mapping[str, np.ndarray], mask: np.ndarray) -> Iterator[Compared]:
    """Yields what the fixture holds; floats at real places only, for others have no place in our rows."""
    for name, value in ours.items():
        if name in fixture.outputs:
            real = mask if np.issubdtype(np.asarray(value).dtype, np.floating) else None
            yield Compared(name, value, where=real)


def full_forward(fixture: Fixture) -> Iterator[Compared]:
    """Embedders, both stacks, logits, targets, losses, gradients."""
    config, params = load(fixture)
    for case, setting in fixture.config["cases"].items():
        yield from _forward_case(fixture, config, params, case, setting)
        if case == "all" and "grads/norms" in fixture.outputs:
            yield from _gradients(fixture, config, params, setting)


def rows_of(fixture: Fixture, config: UnifiedIOConfig, setting: Mapping[str, Sequence[str]]) -> Rows:
    """The batch of one case, for a model that writes only the case's targets."""
    targets = tuple(m for m in config.targets if m.name in setting["targets"])
    return lay_out(
        dataclasses.replace(config, targets=targets),
        chosen(fixture.inputs, "inputs/", setting["inputs"]),
        chosen(fixture.inputs, "targets/", setting["targets"]),
    )


def _forward_case(
    fixture: Fixture, config: UnifiedIOConfig, params: Any, case: str, setting: Mapping[str, Any]
) -> Iterator[Compared]:
    rows = rows_of(fixture, config, setting)
    outputs, parts = traced(Network(rows.config), params, rows.batch)
    sources, targets = rows.mask("inputs"), rows.mask("targets")
    yield from _wanted(fixture, _stack(rows, parts, "encoder", "inputs", f"{case}/encoder"), sources)
    yield from _target_sequence(fixture, rows, params, parts, case)
    yield from _wanted(fixture, _stack(rows, parts, "decoder", "targets", f"{case}/decoder"), targets)
    for name, out in outputs.items():
        mask = rows.masks["targets"][name]
        weights = rows.unbank(out.weights, "targets", name)
        nll, _ = token_loss(out.logits, out.tokens)
        found = {
            f"{case}/{name}/logits": rows.unbank(out.logits, "targets", name),
            f"{case}/{name}/nll": rows.unbank(nll, "targets", name),
            f"{case}/{name}/loss_mask": (weights > 0).astype(np.int32),
        }
        # a text target that is padding is 0, and so is what we left out
        tokens = rows.unbank(out.tokens, "targets", name)
        yield Compared(f"{case}/{name}/targets", tokens, where=mask)
        yield from _wanted(fixture, found, mask)
    total, metrics = total_loss(outputs, z_loss=0.0)
    for name in outputs:
        yield Compared(f"{case}/{name}/loss", metrics[f"{name}/loss"])
    yield Compared(f"{case}/total_loss", total)


def _target_sequence(
    fixture: Fixture, rows: Rows, params: Any, parts: Mapping[str, Any], case: str
) -> Iterator[Compared]:
    real = rows.mask("targets")
    plan = rows.batch["decoder"]
    streams, examples = np.asarray(plan["segment_ids"])[0], np.asarray(plan["example_ids"])[0]
    sources = np.asarray(rows.batch["encoder"]["segment_ids"])[0]
    own = masks.segments(streams, streams) & masks.causal(streams.shape[1])
    angles = np.concatenate(
        [rows.unbank(parts[f"target_embedders_{n}"].angles, "targets", n) for n in rows.masks["targets"]],
        axis=1,
    )
    yield from _wanted(
        fixture,
        {
            f"{case}/target_seq/input_embedding": _concatenated(rows, parts, "targets", "embeddings"),
            f"{case}/target_seq/position_embed": turned(angles),
            f"{case}/target_seq/mask": real.astype(np.int32),
            f"{case}/decoder_attn_mask": rows.spread_pairs(own, "targets", "targets").astype(np.uint8),
            f"{case}/encoder_decoder_mask": rows.spread_pairs(
                masks.segments(examples, sources), "targets", "inputs"
            ).astype(np.uint8),
        },
        real,
    )
    yield from _labels(fixture, rows, streams, case)
    for name in rows.masks["targets"]:
        key = f"{case}/{name}/input_tokens"
        if key in fixture.outputs:
            tokens = rows.unbank(parts[f"target_embedders_{name}"].tokens, "targets", name)
            shifted = np.pad(tokens, ((0, 0), (1, 0)))[:, :-1]
            if f"targets/{name}/inputs" in fixture.inputs:  # several answers: each starts anew
                shifted = rows.unbank(rows.batch["targets"][name]["inputs"], "targets", name)
            yield Compared(key, shifted, where=rows.masks["targets"][name])
        key = f"{case}/{name}/code_margin"
        if key in fixture.outputs:
            yield Compared(key, _margin(params, parts, name))


def _labels(fixture: Fixture, rows: Rows, streams: np.ndarray, case: str) -> Iterator[Compared]:
    """Which places belong together, as labels in the fixture and as one number a stream in ours."""
    real = rows.mask("targets")
    spread = rows.spread(streams, "targets")
    names = list(rows.masks["targets"])
    modality = np.concatenate(
        [np.full(mask.shape[1], _index(rows.config, name)) for name, mask in rows.masks["targets"].items()]
    )
    if f"{case}/target_seq/modality_id" in fixture.outputs:
        yield Compared(f"{case}/target_seq/modality_id", modality[None].astype(np.int32))
    together = spread[:, :, None] == spread[:, None, :]
    pairs = real[:, :, None] & real[:, None, :]
    for key in ("subsegments", "all_subsegments"):
        labels = fixture.outputs.get(f"{case}/target_seq/{key}")
        if labels is None:
            continue
        same = labels[:, :, None] == labels[:, None, :]
        if key == "subsegments":  # which answer; the modality counts apart
            same &= modality[None, :, None] == modality[None, None, :]
        yield Compared(f"{case}/target_seq/{key}", together & pairs, expected=same & pairs)
    key = f"{case}/target_seq/attn_pattern_mask"
    if key in fixture.outputs:
        yield Compared(key, _patterns(fixture, rows, names))


def _index(config: UnifiedIOConfig, name: str) -> int:
    return port_config.TARGETS.index(name)


def _patterns(fixture: Fixture, rows: Rows, names: Sequence[str]) -> np.ndarray:
    """The four planes of every target, block by block; text looks anywhere."""
    size = len(rows.mask("targets"))
    total = rows.mask("targets").shape[1]
    planes = np.zeros((size, len(masks.PATTERNS) + 1, total, total), np.uint8)
    start = 0
    for name in names:
        length = rows.masks["targets"][name].shape[1]
        place = slice(start, start + length)
        columns = next(m for m in rows.config.targets if m.name == name).columns
        block = jnp.ones((size, len(masks.PATTERNS) + 1, length, length), bool)
        if columns:
            index = jnp.arange(length)
            base = jnp.concatenate([masks.sparse(index, index, columns), masks.causal(length)[None]])
            hidden = jnp.asarray(fixture.inputs[f"targets/{name}/task_mask"]) > 0
            block = base[None] & masks.denoising(hidden)[:, None]
        planes[:, :, place, place] = block
        start += length
    return planes


def _margin(params: Any, parts: Mapping[str, Any], name: str) -> np.ndarray:
    """How much nearer the best code is than the second best, in squared distance."""
    prefix = f"target_embedders_{name}/tokenizer"
    codebook = params[f"target_embedders_{name}"]["tokenizer"]["quantize"]["embedding"]
    z = parts.get(f"{prefix}/quant_conv", parts[f"{prefix}/encoder"])
    z = jnp.asarray(z).reshape(-1, z.shape[-1])
    if name == "audio":  # its tokenizer compares directions
        z, codebook = unit(z), unit(codebook)
    best = jnp.sort(squared_distances(z, codebook), axis=-1)[:, :2]
    return np.asarray(best[:, 1] - best[:, 0])


def _gradients(
    fixture: Fixture, config: UnifiedIOConfig, params: Any, setting: Mapping[str, Any]
) -> Iterator[Compared]:
    rows = rows_of(fixture, config, setting)

    def loss(params):
        return total_loss(Network(rows.config).apply({"params": params}, rows.batch), z_loss=0.0)[0]

    grads = jax.jit(jax.grad(loss))(params)
    shapes, read = stream.emit(grads, uio2.PORT)
    names = fixture.json("outputs.json")
    norms = {name: float(np.linalg.norm(read(name).astype(np.float64))) for name in shapes}
    yield Compared("grads/norms", np.array([norms[name] for name in names["grad_norm_names"]]))
    still = sorted(name for name, norm in norms.items() if norm == 0)
    yield Compared("no_gradient", still, expected=sorted(names["no_gradient"]))
    for key in fixture.outputs:
        if key.startswith("grads/") and key != "grads/norms":
            yield Compared(key, read(key.removeprefix("grads/")))
