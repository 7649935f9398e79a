"""LoRA as folders that `peft` reads and writes, beside the updates of our decoder-only backbone."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from unified_io import pytree
from unified_io.backbones.adapters import ALL, LINEARS, LoRAConfig
from unified_io.backbones.decoder_only import DecoderOnlyConfig
from unified_io.convert import hf, llama
from unified_io.convert.rules import TRANSPOSED, Rule, Table
from unified_io.convert.stores import read_json
from unified_io.errors import CheckpointError, ConfigError, unknown
from unified_io.nn.transformer import stack_layers, unstack_layers

CONFIG_FILE, WEIGHTS_FILE = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."
# Trained whole beside the updates: name in peft's words -> ours.
WHOLE = {"embed_tokens": "embedding", "lm_head": "lm_head/kernel"}
# What we can not run: setting -> the value it must have where it is given.
_MUST_BE = {
    "peft_type": "LORA",
    "bias": "none",
    "lora_bias": False,
    "use_dora": False,
    "use_rslora": False,
    "use_qalora": False,
    "fan_in_fan_out": False,
    "rank_pattern": {},
    "alpha_pattern": {},
    "layers_to_transform": None,
    "layer_replication": None,
    "exclude_modules": None,
    "target_parameters": None,
    "trainable_token_indices": None,
}


def table(config: DecoderOnlyConfig) -> Table:
    """Returns their names, without `PREFIX`, beside ours, layers apart."""
    rules = [rule for rule in llama.table(config).rules if rule.ours in WHOLE.values()]
    for linear, name in LINEARS.items():
        theirs, ours = llama.place_of(linear)
        their_scope = f"model.layers.{{i}}.{theirs}.{linear}"
        our_scope = f"layers_{{i}}/{ours}/{name}"
        rules.append(Rule(f"{their_scope}.lora_A.weight", f"{our_scope}/lora_a", TRANSPOSED))
        layout = llama.layout_of(linear, config.head_dim)
        rules.append(Rule(f"{their_scope}.lora_B.weight", f"{our_scope}/lora_b", layout))
    return Table("LoRA of peft", tuple(rules))


def config(settings: Mapping[str, Any]) -> LoRAConfig:
    """Reads what an `adapter_config.json` says.

    Raises:
      ConfigError: It is no LoRA, of other matrices than ours, or asks for what we can not run.
    """
    for name, value in _MUST_BE.items():
        if (given := settings.get(name, value)) != value and (given or value):
            raise ConfigError(f"{name} is {given!r}, which we can not run; only {value!r}")
    if lacking := [name for name in ("r", "lora_alpha", "target_modules") if not settings.get(name)]:
        raise ConfigError(f"{CONFIG_FILE} lacks {', '.join(lacking)}; is it LoRA's?")
    return LoRAConfig(
        rank=settings["r"],
        alpha=settings["lora_alpha"],
        dropout_rate=settings.get("lora_dropout", 0.0),
        targets=_targets(settings["target_modules"]),
    )


def _targets(modules: str | Sequence[str]) -> tuple[str, ...]:
    """Returns which of `LINEARS` are meant; peft writes words, or every module of every layer by its whole name."""
    if modules == "all-linear":
        return ALL
    if isinstance(modules, str):
        raise ConfigError(f"target_modules is the pattern {modules!r}; list the modules by name instead")
    found = {module.rpartition(".")[2] for module in modules}
    for name in sorted(found):
        if name not in LINEARS:
            raise unknown("target of LoRA", name, LINEARS)
    return ALL if found == LINEARS.keys() else tuple(name for name in LINEARS if name in found)


def settings(folder: str | Path) -> dict[str, Any]:
    """Reads the `adapter_config.json` of a folder.

    Raises:
      CheckpointError: There is none.
    """
    path = Path(folder) / CONFIG_FILE
    if not path.is_file():
        raise CheckpointError(f"no {CONFIG_FILE} in {folder}; give a folder that peft wrote")
    return read_json(path)


def load(folder: str | Path, config: DecoderOnlyConfig) -> dict[str, Any]:
    """Reads the updates, and the tables that were trained whole: a part of a backbone's parameters.

    Args:
      folder: Of peft's.
      config: The backbone, with `lora` as `config(settings(folder))` gives it.

    Raises:
      CheckpointError: Names or shapes are not those of the config.
    """
    named = hf.read(Path(folder) / WEIGHTS_FILE, table(config), prefix=PREFIX)
    shapes = llama.shapes(config)
    whole = named.keys() & set(WHOLE.values())
    wanted = {name: leaf for name, leaf in shapes.items() if "/lora_" in name or name in whole}
    hf.check(folder, named, wanted)
    params = pytree.nested(named)
    return stack_layers(params) if config.scan_layers else params


def save(
    folder: str | Path, config: DecoderOnlyConfig, params: Any, *, base: str = "", whole: Sequence[str] = ()
) -> None:
    """Writes the updates of a backbone, as a folder that `peft` reads.

    Args:
      folder: Made if need be; what peft wrote there is replaced.
      config: The backbone; it must have `lora`.
      params: Its parameters; all but the updates and `whole` is left out.
      base: Name or folder of the model they belong to, for the reader.
      whole: Names in `WHOLE`, of tables that were trained whole.

    Raises:
      ConfigError: The backbone has no LoRA, or a name in `whole` is unknown.
      CheckpointError: The backbone has bottlenecks too, which peft knows nothing of.
    """
    from safetensors.numpy import save_file

    if config.lora is None:
        raise ConfigError("this backbone has no LoRA to save; set DecoderOnlyConfig.lora")
    if config.adapters is not None:
        raise CheckpointError("peft has no place for bottlenecks (adapters); save in our own format")
    for name in whole:
        if name not in WHOLE:
            raise unknown("table to save whole", name, WHOLE)
    kept = {WHOLE[name] for name in whole}
    named = pytree.named_leaves(unstack_layers(params) if config.scan_layers else params)
    tensors = {}
    for name, leaf in named.items():
        if "/lora_" in name or name in kept:
            theirs, layout = table(config).to_theirs(name)
            tensors[PREFIX + theirs] = np.ascontiguousarray(layout.theirs(np.asarray(leaf)))
    content = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base or None,
        "inference_mode": True,
        "r": config.lora.rank,
        "lora_alpha": config.lora.alpha,
        "lora_dropout": config.lora.dropout_rate,
        "bias": "none",
        "target_modules": list(LINEARS if config.lora.targets == ALL else config.lora.targets),
        "modules_to_save": list(whole) or None,
    }
    Path(folder).mkdir(parents=True, exist_ok=True)
    save_file(tensors, Path(folder) / WEIGHTS_FILE, metadata={"format": "pt"})
    (Path(folder) / CONFIG_FILE).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
