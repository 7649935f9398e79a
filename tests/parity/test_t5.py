"""T5 against Hugging Face's, both kinds, from the folders that it writes."""

import json

import jax
import numpy as np
import pytest

from unified_io import pytree
from unified_io.backbones.t5 import T5, greedy
from unified_io.convert import t5
from unified_io.errors import CheckpointError

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

KINDS = {
    "T5": {"feed_forward_proj": "relu"},
    "T5 v1.1": {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
}
LENGTH = 12


def make(kind):
    torch.manual_seed(0)
    config = transformers.T5Config(
        vocab_size=37,
        d_model=16,
        d_kv=6,
        d_ff=20,
        num_layers=2,
        num_decoder_layers=3,
        num_heads=2,
        relative_attention_num_buckets=8,
        relative_attention_max_distance=12,
        **KINDS[kind],
    )
    model = transformers.T5ForConditionalGeneration(config).eval()
    if kind == "T5 v1.1":
        model.lm_head.weight = torch.nn.Parameter(0.1 * torch.randn_like(model.lm_head.weight))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "layer_norm" in name:
                weight.uniform_(0.5, 1.5)
            elif "relative" in name:
                weight.normal_(0.0, 1.0)
            elif "shared" in name:
                weight.normal_(0.0, 0.2)  # small, so that answers are not one word, repeated
            elif "lm_head" not in name:
                weight.normal_(0.0, 0.6 if kind == "T5" else 0.3)
    return model


@pytest.fixture(scope="module", params=KINDS)
def model(request):
    return make(request.param)


@pytest.fixture(scope="module")
def ours(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("t5")
    model.save_pretrained(folder)
    config, named = t5.read(folder)
    return config, {"params": pytree.nested(named)}


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(0)
    ids = rng.integers(2, 37, (2, 20))
    mask = np.ones((2, 20), bool)
    mask[1, 14:] = False
    inputs = rng.integers(2, 37, (2, LENGTH))
    inputs[:, 0] = 0
    return ids, mask, inputs


def test_the_two_kinds_are_told_apart(model, ours):
    config, newer = ours[0], not model.config.scale_decoder_outputs
    assert (config.gated, config.own_head, config.scale_logits) == (newer, newer, not newer)
    assert config.activation == ("gelu_tanh" if newer else "relu")


def test_hidden_states_and_logits(model, ours, batch):
    config, variables = ours
    ids, mask, inputs = batch
    with torch.no_grad():
        theirs = model(
            input_ids=torch.tensor(ids),
            attention_mask=torch.tensor(mask.astype(int)),
            decoder_input_ids=torch.tensor(inputs),
        )
    encode = jax.jit(lambda *a: T5(config).apply(variables, *a, method="encode"))
    encoded = np.where(mask[..., None], encode(ids, mask), 0)
    wanted = np.where(mask[..., None], theirs.encoder_last_hidden_state, 0)
    np.testing.assert_allclose(encoded, wanted, atol=2e-5)
    logits = jax.jit(lambda *a: T5(config).apply(variables, *a))(ids, mask, inputs)
    wanted = theirs.logits.numpy()
    np.testing.assert_allclose(logits, wanted, atol=2e-5)


def test_greedy_tokens(model, ours, batch):
    config, variables = ours
    ids, mask, _ = batch
    with torch.no_grad():
        theirs = model.generate(
            input_ids=torch.tensor(ids),
            attention_mask=torch.tensor(mask.astype(int)),
            max_new_tokens=LENGTH,
            do_sample=False,
            decoder_start_token_id=0,
            use_cache=False,  # theirs breaks where the stacks differ in depth
        )
    wanted = np.zeros((2, LENGTH), int)
    wanted[:, : theirs.shape[1] - 1] = theirs[:, 1:]
    assert len(np.unique(wanted)) > 3
    tokens = jax.jit(lambda *a: greedy(config, variables, *a, LENGTH))(ids, mask)
    np.testing.assert_array_equal(tokens, wanted)


def test_what_the_settings_ask_for_is_missed(tmp_path):
    make("T5").save_pretrained(tmp_path)
    settings = json.loads((tmp_path / "config.json").read_text())
    settings |= {"tie_word_embeddings": False, "d_ff": 24}
    (tmp_path / "config.json").write_text(json.dumps(settings))
    with pytest.raises(CheckpointError, match="missing in it .*head/kernel.*other shapes .*mlp/wi/kernel"):
        t5.read(tmp_path)
