"""Scores: packed into few rows they are what the network says of each answer alone, EOS counted once."""

import jax
import numpy as np
import pytest

from unified_io.api.rows import lay_out
from unified_io.api.scoring import split
from unified_io.errors import ConfigError
from unified_io.model import Network

ANSWERS = ["cat", "a dog on the mat", "seven", "cat"]


@pytest.fixture(scope="module")
def alone(model, picture):
    """Log-probabilities of the tokens of every answer, each in a batch row of its own, straight from the network."""
    fields = model.read({"text": "what?", "image": picture}, "text")
    batch = lay_out(model.config, [{**fields, "text_targets": answer} for answer in ANSWERS])
    out = jax.jit(Network(model.config).apply)({"params": model.params}, batch)["text"]
    log_probs = np.asarray(jax.nn.log_softmax(out.logits))
    found, start = [], 0
    for answer in ANSWERS:
        ids = [*model.config.target("text").tokenize(answer), 1]
        places = np.arange(start, start + len(ids))
        assert np.asarray(out.tokens)[0, places].tolist() == ids
        found.append(log_probs[0, places, ids])
        start += len(ids)
    return found


def test_an_answer_scores_what_it_scores_alone(model, picture, alone):
    scores = model.score(ANSWERS, text="what?", image=picture)
    np.testing.assert_allclose(scores, [x.sum() for x in alone], rtol=1e-5)
    assert scores[0] == pytest.approx(scores[3], rel=1e-6)


def test_the_mean_is_over_tokens_and_eos(model, picture, alone):
    scores = model.score_batch([{"text": "what?", "image": picture}], ANSWERS, by="mean")
    np.testing.assert_allclose(scores[0], [x.mean() for x in alone], rtol=1e-5)


def test_the_target_of_an_example_is_as_likely_as_the_answer_it_holds(model, picture, alone):
    fields = model.read({"text": "what?", "image": picture}, "text")
    found = model.likelihood_fields([{**fields, "text_targets": x} for x in ANSWERS], "text", batch_size=3)
    for (tokens, log_probs), answer, expected in zip(found, ANSWERS, alone, strict=True):
        assert tokens.tolist() == [*model.config.target("text").tokenize(answer), 1]
        np.testing.assert_allclose(log_probs, expected, rtol=1e-4)


def test_the_tokens_of_a_drawn_target_are_all_counted(model, picture):
    fields = model.read({"text": "draw"}, "image")
    square = {"image_targets": picture[:, : len(picture)]}
    ((tokens, log_probs),) = model.likelihood_fields([fields | square], "image")
    assert len(tokens) == len(log_probs) == model.config.target("image").slot_size
    assert (log_probs < 0).all()


def test_examples_and_rows_do_not_mix(model, picture):
    examples = [{"text": "what?", "image": picture}, {"text": "why?"}]
    many = [f"{word} {i}" for i in range(40) for word in ("cat", "dog")]  # more than one row holds
    assert len(split(many, model.config.target("text"))) > 1
    told = []
    scores = model.score_batch(examples, many, batch_size=3, progress=lambda *x: told.append(x))
    assert scores.shape == (2, 80) and told[-1][0] == told[-1][1]
    for i, a in ((0, 3), (1, 3), (1, 79)):
        np.testing.assert_allclose(scores[i, a], model.score([many[a]], **examples[i])[0], rtol=1e-4)


def test_what_can_not_be_scored_is_told(model):
    for answers, why in (([], "list of answers"), ("cat", "list of answers"), (["a", " "], "empty")):
        with pytest.raises(ConfigError, match=why):
            model.score(answers, text="x")
    with pytest.raises(ConfigError, match="tokens long"):
        model.score(["word " * 100], text="x")
    with pytest.raises(ConfigError, match="did you mean 'mean'"):
        model.score_batch([{"text": "x"}], ["a"], by="meen")
    with pytest.raises(ConfigError, match="unknown option 'samples'"):
        model.score_batch([{"text": "x"}], ["a"], samples=2)
