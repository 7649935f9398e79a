"""The released text ids, with the stand-in tokenizer of the fixture (LLaMA's layout and size)."""

import json

import numpy as np
import pytest

from unified_io.vocab import BOS, EOS, PAD, UNK, Vocabulary


@pytest.fixture(scope="module")
def folder(golden):
    return golden("tokenizer")


@pytest.fixture(scope="module")
def outputs(folder):
    return json.loads((folder / "outputs.json").read_text())


@pytest.fixture(scope="module")
def vocabulary(folder):
    return Vocabulary(str(folder / "tokenizer.model"), base_size=32000, size=33280)


def test_strings(vocabulary, outputs):
    for case in outputs["strings"]:
        assert vocabulary.encode(case["text"]) == case["ids"], case["text"]
        assert vocabulary.decode(case["ids"]) == case["decoded"]


def test_decoding(vocabulary, outputs):
    for case in outputs["decode_cases"]:
        assert vocabulary.decode(case["ids"]) == case["decoded"]


def test_special_ids(vocabulary, outputs):
    for piece, id in outputs["special_ids"].items():
        assert vocabulary.special_id(piece.replace("▁", " ").strip()) == id
    assert vocabulary.used_size == outputs["piece_count"]
    assert [outputs[name] for name in ("bos", "eos", "unk", "pad")] == [BOS, EOS, UNK, PAD]


def test_model_inputs(vocabulary, folder):
    config, arrays = json.loads((folder / "config.json").read_text()), np.load(folder / "outputs.npz")
    long = [*vocabulary.encode(config["long_text"])[:511], EOS]
    np.testing.assert_array_equal(long, arrays["long_input/tokens"])
    target = [*vocabulary.encode(config["target_text"]), EOS]
    np.testing.assert_array_equal(target, arrays["target/targets"])
    np.testing.assert_array_equal([BOS, *target[:-1]], arrays["target/inputs"])
