"""LLaMA and Mistral beside `transformers`: hidden states and logits of random weights, read from what it saves."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified_io.backbones.decoder_only import DecoderOnly
from unified_io.convert import hf, llama
from unified_io.errors import CheckpointError, ConfigError
from unified_io.pytree import named_leaves

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

SIZES = {
    "vocab_size": 37,
    "hidden_size": 24,
    "intermediate_size": 40,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "rms_norm_eps": 1e-5,
    "rope_parameters": {"rope_type": "default", "rope_theta": 500.0},
}
KINDS = {
    "grouped": (transformers.LlamaConfig, {}),
    "plain": (transformers.LlamaConfig, {"num_key_value_heads": 4, "head_dim": 6}),
    "one head of keys": (transformers.LlamaConfig, {"num_key_value_heads": 1}),
    "tied": (transformers.LlamaConfig, {"tie_word_embeddings": True}),
    "window": (transformers.MistralConfig, {"sliding_window": 4}),
    "no window": (transformers.MistralConfig, {"sliding_window": None}),
}


def make(kind, folder, **more):
    """Returns a random model of theirs, with eager attention, in a folder."""
    of, changes = KINDS[kind]
    torch.manual_seed(0)
    config = of(**(SIZES | changes), attn_implementation="eager")
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "norm" in name:
                weight.add_(0.5 * torch.randn_like(weight))
            else:
                weight.mul_(8)
    model.save_pretrained(folder, **more)
    return model


def read(folder, **changes):
    config = dataclasses.replace(llama.config(hf.settings(folder)), **changes)
    params = llama.load(folder, config)
    model = DecoderOnly(config)

    @jax.jit
    def run(ids, real, positions):
        mask = jnp.tril(jnp.ones((ids.shape[1],) * 2, bool)) & real[:, None, None]
        x = ids if ids.dtype == jnp.float32 else model.apply({"params": params}, ids, method="embed")
        hidden = model.apply({"params": params}, x, mask=mask, positions=positions)
        return hidden, model.apply({"params": params}, hidden, method="logits")

    return config, params, run


def tokens(kind="right"):
    rng = np.random.default_rng(1)
    ids = rng.integers(0, SIZES["vocab_size"], (2, 9))
    real = np.ones((2, 9), bool)
    if kind == "left":
        real[1, :4] = False
    positions = np.maximum(real.cumsum(axis=1) - 1, 0)
    return ids, real, positions


@pytest.mark.parametrize("pad", ["none", "left"])
@pytest.mark.parametrize("kind", KINDS)
def test_hidden_states_and_logits_are_theirs(tmp_path, kind, pad):
    model = make(kind, tmp_path)
    _, _, run = read(tmp_path)
    ids, real, positions = tokens(pad)
    with torch.no_grad():
        theirs = model(
            torch.tensor(ids),
            attention_mask=torch.tensor(real).long(),
            position_ids=torch.tensor(positions),
            output_hidden_states=True,
        )
    hidden, logits = run(ids, real, positions)
    assert np.abs(theirs.logits.numpy()[real]).max() > 1
    np.testing.assert_allclose(hidden[real], theirs.hidden_states[-1].numpy()[real], atol=1e-5, rtol=1e-5)
    np.testing.assert_allclose(logits[real], theirs.logits.numpy()[real], atol=2e-5, rtol=1e-5)


def test_the_window_is_theirs_and_not_one_off(tmp_path):
    model = make("window", tmp_path)
    ids, real, positions = tokens()
    with torch.no_grad():
        theirs = model(torch.tensor(ids)).logits.numpy()
    for window, same in ((3, False), (4, True), (5, False)):
        _, _, run = read(tmp_path, sliding_window=window)
        off = np.abs(run(ids, real, positions)[1] - theirs).max(axis=(0, 2))
        assert (off.max() < 2e-5) == same
        # a window of w changes nothing before the token at w
        assert off[: min(window, 4)].max() < 2e-5


def test_embeddings_may_come_from_elsewhere(tmp_path):
    model = make("grouped", tmp_path)
    _, _, run = read(tmp_path)
    x = np.random.default_rng(2).normal(size=(2, 9, 24)).astype(np.float32)
    with torch.no_grad():
        theirs = model(inputs_embeds=torch.tensor(x)).logits.numpy()
    _, real, positions = tokens()
    np.testing.assert_allclose(run(x, real, positions)[1], theirs, atol=2e-5, rtol=1e-5)


def test_shards_and_layers_apart_are_the_same(tmp_path):
    make("grouped", tmp_path / "one")
    make("grouped", tmp_path / "many", max_shard_size="8KB")
    assert len(list((tmp_path / "many").glob("*.safetensors"))) > 2
    one, many = (read(tmp_path / name, scan_layers=False)[1] for name in ("one", "many"))
    jax.tree.map(np.testing.assert_array_equal, one, many)
    ids, real, positions = tokens()
    scanned, apart = (
        read(tmp_path / "one", scan_layers=scan)[2](ids, real, positions) for scan in (True, False)
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), scanned, apart)


@pytest.mark.parametrize("kind", ["grouped", "tied", "window"])
def test_what_we_save_is_read_by_them_and_by_us(tmp_path, kind):
    model = make(kind, tmp_path / "theirs")
    config, params, _ = read(tmp_path / "theirs")
    llama.save(tmp_path / "ours", config, params)
    assert llama.config(hf.settings(tmp_path / "ours")) == config
    jax.tree.map(np.testing.assert_array_equal, llama.load(tmp_path / "ours", config), params)
    again = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "ours", attn_implementation="eager")
    assert type(again) is type(model)
    ids = torch.tensor(tokens()[0])
    with torch.no_grad():
        np.testing.assert_array_equal(again(ids).logits.numpy(), model(ids).logits.numpy())


def test_a_folder_of_other_sizes_is_named(tmp_path):
    make("grouped", tmp_path)
    config = llama.config(hf.settings(tmp_path))
    with pytest.raises(CheckpointError, match=r"layers_3/attention/key/kernel"):
        llama.load(tmp_path, dataclasses.replace(config, num_layers=4))
    with pytest.raises(CheckpointError, match=r"embedding is \(37, 24\), wanted \(40, 24\)"):
        llama.load(tmp_path, dataclasses.replace(config, vocab_size=40))


def test_a_dtype_of_theirs_is_read_as_float32(tmp_path):
    make("grouped", tmp_path / "a").to(torch.bfloat16).save_pretrained(tmp_path / "b")
    config = llama.config(hf.settings(tmp_path / "b"))
    leaves = named_leaves(llama.load(tmp_path / "b", config))
    assert {leaf.dtype for leaf in leaves.values()} == {np.dtype(np.float32)}


def test_settings_of_all_models_of_theirs_are_understood_or_refused():
    scaled = {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}
    with pytest.raises(ConfigError, match="rope_type is 'linear'"):
        llama.config(json.loads(transformers.LlamaConfig(rope_parameters=scaled).to_json_string()))
    with pytest.raises(ConfigError, match="attention_bias is True"):
        llama.config(json.loads(transformers.LlamaConfig(attention_bias=True).to_json_string()))
    with pytest.raises(ConfigError, match="unknown model_type"):
        llama.config(json.loads(transformers.GPT2Config().to_json_string()))
    seven = llama.config(json.loads(transformers.MistralConfig().to_json_string()))
    assert (seven.num_kv_heads, seven.head_dim, seven.sliding_window) == (8, 128, 4096)
