"""The two media encoders: the image ViT and the audio spectrogram transformer."""

import re
from collections.abc import Iterator
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from safetensors.numpy import load_file

from parity.fixture import Compared, Fixture
from parity.run import traced
from unified_io.convert import uio2
from unified_io.convert.port import encoders
from unified_io.encoders.ast import AudioSpectrogramTransformer, table_rows
from unified_io.encoders.vit import Vit, resize_positions

# Parts of a block by what the fixtures call them; ViT and AST name them differently.
PARTS = {
    "ln_1": ("ln_1", "norm1"),
    "attn_out": ("MultiHeadDotProductAttention_0",),
    "mlp_out": ("MLP_0",),
    "out": ("",),
}


def image_encoder(fixture: Fixture) -> Iterator[Compared]:
    """The ViT on the whole of its own grid, on part of a finer one, and on a coarser one of another shape."""
    config = encoders.vit(fixture.config["config"]["image_vit_cfg"])
    params = uio2.part(
        load_file(fixture.folder / "weights.safetensors"), "input_embedders.image.image_encoder"
    )
    for case, settings in fixture.config["cases"].items():
        grid = tuple(settings["patch_num"])
        table = jnp.asarray(params["positional_embedding"][1:])
        yield Compared(f"{case}/pos_grid", resize_positions(table, config.grid, grid))
        yield from _features(fixture, case, Vit(config), params, fixture.inputs[f"{case}/pos_ids"], grid)


def audio_encoder(fixture: Fixture) -> Iterator[Compared]:
    """The AST on a whole spectrogram and on part of one, with and without the mapping of its positions."""
    config = encoders.ast(fixture.config["config"]["audio_vit_cfg"])
    params = uio2.part(
        load_file(fixture.folder / "weights.safetensors"), "input_embedders.audio.image_encoder"
    )
    rows = np.asarray(table_rows(jnp.arange(config.grid[0] * config.grid[1]), config.grid))
    for case, settings in fixture.config["cases"].items():
        positions = fixture.inputs[f"{case}/pos_ids"]
        if not settings.get("transpose_input", True):
            positions = np.argsort(rows)[positions]  # ours are always mapped: give what the mapping undoes
        elif f"{case}/pos_ids_transposed" in fixture.outputs:
            yield Compared(f"{case}/pos_ids_transposed", rows[positions])
        yield from _features(
            fixture, case, AudioSpectrogramTransformer(config), params, positions, config.grid
        )


def _features(
    fixture: Fixture,
    case: str,
    encoder: nn.Module,
    params: Any,
    positions: np.ndarray,
    grid: tuple[int, int],
) -> Iterator[Compared]:
    """Compares the features of a case, after what the fixture holds of the way to them."""
    mask = fixture.inputs[f"{case}/mask"] > 0
    (last, second), parts = traced(
        encoder, params, fixture.inputs[f"{case}/input"], mask, positions, grid=grid
    )
    ours = {"x": last, "x1": second}
    wanted = [name for name in fixture.outputs if name.startswith(f"{case}/") and "/pos_" not in name]
    for full_name in sorted(wanted, key=lambda name: name.split("/")[1] in ours):
        name = full_name.split("/")[1]
        value = np.asarray(ours[name] if name in ours else _part(parts, name))
        front = value.shape[1] - mask.shape[1]  # class and distillation tokens
        real = np.pad(mask, ((0, 0), (front, 0)), constant_values=True)
        masked = fixture.noise.get(full_name, {}).get("masked")
        yield Compared(full_name, value, where=real if masked else None)


def _part(parts: dict[str, np.ndarray], name: str) -> np.ndarray:
    """Returns what the part of an encoder gave that the fixtures call `name`."""
    block = re.fullmatch(r"block(\d+)_(\w+)", name)
    if block is None:
        return parts[{"patch_embedding": "embedding"}.get(name, name)]
    paths = (
        f"Transformer_0/ResidualAttentionBlock_{block[1]}/{part}".rstrip("/") for part in PARTS[block[2]]
    )
    return next(parts[path] for path in paths if path in parts)
