"""LoRA's folders without `peft`: there and back, and settings. Parity is in `tests/parity/test_peft.py`."""

import dataclasses

import jax
import numpy as np
import pytest

from unified_io.backbones.adapters import AdapterConfig, LoRAConfig
from unified_io.backbones.decoder_only import DecoderOnlyConfig
from unified_io.convert import llama, peft
from unified_io.errors import CheckpointError, ConfigError
from unified_io.nn.transformer import stack_layers
from unified_io.pytree import named_leaves, nested

CONFIG = DecoderOnlyConfig(
    vocab_size=11,
    width=8,
    num_layers=2,
    num_heads=4,
    num_kv_heads=2,
    head_dim=4,
    mlp_dim=12,
    lora=LoRAConfig(rank=2, alpha=3.0, dropout_rate=0.1, targets=("q_proj", "up_proj")),
)
SETTINGS = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["v_proj", "q_proj"]}


def draw(config):
    rng = np.random.default_rng(0)
    params = nested(
        {n: rng.normal(size=leaf.shape).astype(np.float32) for n, leaf in llama.shapes(config).items()}
    )
    return stack_layers(params) if config.scan_layers else params


@pytest.mark.parametrize("scan", [True, False])
@pytest.mark.parametrize("whole", [(), ("embed_tokens", "lm_head")])
def test_there_and_back_is_the_same(tmp_path, scan, whole):
    config = dataclasses.replace(CONFIG, scan_layers=scan)
    params = draw(config)
    peft.save(tmp_path, config, params, base="somewhere", whole=whole)
    assert peft.config(peft.settings(tmp_path)) == config.lora
    found = named_leaves(peft.load(tmp_path, config))
    tables = {"embedding", "lm_head/kernel"} if whole else set()
    assert found.keys() == tables | {name for name in named_leaves(params) if "/lora_" in name}
    jax.tree.map(np.testing.assert_array_equal, found, {name: named_leaves(params)[name] for name in found})


def test_a_folder_of_another_rank_or_of_other_matrices_is_named(tmp_path):
    peft.save(tmp_path, CONFIG, draw(CONFIG))
    for lora, words in (
        (dataclasses.replace(CONFIG.lora, rank=3), r"lora_a is \(8, 2\), wanted \(8, 3\)"),
        (dataclasses.replace(CONFIG.lora, targets=("q_proj", "k_proj")), "attention/key/lora_a"),
    ):
        with pytest.raises(CheckpointError, match=words):
            peft.load(tmp_path, dataclasses.replace(CONFIG, lora=lora))


def test_what_can_not_be_saved_is_said(tmp_path):
    with pytest.raises(ConfigError, match="no LoRA to save"):
        peft.save(tmp_path, dataclasses.replace(CONFIG, lora=None), {})
    bottlenecks = AdapterConfig(blocks=(0,), width=2)
    config = dataclasses.replace(CONFIG, scan_layers=False, adapters=bottlenecks)
    with pytest.raises(CheckpointError, match="bottlenecks"):
        peft.save(tmp_path, config, {})
    with pytest.raises(ConfigError, match="did you mean 'lm_head'"):
        peft.save(tmp_path, CONFIG, {}, whole=("lm_hed",))
    with pytest.raises(CheckpointError, match=r"no adapter_config\.json"):
        peft.settings(tmp_path / "nowhere")


def test_targets_are_read_as_words_or_whole_names():
    assert peft.config(SETTINGS).targets == ("q_proj", "v_proj")
    names = [f"model.layers.{i}.self_attn.{n}" for i in (0, 1) for n in ("o_proj", "k_proj")]
    assert peft.config(SETTINGS | {"target_modules": names}).targets == ("k_proj", "o_proj")
    assert peft.config(SETTINGS | {"target_modules": "all-linear"}).targets == ("all",)


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"peft_type": "IA3"}, "peft_type is 'IA3'"),
        ({"use_dora": True}, "use_dora is True"),
        ({"use_rslora": True}, "use_rslora is True"),
        ({"bias": "all"}, "bias is 'all'"),
        ({"rank_pattern": {"q_proj": 3}}, "rank_pattern"),
        ({"layers_to_transform": [0]}, "layers_to_transform"),
        ({"target_modules": "layers.*q"}, "list the modules by name"),
        ({"target_modules": ["fc1"]}, "unknown target of LoRA"),
        ({"r": None}, "lacks r"),
    ],
)
def test_what_can_not_be_run_is_said(changes, words):
    with pytest.raises(ConfigError, match=words):
        peft.config(SETTINGS | changes)
