"""LLaMA's folders without `transformers`: names and layouts both ways, and settings. Parity is in `tests/parity`."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from unified_io.backbones.adapters import AdapterConfig, LoRAConfig
from unified_io.backbones.decoder_only import DecoderOnlyConfig
from unified_io.convert import hf, llama
from unified_io.errors import CheckpointError, ConfigError
from unified_io.nn.nf4 import NormalFloat
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
    norm_epsilon=1e-6,
    scan_layers=True,
)
# As the folders of Vicuna, LLaMA-2 and Mistral 0.1 have them, shortened.
LLAMA = {
    "model_type": "llama",
    "hidden_act": "silu",
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "rms_norm_eps": 1e-05,
    "tie_word_embeddings": False,
    "vocab_size": 32000,
    "rope_scaling": None,
}


def draw(config):
    rng = np.random.default_rng(0)
    shapes = llama.shapes(config)
    params = nested({name: rng.normal(size=leaf.shape).astype(np.float32) for name, leaf in shapes.items()})
    return stack_layers(params) if config.scan_layers else params


@pytest.mark.parametrize(
    "changes", [{}, {"scan_layers": False}, {"tie_embeddings": True, "sliding_window": 3}]
)
def test_there_and_back_is_the_same(tmp_path, changes):
    config = dataclasses.replace(CONFIG, **changes)
    params = draw(config)
    llama.save(tmp_path, config, params)
    back = dataclasses.replace(llama.config(hf.settings(tmp_path)), scan_layers=config.scan_layers)
    assert back == config
    jax.tree.map(np.testing.assert_array_equal, llama.load(tmp_path, back), params)


def test_halves_are_laid_side_by_side():
    layout = llama.halves(4)
    theirs = np.arange(8, dtype=np.float32)[:, None] * [[1.0, 10.0]]  # two heads of four, two numbers in
    np.testing.assert_array_equal(layout.ours(theirs)[0], [0, 2, 1, 3, 4, 6, 5, 7])
    np.testing.assert_array_equal(layout.theirs(layout.ours(theirs)), theirs)


def test_a_model_within_a_larger_one_is_found_by_its_prefix(tmp_path):
    params = draw(CONFIG)
    llama.save(tmp_path / "alone", CONFIG, params)
    tensors = load_file(tmp_path / "alone" / "model.safetensors")
    within = {f"language_model.{name}": tensor for name, tensor in tensors.items()}
    more = {
        "vision.weight": np.ones(2),
        "language_model.model.layers.0.self_attn.rotary_emb.inv_freq": np.ones(2),
    }
    save_file(within | more, tmp_path / "model.safetensors")
    found = llama.load(tmp_path, CONFIG, prefix="language_model.")
    jax.tree.map(np.testing.assert_array_equal, found, params)


def test_a_copy_of_a_tied_table_is_left_out_and_a_head_of_its_own_is_not(tmp_path):
    config = dataclasses.replace(CONFIG, tie_embeddings=True)
    llama.save(tmp_path, CONFIG, draw(CONFIG))
    assert "lm_head" not in llama.load(tmp_path, config)
    llama.save(tmp_path, config, draw(config))
    with pytest.raises(CheckpointError, match=r"missing in it \(1\): lm_head/kernel"):
        llama.load(tmp_path, CONFIG)


def test_what_is_added_inside_is_left_out(tmp_path):
    llama.save(tmp_path, CONFIG, draw(CONFIG))
    more = {"lora": LoRAConfig(rank=2, alpha=1.0), "adapters": AdapterConfig(blocks=(1,), width=3)}
    config = dataclasses.replace(CONFIG, scan_layers=False, **more)
    found = named_leaves(llama.load(tmp_path, config))
    assert found.keys() == llama.shapes(CONFIG).keys()
    with pytest.raises(CheckpointError, match="no place for parameter layers_0/attention/key/lora_a"):
        llama.save(tmp_path / "again", config, draw(config))


@pytest.mark.parametrize("scan", [True, False])
def test_matrices_are_held_in_few_bits_as_they_are_read(tmp_path, scan):
    config = dataclasses.replace(CONFIG, scan_layers=scan)
    params = draw(config)
    llama.save(tmp_path, config, params)
    found = llama.load(tmp_path, config, which="mlp/", storage="nf4")
    layer = (lambda tree: tree["layers"]) if scan else (lambda tree: tree["layers_1"])
    jax.tree.map(
        np.testing.assert_array_equal,
        layer(found)["mlp"]["wo"]["kernel"],
        NormalFloat.of(jnp.asarray(layer(params)["mlp"]["wo"]["kernel"])),
    )
    assert layer(found)["attention"]["query"]["kernel"].dtype == np.float32
    with pytest.raises(ConfigError, match="unknown storage"):
        llama.load(tmp_path, config, storage="nf5")


def test_settings_of_released_folders():
    seven = llama.config(LLAMA)
    assert (seven.num_kv_heads, seven.head_dim, seven.rope_theta, seven.norm_epsilon) == (32, 128, 1e4, 1e-5)
    mistral = LLAMA | {"model_type": "mistral", "num_key_value_heads": 8, "sliding_window": 4096}
    assert llama.config(mistral).sliding_window == 4096
    assert llama.config(mistral | {"sliding_window": None, "rope_theta": 1e6}).rope_theta == 1e6
    assert json.dumps(llama.settings(seven))


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"model_type": "qwen2"}, "unknown model_type"),
        ({"rope_scaling": {"type": "linear", "factor": 2.0}}, "rope_scaling is"),
        ({"rope_parameters": {"rope_type": "llama3"}}, "rope_type is 'llama3'"),
        ({"rope_parameters": {"partial_rotary_factor": 0.5}}, "partial_rotary_factor"),
        ({"hidden_act": "gelu"}, "hidden_act is 'gelu'"),
        ({"attention_bias": True}, "attention_bias is True"),
        ({"quantization_config": {"load_in_4bit": True}}, "quantization_config"),
        ({"model_type": "mistral"}, "lacks num_key_value_heads, sliding_window"),
    ],
)
def test_what_can_not_be_run_is_said(changes, words):
    with pytest.raises(ConfigError, match=words):
        llama.config(LLAMA | changes)
