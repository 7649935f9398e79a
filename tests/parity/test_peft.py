"""LoRA beside `peft`: what it trained says the same here, and what we write it reads."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified_io.backbones.adapters import LoRAConfig, merge
from unified_io.backbones.decoder_only import DecoderOnly
from unified_io.convert import hf, llama
from unified_io.convert import peft as ours
from unified_io.pytree import named_leaves, nested

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
peft = pytest.importorskip("peft")

IDS = np.random.default_rng(1).integers(0, 37, (2, 7))
CASES = {
    "all": ("all-linear", None),
    "q and v": (["q_proj", "v_proj"], None),
    "with tables": (["k_proj", "o_proj", "down_proj"], ["embed_tokens", "lm_head"]),
}


def base(folder):
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=37,
        hidden_size=24,
        intermediate_size=40,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        initializer_range=0.2,
    )
    model = transformers.LlamaForCausalLM(config).eval()
    model.save_pretrained(folder)
    return model


def trained(model, folder, targets, whole):
    """Returns their model with random updates, saved as if it had been trained."""
    lora = peft.LoraConfig(
        r=3, lora_alpha=7, target_modules=targets, modules_to_save=whole, task_type="CAUSAL_LM"
    )
    model = peft.get_peft_model(model, lora).eval()
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(0.3 * torch.randn_like(weight))
    model.save_pretrained(folder)
    return model


def theirs_say(model):
    with torch.no_grad():
        return model(torch.tensor(IDS)).logits.numpy()


def ours_say(config, params):
    model = DecoderOnly(config)

    def run(model, ids):
        mask = jnp.tril(jnp.ones((1, 1, ids.shape[1], ids.shape[1]), bool))
        x = model.embed(ids)
        return model.logits(model(x, mask=mask, positions=jnp.arange(ids.shape[1])[None]))

    return jax.jit(lambda params: model.apply({"params": params}, IDS, method=run))(params)


def read(tmp_path, **changes):
    config = llama.config(hf.settings(tmp_path / "base"))
    lora = ours.config(ours.settings(tmp_path / "lora"))
    config = dataclasses.replace(config, lora=lora, **changes)
    whole, part = llama.load(tmp_path / "base", config), ours.load(tmp_path / "lora", config)
    return config, nested({**named_leaves(whole), **named_leaves(part)})


@pytest.mark.parametrize("case", CASES)
def test_what_they_trained_says_the_same_here_merged_or_not(tmp_path, case):
    model = base(tmp_path / "base")
    plain = theirs_say(model)
    expected = theirs_say(trained(model, tmp_path / "lora", *CASES[case]))
    assert np.abs(expected - plain).max() > 0.1
    config, params = read(tmp_path, scan_layers=case != "all")
    assert config.lora is not None and config.lora.targets == (
        ("all",) if case == "all" else tuple(CASES[case][0])
    )
    np.testing.assert_allclose(ours_say(config, params), expected, atol=5e-5, rtol=1e-4)
    bare = dataclasses.replace(config, lora=None)
    np.testing.assert_allclose(ours_say(bare, merge(params, config.lora)), expected, atol=5e-5, rtol=1e-4)


@pytest.mark.parametrize("case", CASES)
def test_what_we_write_they_read(tmp_path, case):
    expected = theirs_say(trained(base(tmp_path / "base"), tmp_path / "lora", *CASES[case]))
    config, params = read(tmp_path)
    ours.save(tmp_path / "again", config, params, base=str(tmp_path / "base"), whole=CASES[case][1] or ())
    fresh = transformers.LlamaForCausalLM.from_pretrained(tmp_path / "base")
    again = peft.PeftModel.from_pretrained(fresh, tmp_path / "again").eval()
    np.testing.assert_allclose(theirs_say(again), expected, atol=1e-6)
    assert ours.config(ours.settings(tmp_path / "again")) == config.lora


def test_the_first_factor_begins_as_theirs(tmp_path):
    """Uniform, with the same bound; the second begins at zero in both."""
    model = base(tmp_path)
    lora = peft.get_peft_model(model, peft.LoraConfig(r=64, target_modules=["q_proj"]))
    theirs = next(weight for name, weight in lora.named_parameters() if "lora_A" in name).detach().numpy()
    config = dataclasses.replace(
        llama.config(hf.settings(tmp_path)), lora=LoRAConfig(rank=64, alpha=1.0, targets=("q_proj",))
    )
    block = DecoderOnly(config)
    params = block.init(
        jax.random.key(0),
        jnp.zeros((1, 1, 24)),
        mask=jnp.ones((1, 1, 1, 1), bool),
        positions=jnp.zeros((1, 1), int),
    )["params"]
    a = np.asarray(params["layers"]["attention"]["query"]["lora_a"].value)
    assert np.abs(a).max() <= 24**-0.5 and np.abs(theirs).max() <= 24**-0.5
    np.testing.assert_allclose(a.std(), theirs.std(), rtol=0.05)
