"""Whole systems against Hugging Face's: LLaVA and InstructBLIP with a LLaMA, from picture and words to logits."""

import jax
import numpy as np
import pytest

from unified_io.api.loading import from_pretrained
from unified_io.convert import systems
from unified_io.data.batch import assemble
from unified_io.data.budgets import Budgets
from unified_io.data.packing import measure, one_per_row

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

IMAGE = 29  # the token that a picture stands in for
TEXT = {
    "vocab_size": 30,
    "hidden_size": 24,
    "intermediate_size": 40,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
VISION = {
    "hidden_size": 20,
    "intermediate_size": 28,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "image_size": 12,
    "patch_size": 4,
}
WORDS, ANSWER = [[3, 5, 8], [4, 9]], [7, 11, 2]


def randomised(model, folder):
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.2)
    model.save_pretrained(folder)
    return model.eval()


def ours(system, pixels, extra, words=WORDS):
    """Logits of the answer behind words, a picture and words."""
    config, params = system
    picture = config.inputs[1]
    tokens = np.concatenate(words).astype(np.int32)
    places = np.repeat([0, 2], [len(part) for part in words]).astype(np.int32)
    image = {
        "values": pixels[None, None],
        "real": np.ones((1, 1), bool),
        "order": np.ones(1, np.int32),
        **extra,
    }
    answer = {
        "tokens": np.array(ANSWER, np.int32),
        "inputs": np.array([0, *ANSWER[:-1]], np.int32),
        "streams": np.zeros(len(ANSWER), np.int32),
    }
    features = {
        "inputs": {"text": {"tokens": tokens, "order": places}, picture.name: image},
        "targets": {"text": answer},
    }
    lengths = [measure(features, config.inputs, config.targets)]
    budgets = Budgets(1, 40, 8, {"text": 16, picture.name: 1}, {"text": 8})
    batch = assemble([features], one_per_row(lengths, budgets), config.inputs, config.targets)
    run = jax.jit(lambda params, batch: config.network().apply({"params": params}, batch))
    return np.asarray(run(params, batch)["text"].logits[0, : len(ANSWER)])


def theirs(model, pixels, soft, **more):
    """Logits that tell the answer, by the model of transformers."""
    ids = [*WORDS[0], *[IMAGE] * soft, *WORDS[1], *ANSWER]
    with torch.no_grad():
        out = model(
            input_ids=torch.tensor([ids]),
            attention_mask=torch.ones(1, len(ids), dtype=torch.long),
            pixel_values=torch.tensor(pixels.transpose(2, 0, 1)[None]),
            **more,
        )
    return out.logits[0, -len(ANSWER) - 1 : -1].numpy()


def test_llava(tmp_path):
    torch.manual_seed(0)
    config = transformers.LlavaConfig(
        vision_config=transformers.CLIPVisionConfig(**VISION),
        text_config=transformers.LlamaConfig(**TEXT),
        image_token_index=IMAGE,
    )
    model = randomised(transformers.LlavaForConditionalGeneration(config), tmp_path)
    pixels = np.random.default_rng(0).normal(size=(12, 12, 3)).astype(np.float32)
    system = systems.llava(tmp_path)
    np.testing.assert_allclose(ours(system, pixels, {}), theirs(model, pixels, soft=9), atol=3e-5)
    loaded = from_pretrained(tmp_path)
    assert loaded.config == system[0]
    np.testing.assert_array_equal(ours((loaded.config, loaded.params), pixels, {}), ours(system, pixels, {}))


def test_instruct_blip(tmp_path):
    torch.manual_seed(0)
    config = transformers.InstructBlipConfig(
        vision_config=VISION,
        qformer_config={
            "vocab_size": 40,
            "hidden_size": 12,
            "num_hidden_layers": 3,
            "num_attention_heads": 3,
            "intermediate_size": 18,
            "max_position_embeddings": 9,
        },
        text_config=transformers.LlamaConfig(**TEXT).to_dict(),
        num_query_tokens=5,
        image_token_index=IMAGE,
    )
    model = randomised(transformers.InstructBlipForConditionalGeneration(config), tmp_path)
    pixels = np.random.default_rng(0).normal(size=(12, 12, 3)).astype(np.float32)
    asked = np.array([[2, 13, 17, 3]])
    system = systems.instruct_blip(tmp_path, pieces="vocab.txt")
    length = system[0].inputs[1].instruction.length
    ids, mask = np.zeros((1, length), np.int32), np.zeros((1, length), bool)
    ids[0, :4], mask[0, :4] = asked[0], True
    found = ours(system, pixels, {"ids": ids, "mask": mask})
    expected = theirs(
        model,
        pixels,
        soft=5,
        qformer_input_ids=torch.tensor(asked),
        qformer_attention_mask=torch.ones(1, 4, dtype=torch.long),
    )
    np.testing.assert_allclose(found, expected, atol=3e-5)
