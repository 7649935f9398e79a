"""Vocoders out of files: the released one, with its names, layouts and weight norm, and those trained here."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from unified_io import checkpoint, configuration, pytree
from unified_io.checkpoint import PARAMS_FOLDER
from unified_io.convert.rules import Layout, Rule, Table
from unified_io.convert.stores import open_store
from unified_io.errors import CheckpointError
from unified_io.tokenizers.hifigan import HiFiGAN, HiFiGANConfig

# [out, in, k] in PyTorch, [k, in, out] in JAX.
_CONVOLUTION = Layout(lambda x: x.transpose(2, 1, 0), lambda x: x.transpose(2, 1, 0))
# [in, out, k] that scatters, against [k, in, out] that gathers and so reads it backwards.
_TRANSPOSED = Layout(lambda x: x[:, :, ::-1].transpose(2, 0, 1), lambda x: x.transpose(1, 2, 0)[:, :, ::-1])

CONFIG_FILE = "vocoder.json"
"""The shape of a vocoder that was trained, in its folder beside the parameters."""

_END, _STAGE = "{name:conv_pre|conv_post}", "{i:[0-9]+}"
_CONVS = "{j:[0-9]+}"

VOCODER = Table(
    "the released vocoder",
    (
        Rule(f"{_END}.weight", f"{_END}/kernel", _CONVOLUTION),
        Rule(f"{_END}.bias", f"{_END}/bias"),
        Rule(f"ups.{_STAGE}.weight", f"ups_{_STAGE}/kernel", _TRANSPOSED),
        Rule(f"ups.{_STAGE}.bias", f"ups_{_STAGE}/bias"),
        Rule(
            f"resblocks.{_STAGE}.convs.{_CONVS}.weight",
            f"resblocks_{_STAGE}/convs_{_CONVS}/kernel",
            _CONVOLUTION,
        ),
        Rule(f"resblocks.{_STAGE}.convs.{_CONVS}.bias", f"resblocks_{_STAGE}/convs_{_CONVS}/bias"),
    ),
)
"""Names of the generator once its weight norm is folded, in PyTorch's layouts."""


def load(
    path: str | Path, config: HiFiGANConfig = HiFiGANConfig(), *, allow_pickle: bool = False
) -> tuple[HiFiGANConfig, dict[str, Any]]:
    """Reads a generator's checkpoint.

    Args:
      path: A safetensors file, or the pickle that was published ("g_00930000"); or the folder of a vocoder that a
        `VocoderJob` trained, which knows its own shape.
      config: The shape of a file.
      allow_pickle: Read a pickle; see `pickles` for what that means.

    Returns:
      The config, and parameters for `HiFiGAN(config)`.

    Raises:
      CheckpointError: It can not be read, or holds other tensors than the config asks for; names file and tensor.
    """
    store = None if Path(path).is_dir() else open_store(path, allow_pickle=allow_pickle)
    try:
        if store is None:
            config, params = _trained(Path(path))
        else:
            params = fold({name: store.read(name) for name in store.shapes()})
        _check(params, config)
    except CheckpointError as error:
        raise CheckpointError(f"vocoder {path}: {error}") from error
    return config, params


def _trained(folder: Path) -> tuple[HiFiGANConfig, dict[str, Any]]:
    if not (folder / CONFIG_FILE).is_file():
        raise CheckpointError(
            f"the folder holds no {CONFIG_FILE}; give that of a vocoder that was trained, such as "
            "runs/vocoder/vocoder, or a file of weights"
        )
    config = configuration.from_json((folder / CONFIG_FILE).read_text())
    return config, checkpoint.load_params(folder / PARAMS_FOLDER)[0]


def fold(tensors: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Returns the parameters of a HiFiGAN from the published tensors.

        conv_pre.weight_g [C, 1, 1], conv_pre.weight_v [C, mels, 7]  ->  conv_pre/kernel [7, mels, C]

    A kernel is g v / |v|, the length taken over all axes but the first (which is the input of a transposed
    convolution); a plain `weight` is taken as it is.

    Args:
      tensors: By name; a leading "generator." is dropped.

    Raises:
      CheckpointError: A name that is no part of a generator, or one that is missing beside another.
    """
    plain = _plain({name.removeprefix("generator."): np.asarray(array) for name, array in tensors.items()})
    translated = {name: VOCODER.to_ours(name) for name in plain}
    if unknown := [name for name, found in translated.items() if found is None]:
        raise CheckpointError(
            f"no part of a HiFi-GAN generator: {_listed(unknown)}; is it another checkpoint?"
        )
    modules = {name.rpartition(".")[0] for name in plain}
    if missing := {f"{module}.{leaf}" for module in modules for leaf in ("weight", "bias")} - plain.keys():
        raise CheckpointError(f"no {_listed(missing)}; is the file whole?")
    named = {}
    for name, (ours, layout) in translated.items():
        array, axes = plain[name], 3 if name.endswith(".weight") else 1
        if array.ndim != axes:
            raise CheckpointError(f"{name} is {list(array.shape)}, should have {axes} axes")
        if not np.isfinite(array).all():
            raise CheckpointError(f"{name} holds NaN or infinity, or a weight_v of nothing but zeros")
        named[ours] = np.ascontiguousarray(layout.ours(array), np.float32)
    return pytree.nested(named)


def _plain(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the tensors with every pair of weight_g and weight_v made one weight."""
    normed = {name[:-2] for name in tensors if name.endswith((".weight_g", ".weight_v"))}
    pairs = {name: (f"{name}_g", f"{name}_v") for name in normed}
    if missing := {name for pair in pairs.values() for name in pair} - tensors.keys():
        raise CheckpointError(f"no {_listed(missing)}; is the file whole?")
    plain = {name: array for name, array in tensors.items() if name[:-2] not in normed}
    for name, pair in pairs.items():
        g, v = (tensors[part].astype(np.float64) for part in pair)
        if v.ndim != 3 or g.shape != (len(v), 1, 1):
            raise CheckpointError(
                f"{pair[0]} is {list(g.shape)} and {pair[1]} {list(v.shape)}, should be [n, 1, 1] and [n, m, k]"
            )
        plain[name] = v * (g / np.linalg.norm(v, axis=(1, 2), keepdims=True))
    return plain


def _check(params: dict[str, Any], config: HiFiGANConfig) -> None:
    mel = jax.ShapeDtypeStruct((1, 1, config.mels), jnp.float32)
    wanted = pytree.named_leaves(jax.eval_shape(HiFiGAN(config).init, jax.random.key(0), mel)["params"])
    given = pytree.named_leaves(params)
    for names, what in (
        (wanted.keys() - given, "the config asks for what is not there"),
        (given.keys() - wanted, "the config has no place for"),
    ):
        if names:
            theirs = _listed([VOCODER.to_theirs(name)[0] for name in names])
            raise CheckpointError(f"{what}: {theirs}; give the HiFiGANConfig it was trained with")
    for name, leaf in wanted.items():
        theirs, layout = VOCODER.to_theirs(name)
        shape, should = (list(layout.theirs(np.empty(x.shape)).shape) for x in (given[name], leaf))
        if shape != should:
            raise CheckpointError(
                f"{theirs} is {shape}, the config asks for {should}; give the HiFiGANConfig it was trained with"
            )


def _listed(names: Iterable[str]) -> str:
    names = sorted(names)
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
