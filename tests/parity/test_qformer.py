"""The Q-Former against InstructBLIP's, from the folder that Hugging Face writes."""

import json

import jax
import numpy as np
import pytest

from unified_io import pytree
from unified_io.connectors.base import Instruction
from unified_io.connectors.qformer import QFormer
from unified_io.convert import hf, qformer
from unified_io.errors import CheckpointError, ConfigError

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

QUERIES, ENCODER, BACKBONE = 5, 20, 8


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    text = transformers.LlamaConfig(
        vocab_size=30, hidden_size=BACKBONE, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2
    )
    config = transformers.InstructBlipConfig(
        vision_config={
            "hidden_size": ENCODER,
            "intermediate_size": 8,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "image_size": 8,
            "patch_size": 4,
            "layer_norm_eps": 1e-3,
        },
        qformer_config={
            "vocab_size": 40,
            "hidden_size": 12,
            "num_hidden_layers": 3,
            "num_attention_heads": 3,
            "intermediate_size": 18,
            "max_position_embeddings": 9,
            "layer_norm_eps": 1e-4,
        },
        text_config=text.to_dict(),
        num_query_tokens=QUERIES,
        image_token_index=29,
    )
    model = transformers.InstructBlipForConditionalGeneration(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.3)
    return model


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("instructblip")
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(0)
    tokens = np.float32(rng.normal(size=(2, 7, ENCODER)))
    mask = np.ones((2, 7), bool)
    mask[0, 4:] = False
    ids = rng.integers(1, 40, (2, 6))
    real = np.ones((2, 6), bool)
    real[1, 3:] = False
    return tokens, mask, ids, real


@pytest.fixture(scope="module")
def run(folder):
    config = qformer.config(hf.settings(folder))
    variables = {"params": pytree.nested(qformer.read(folder))}
    return jax.jit(
        lambda tokens, mask, *text: QFormer(config).apply(
            variables, tokens, mask, instruction=Instruction(*text)
        )
    )


def test_soft_tokens(model, run, batch):
    tokens, mask, ids, real = batch
    seen = torch.tensor(np.concatenate([np.ones((2, QUERIES), bool), real], axis=1).astype(int))
    with torch.no_grad():
        out = model.qformer(
            input_ids=torch.tensor(ids),
            attention_mask=seen,
            query_embeds=model.query_tokens.expand(2, -1, -1),
            encoder_hidden_states=model.vision_model.post_layernorm(torch.tensor(tokens)),
            encoder_attention_mask=torch.tensor(mask.astype(int)),
        )
        wanted = model.language_projection(out.last_hidden_state[:, :QUERIES])
    np.testing.assert_allclose(run(*batch), wanted, atol=1e-5)


def test_the_whole_path_of_an_image(model, run, batch):
    """From the vision model's output to what the language model is given, as their model itself goes."""
    _, _, ids, real = batch
    pixels = torch.randn(2, 3, 8, 8)
    with torch.no_grad():
        unnormed = model.vision_model(pixels, output_hidden_states=True).hidden_states[-1]
        wanted = model.get_image_features(
            pixels, qformer_input_ids=torch.tensor(ids), qformer_attention_mask=torch.tensor(real.astype(int))
        ).pooler_output
    tokens = unnormed.numpy()
    np.testing.assert_allclose(run(tokens, np.ones(tokens.shape[:2], bool), ids, real), wanted, atol=1e-5)


def test_settings(folder):
    config = qformer.config(hf.settings(folder))
    assert (config.num_queries, config.out_width, config.width, config.vocab_size) == (
        QUERIES,
        BACKBONE,
        12,
        40,
    )
    assert (config.epsilon, config.token_epsilon) == (1e-4, 1e-3)


def test_starts_of_another_width(folder):
    whole = qformer.read(folder)
    no_cross, no_attention = (qformer.read(folder, start=start) for start in ("no-cross", "no-attention"))
    config = qformer.config(hf.settings(folder))
    other = qformer.shapes(config, ENCODER + 3)
    fits = {name for name, leaf in other.items() if whole[name].shape == leaf.shape}
    assert no_attention.keys() < no_cross.keys() < fits
    assert {name.split("/")[1] for name in no_cross if "/" in name} >= {"attention", "attention_norm"}
    layer = {name.split("/")[1] for name in no_attention if name.startswith("layers_")}
    assert layer == {"query_mlp", "query_mlp_norm", "text_mlp", "text_mlp_norm"}
    outside = {name for name in no_attention if not name.startswith("layers_")}
    assert outside == {"queries", "words", "positions", "embedding_norm/scale", "embedding_norm/bias"}
    with pytest.raises(ConfigError, match="did you mean 'no-cross'"):
        qformer.read(folder, start="no_cross")


def test_a_layer_that_is_missing_is_named(model, tmp_path):
    model.save_pretrained(tmp_path)
    settings = json.loads((tmp_path / "config.json").read_text())
    settings["qformer_config"]["num_hidden_layers"] = 4
    (tmp_path / "config.json").write_text(json.dumps(settings))
    with pytest.raises(CheckpointError, match="missing in it .*layers_3/attention"):
        qformer.read(tmp_path)
