"""Folders of LLaMA, LLaMA-2, Vicuna and Mistral as Hugging Face writes them, beside our decoder-only backbone."""

import dataclasses
import functools
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from unified_io import pytree
from unified_io.backbones.adapters import LINEARS
from unified_io.backbones.decoder_only import DecoderOnly, DecoderOnlyConfig
from unified_io.backbones.frozen import STORAGES
from unified_io.convert import hf, writers
from unified_io.convert.families import CONFIG_FILE
from unified_io.convert.rules import TRANSPOSED, Layout, Rule, Table
from unified_io.errors import ConfigError, unknown
from unified_io.nn.transformer import stack_layers, unstack_layers

MODELS = {"llama": "LlamaForCausalLM", "mistral": "MistralForCausalLM"}
# What we can not run: setting -> the value it must have where it is given.
_MUST_BE = {
    "hidden_act": "silu",
    "attention_bias": False,
    "mlp_bias": False,
    "attention_dropout": 0.0,
    "partial_rotary_factor": 1.0,
    "rope_scaling": None,
    "quantization_config": None,
}
# Older folders hold the angles, which follow from the settings; tied ones a second copy of the table.
_NOT_NEEDED = r"rotary_emb\.inv_freq$"
_COPY = r"^lm_head\."
# What a folder of the bare model lacks.
_ADDED = (r"/lora_[ab]$", r"/adapter/")


def halves(head_dim: int) -> Layout:
    """Layout of queries and keys: Hugging Face turns the two halves of a head, we turn neighbours.

    Their rows 0, 1, 2, 3 of a head of four are our columns 0, 2, 1, 3.
    """

    def swapped(x: np.ndarray, parts: tuple[int, int]) -> np.ndarray:
        return x.reshape(-1, *parts, x.shape[-1]).swapaxes(1, 2).reshape(x.shape)

    half = head_dim // 2
    return Layout(lambda x: swapped(x, (2, half)).T, lambda x: swapped(x.T, (half, 2)))


def layout_of(linear: str, head_dim: int) -> Layout:
    """Returns the layout of what writes a matrix's output: its weight, or the second factor of its update."""
    return halves(head_dim) if linear in ("q_proj", "k_proj") else TRANSPOSED


def place_of(linear: str) -> tuple[str, str]:
    """Returns the module of a block that a matrix is in, in their words and in ours."""
    return (
        ("self_attn", "attention") if linear in ("q_proj", "k_proj", "v_proj", "o_proj") else ("mlp", "mlp")
    )


@functools.cache
def table(config: DecoderOnlyConfig) -> Table:
    """Returns their names beside ours, layers apart."""
    rules = [
        Rule("model.embed_tokens.weight", "embedding"),
        Rule("model.norm.weight", "norm/scale"),
        Rule("model.layers.{i}.input_layernorm.weight", "layers_{i}/pre_attention_layer_norm/scale"),
        Rule("model.layers.{i}.post_attention_layernorm.weight", "layers_{i}/pre_mlp_layer_norm/scale"),
    ]
    if not config.tie_embeddings:
        rules.append(Rule("lm_head.weight", "lm_head/kernel", TRANSPOSED))
    for linear, name in LINEARS.items():
        theirs, ours = place_of(linear)
        layout = layout_of(linear, config.head_dim)
        weight = f"model.layers.{{i}}.{theirs}.{linear}.weight"
        rules.append(Rule(weight, f"layers_{{i}}/{ours}/{name}/kernel", layout))
    return Table("LLaMA or Mistral of Hugging Face", tuple(rules))


def config(settings: Mapping[str, Any]) -> DecoderOnlyConfig:
    """Reads what a `config.json` says.

    Raises:
      ConfigError: It is of another model, lacks a size, or asks for what we can not run.
    """
    kind = str(settings.get("model_type"))
    if kind not in MODELS:
        raise unknown("model_type of a decoder-only model", kind, MODELS)
    rope = dict(settings.get("rope_parameters") or {})
    _refuse(settings, rope)
    wanted = ["vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"]
    wanted += ["num_key_value_heads", "sliding_window"] if kind == "mistral" else []
    if lacking := [name for name in wanted if name not in settings]:
        raise ConfigError(
            f"{CONFIG_FILE} of a {kind} lacks {', '.join(lacking)}; add it, the default may differ"
        )
    heads = settings["num_attention_heads"]
    return DecoderOnlyConfig(
        vocab_size=settings["vocab_size"],
        width=settings["hidden_size"],
        num_layers=settings["num_hidden_layers"],
        num_heads=heads,
        num_kv_heads=settings.get("num_key_value_heads") or heads,
        head_dim=settings.get("head_dim") or settings["hidden_size"] // heads,
        mlp_dim=settings["intermediate_size"],
        rope_theta=rope.get("rope_theta", settings.get("rope_theta", 10000.0)),
        norm_epsilon=settings.get("rms_norm_eps", 1e-6),
        sliding_window=settings.get("sliding_window") if kind == "mistral" else None,
        tie_embeddings=settings.get("tie_word_embeddings", False),
    )


def _refuse(settings: Mapping[str, Any], rope: Mapping[str, Any]) -> None:
    for name, value in _MUST_BE.items():
        if name in settings and settings[name] != value:
            raise ConfigError(f"{name} is {settings[name]!r}, which we can not run; only {value!r}")
    if (form := rope.get("rope_type", "default")) != "default":
        raise ConfigError(f"rope_parameters: rope_type is {form!r}, which we can not run; only 'default'")
    if odd := rope.keys() - {"rope_type", "rope_theta"}:
        raise ConfigError(f"rope_parameters has {', '.join(sorted(odd))}, which we can not run")


def load(
    folder: str | Path,
    config: DecoderOnlyConfig,
    *,
    prefix: str = "",
    which: str = "",
    storage: str | None = None,
) -> dict[str, Any]:
    """Reads the parameters of a backbone; those of LoRA and of bottlenecks are left out, for they are not there.

    Args:
      folder: Of Hugging Face's, in one file or sharded.
      config: As `config(hf.settings(folder))` gives it, with what you changed: `scan_layers`, `dtype`, adapters.
      prefix: Of the language model in a larger one, e.g. "language_model.".
      which: With `storage`: a pattern of the kernels to hold in fewer bits.
      storage: A name in `frozen.STORAGES`; every tensor is turned when it is read, so the whole never lies in float32.

    Raises:
      CheckpointError: Names or shapes are not those of the config.
      ConfigError: `storage` is unknown.
    """
    if storage is not None and storage not in STORAGES:
        raise unknown("storage of frozen weights", storage, STORAGES)
    found = {}

    def stored(name: str, array: np.ndarray) -> Any:
        found[name] = jax.ShapeDtypeStruct(array.shape, array.dtype)
        if storage is None or not name.endswith("/kernel") or not re.search(which, name):
            return array
        return STORAGES[storage](array)

    ignore = (_NOT_NEEDED, _COPY) if config.tie_embeddings else (_NOT_NEEDED,)
    tensors = hf.tensors(folder, table(config), prefix=prefix, ignore=ignore)
    params = pytree.nested({name: stored(name, array) for name, array in tensors})
    hf.check(folder, found, shapes(config), _ADDED)
    return stack_layers(params) if config.scan_layers else params


def save(folder: str | Path, config: DecoderOnlyConfig, params: Any) -> None:
    """Writes a folder that `transformers` and `load` read.

    Args:
      folder: A new one, or one that an earlier save wrote.
      config: The model.
      params: Its parameters, in full precision; updates merged (`adapters.merge`), without bottlenecks.

    Raises:
      CheckpointError: A parameter has no place in such a folder.
    """
    named = pytree.named_leaves(unstack_layers(params) if config.scan_layers else params)
    places = {}
    for name, leaf in named.items():
        theirs, layout = table(config).to_theirs(name)
        places[theirs] = (leaf, layout)

    def read(theirs: str) -> np.ndarray:
        leaf, layout = places[theirs]
        return np.ascontiguousarray(layout.theirs(np.asarray(leaf)))

    what = {
        theirs: (layout.theirs(np.broadcast_to(np.float32(0), leaf.shape)).shape, np.dtype(leaf.dtype))
        for theirs, (leaf, layout) in places.items()
    }
    text = json.dumps(settings(config), indent=2) + "\n"
    writers.write_safetensors(folder, what, read, {CONFIG_FILE: text.encode()})


def settings(config: DecoderOnlyConfig) -> dict[str, Any]:
    """Returns the content of a `config.json`; the inverse of `config`."""
    kind = "llama" if config.sliding_window is None else "mistral"
    window = {} if config.sliding_window is None else {"sliding_window": config.sliding_window}
    return {
        "architectures": [MODELS[kind]],
        "model_type": kind,
        "vocab_size": config.vocab_size,
        "hidden_size": config.width,
        "intermediate_size": config.mlp_dim,
        "num_hidden_layers": config.num_layers,
        "num_attention_heads": config.num_heads,
        "num_key_value_heads": config.num_kv_heads,
        "head_dim": config.head_dim,
        "hidden_act": "silu",
        "rms_norm_eps": config.norm_epsilon,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
        "rope_theta": config.rope_theta,  # where transformers before version 5 look
        "tie_word_embeddings": config.tie_embeddings,
        **window,
    }


def shapes(config: DecoderOnlyConfig) -> dict[str, Any]:
    """Returns shape and dtype of every parameter of a backbone by name, layers apart; nothing is computed."""

    def run(model: DecoderOnly) -> jax.Array:
        ids, mask = jnp.zeros((1, 1), int), jnp.ones((1, 1, 1, 1), bool)
        return model.logits(model(model.embed(ids), mask=mask, positions=ids))

    # one layer after the other has the names that files have
    model = DecoderOnly(dataclasses.replace(config, scan_layers=False))
    drawn = jax.eval_shape(lambda key: model.init(key, method=run), jax.random.key(0))
    return pytree.named_leaves(nn.meta.unbox(drawn["params"]))
