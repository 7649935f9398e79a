"""Models as folders: loaded whole or not at all, and there only when all of it is written."""

import dataclasses
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from unified_io import pytree
from unified_io.convert import families, stores, stream, writers
from unified_io.errors import CheckpointError, unknown
from unified_io.model import UnifiedIOConfig, blank_batch

DTYPES = ("float32", "bfloat16", "mixed")
# Frozen feature encoders and tokenizers stay exact: a code is the nearest of many.
_EXACT = re.compile(r"^shared_\w+_encoder/|/tokenizer/")


class Loaded(NamedTuple):
    """A model out of a folder; `uninitialised` names the parameters that it lacked and that were drawn at random."""

    config: UnifiedIOConfig
    params: Any
    uninitialised: tuple[str, ...]


def load(
    folder: str | Path,
    *,
    inputs: Sequence[str] | None = None,
    targets: Sequence[str] | None = None,
    dtype: str | None = None,
    config: UnifiedIOConfig | None = None,
    tokenizer: str | Path | None = None,
    expect_missing: Sequence[str] = (),
    allow_pickle: bool = False,
) -> Loaded:
    """Loads the model of a folder; prints what was loaded, drawn at random, and left out.

    Args:
      folder: Ours or the PyTorch port's (`config.json` and safetensors), or a T5X checkpoint (then give `config`).
      inputs: Modalities to read; None for all. The weights of the others are not read from the files.
      targets: Modalities to write, likewise.
      dtype: "float32"; "bfloat16" keeps and computes the main model in it (feature encoders and tokenizers stay
        float32); "mixed" keeps float32 and computes in bfloat16; None keeps float32 and computes as the config says.
      config: The model; needed for T5X, whose checkpoints do not say what they are.
      tokenizer: The text tokenizer, if the folder has no `tokenizer.model`.
      expect_missing: Patterns of parameters that the files may lack.
      allow_pickle: Also read PyTorch's pickles; nothing in them is run.

    Raises:
      CheckpointError: There is no model, a file is damaged, or its parameters are not those of its config.
      ConfigError: An unknown modality or dtype.
    """
    folder = families.home(folder)
    family, whole = _described(folder, config, tokenizer)
    wanted = _computing_in(_switched(whole, inputs, targets), dtype)
    params, report = stream.load(
        stores.open_store(folder, allow_pickle=allow_pickle),
        family.table,
        wanted,
        expect_missing=tuple(expect_missing),
        expect_unused=_left_out(whole, wanted),
        dtype=_storage(dtype),
    )
    if report.initialised:
        params = random_params(wanted, given=params)
    return Loaded(wanted, params, report.initialised)


def save(folder: str | Path, config: UnifiedIOConfig, params: Any, family: str = "unified-io") -> None:
    """Writes `config.json`, safetensors and the tokenizer; `load` reads them.

    Args:
      folder: A new folder, or one that holds an earlier save, which is replaced when all is written.
      config: The model.
      params: Its parameters.
      family: "unified-io", "port" (the PyTorch port's names and config) or "t5x".

    Raises:
      CheckpointError: The folder holds something else, or the family has no place for a parameter.
      ConfigError: The family can not describe this model.
    """
    _write(folder, family, config, *stream.emit(params, families.table(family)))


def convert(
    source: str | Path,
    target: str | Path,
    family: str,
    *,
    config: UnifiedIOConfig | None = None,
    tokenizer: str | Path | None = None,
    allow_pickle: bool = False,
) -> None:
    """Rewrites a folder of weights as another family's, in float32, tensor by tensor.

    Args:
      source: A folder as `load` takes it.
      target: The folder to write.
      family: "unified-io", "port" or "t5x".
      config: The model; needed where the source is T5X.
      tokenizer: The text tokenizer to put beside the weights; unless given, the one that lies beside the source.
      allow_pickle: Also read PyTorch's pickles.

    Raises:
      CheckpointError: As `load` and `save`.
    """
    source = families.home(source)
    found, model = _described(source, config, tokenizer)
    store = stores.open_store(source, allow_pickle=allow_pickle)
    _write(target, family, model, *stream.translate(store, found.table, families.table(family), model))


def random_params(config: UnifiedIOConfig, *, seed: int = 0, given: Any = None) -> Any:
    """Draws parameters: all, or those that a tree of `given` ones lacks."""
    have = pytree.named_leaves(given or {})

    def draw(key):
        drawn = nn.meta.unbox(config.network().init(key, blank_batch(config))["params"])
        return {name: leaf for name, leaf in pytree.named_leaves(drawn).items() if name not in have}

    return pytree.nested({**have, **jax.jit(draw)(jax.random.key(seed))})


def _described(
    folder: str | Path, config: UnifiedIOConfig | None, tokenizer: str | Path | None
) -> tuple[families.Family, UnifiedIOConfig]:
    """Returns a folder's family and the model in it, which writes with the tokenizer given."""
    path = str(tokenizer) if tokenizer else None
    family = families.recognise(folder, path)
    model = families.with_tokenizer(config, path) if config else family.config
    if model is None:
        raise CheckpointError(
            f"{folder} is a T5X checkpoint, which does not say what model it is; give config=..., or convert it first: "
            f"unified-io convert --from {folder} --to NEW_FOLDER --config gin_configs/model/large.gin"
        )
    return family, model


def _write(path: str | Path, family: str, config: UnifiedIOConfig, shapes: Any, read: Any) -> None:
    extra = families.describe(config, family)
    if family == "t5x":
        writers.write_t5x(path, shapes, read)
    else:
        writers.write_safetensors(path, shapes, read, extra)


def _left_out(whole: UnifiedIOConfig, wanted: UnifiedIOConfig) -> set[str]:
    """The parameters that only what was switched off has."""
    if (whole.inputs, whole.targets) == (wanted.inputs, wanted.targets):
        return set()
    return stream.shapes_of(whole).keys() - stream.shapes_of(wanted).keys()


def _switched(
    config: UnifiedIOConfig, inputs: Sequence[str] | None, targets: Sequence[str] | None
) -> UnifiedIOConfig:
    def keep(kind: str, modalities: Any, names: Sequence[str] | None) -> Any:
        have = [m.name for m in modalities]
        for name in names or ():
            if name not in have:
                raise unknown(f"{kind} modality", name, have)
        return tuple(m for m in modalities if names is None or m.name in names)

    return dataclasses.replace(
        config,
        inputs=keep("input", config.inputs, inputs),
        targets=keep("target", config.targets, targets),
    )


def _computing_in(config: UnifiedIOConfig, dtype: str | None) -> UnifiedIOConfig:
    if dtype is None:
        return config
    if dtype not in DTYPES:
        raise unknown("dtype", dtype, DTYPES)
    compute = "float32" if dtype == "float32" else "bfloat16"

    def resampled(modality):
        if not hasattr(modality, "resampler"):
            return modality
        return dataclasses.replace(modality, resampler=dataclasses.replace(modality.resampler, dtype=compute))

    return dataclasses.replace(
        config,
        backbone=dataclasses.replace(config.backbone, dtype=compute),
        inputs=tuple(map(resampled, config.inputs)),
    )


def _storage(dtype: str | None) -> Callable[[str], Any]:
    def of(name: str) -> Any:
        return np.float32 if dtype != "bfloat16" or _EXACT.search(name) else jnp.bfloat16

    return of
