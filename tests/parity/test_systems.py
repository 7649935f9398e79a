"""Whole systems against Hugging Face's: LLaVA and InstructBLIP with a LLaMA, from picture and words to logits."""

import dataclasses

import jax
import numpy as np
import pytest

from unified_io.api.compiled import compiled
from unified_io.api.loading import from_pretrained
from unified_io.api.options import Options
from unified_io.chat_vocab import ChatVocabulary
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


def laid_out(config, pixels, extra, words=WORDS):
    """A batch of one row: words, a picture, words and the answer."""
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
    return assemble([features], one_per_row(lengths, budgets), config.inputs, config.targets)


def ours(system, pixels, extra):
    """Logits of the answer behind words, a picture and words."""
    config, params = system
    batch = laid_out(config, pixels, extra)
    run = jax.jit(lambda params, batch: config.network().apply({"params": params}, batch))
    return np.asarray(run(params, batch)["text"].logits[0, : len(ANSWER)])


def prompt(pixels, soft, answer=()):
    """What the models of transformers read."""
    ids = [*WORDS[0], *[IMAGE] * soft, *WORDS[1], *answer]
    return {
        "input_ids": torch.tensor([ids]),
        "attention_mask": torch.ones(1, len(ids), dtype=torch.long),
        "pixel_values": torch.tensor(pixels.transpose(2, 0, 1)[None]),
    }


def theirs(model, pixels, soft, **more):
    """Logits that tell the answer, by the model of transformers."""
    with torch.no_grad():
        out = model(**prompt(pixels, soft, ANSWER), **more)
    return out.logits[0, -len(ANSWER) - 1 : -1].numpy()


def llava(folder, seed=0):
    """A random LLaVA of theirs in a folder, and a picture."""
    torch.manual_seed(seed)
    config = transformers.LlavaConfig(
        vision_config=transformers.CLIPVisionConfig(**VISION),
        text_config=transformers.LlamaConfig(**TEXT),
        image_token_index=IMAGE,
    )
    model = randomised(transformers.LlavaForConditionalGeneration(config), folder)
    return model, np.random.default_rng(seed).normal(size=(12, 12, 3)).astype(np.float32)


def test_llava(tmp_path):
    model, pixels = llava(tmp_path)
    system = systems.llava(tmp_path)
    np.testing.assert_allclose(ours(system, pixels, {}), theirs(model, pixels, soft=9), atol=3e-5)
    loaded = from_pretrained(tmp_path)
    assert loaded.config == system[0]
    np.testing.assert_array_equal(ours((loaded.config, loaded.params), pixels, {}), ours(system, pixels, {}))


PENALTIES = {
    "none": {"length_penalty": 0.0},
    "long": {"length_penalty": 1.0},
    "short": {"length_penalty": -1.0},
    "least": {"length_penalty": -2.0, "min_length": 4},
    "pairs": {"length_penalty": 1.0, "no_repeat_ngram": 2},
    "repetition": {"length_penalty": -1.0, "repetition_penalty": 1.5},
}
NAMES = {"min_length": "min_new_tokens", "no_repeat_ngram": "no_repeat_ngram_size"}


def test_beams(tmp_path):
    """The answers of five beams, in their order, of three random models."""
    lengths = set()
    for seed in range(3):
        model, pixels = llava(tmp_path / str(seed), seed)
        config, params = systems.llava(tmp_path / str(seed))
        # That of the package has the same end; there is none beside random weights.
        target = dataclasses.replace(config.target("text"), vocabulary=ChatVocabulary())
        config = dataclasses.replace(config, targets=[target])
        batch = laid_out(config, pixels, {})
        # Given as vectors, as the published code does, the prompt is nothing that is repeated.
        asked = prompt(pixels, soft=9)
        asked["inputs_embeds"] = model.get_input_embeddings()(asked.pop("input_ids"))
        for given in PENALTIES.values():
            options = Options(beams=5, samples=5, **given)
            found = compiled(config).generate(
                params,
                batch,
                np.zeros(1, np.int32),
                np.uint32(0),
                np.zeros((1, 2), np.int32),
                None,
                options.sampler(target.sampler),
                target="text",
                length=8,
                constraint=options.allowed(end=target.end_token),
                beams=5,
                length_penalty=options.length_penalty,
                answers=5,
            )
            expected = model.generate(
                **asked,
                num_beams=5,
                num_return_sequences=5,
                max_new_tokens=8,
                do_sample=False,
                early_stopping="never",
                eos_token_id=target.end_token,
                **{NAMES.get(name, name): value for name, value in given.items()},
            ).numpy()
            # They write the end again behind it, we write 0.
            ended = np.cumsum(expected == target.end_token, axis=1) > 1
            expected = np.where(ended, 0, expected)
            np.testing.assert_array_equal(found[:, : expected.shape[1]], expected)
            assert not found[:, expected.shape[1] :].any()
            lengths |= set(np.sum(~ended, axis=1))
    assert len(lengths) > 3


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
