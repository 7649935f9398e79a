"""Generating: the same whatever is beside it, guided, several at once, in forms, and never at random unseen."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest

from unified_io import api
from unified_io.api import forms
from unified_io.api.compiled import compiled
from unified_io.api.rows import lay_out
from unified_io.errors import CheckpointError, ConfigError
from unified_io.generation.constraints import allow
from unified_io.generation.sampling import Sampler
from unified_io.vocab import location_word

DRAW = {"temperature": 1.0, "top_p": 1.0}


def test_rows_computed_at_once_change_nothing(model, picture):
    examples = [{"text": "draw a"}, {"text": "b", "image": picture}, {"text": "c"}]
    together = model.generate_batch(examples, "image", seed=5)
    apart = model.generate_batch(examples, "image", seed=5, batch_size=1)
    for one, other in zip(together, apart, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    assert not np.array_equal(together[0], together[2])


def test_samples_differ_and_the_first_do_not_depend_on_how_many(model):
    many = model.generate("text", text="say", samples=4, max_length=5, seed=1, **DRAW)
    assert isinstance(many, list) and len(set(many)) > 1
    assert many[:2] == model.generate("text", text="say", samples=2, max_length=5, seed=1, **DRAW)
    two = model.generate_batch([{"text": "say"}, {"text": "go"}], samples=2, max_length=5, seed=1, **DRAW)
    assert two[0] == many[:2] and len(two[1]) == 2


def tokens_of(model, guidance, prompt="draw", negative=""):
    """The tokens of a guided picture, with the scale as an array: 0 does not skip the second half."""
    fields = [model.read({"text": text}, "image") for text in (prompt, negative)]
    rows = np.array([0] if guidance is None else [0, 1], np.int32)
    return np.asarray(
        compiled(model.config).generate(
            model.params,
            lay_out(model.config, fields),
            rows,
            np.uint32(3),
            np.zeros((1, 2), np.int32),
            None if guidance is None else jnp.float32(guidance),
            target="image",
            length=model.config.target("image").length,
            sampler=Sampler(1.0),
            constraint=None,
            beams=1,
            length_penalty=0.0,
            answers=1,
        )
    )


def test_no_guidance_is_guidance_of_zero(model):
    plain = tokens_of(model, None)
    np.testing.assert_allclose(tokens_of(model, 0.0), plain, atol=1e-5)
    assert np.abs(tokens_of(model, 30.0) - plain).max() > 1e-2
    # away from itself is nowhere
    np.testing.assert_allclose(tokens_of(model, 30.0, negative="draw"), plain, atol=1e-3)


def test_guidance_keeps_what_is_seen_and_changes_the_words(model, picture, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "unified_io.api.generating.lay_out",
        lambda config, fields: seen.append(fields) or lay_out(config, fields),
    )
    examples = [{"text": "a"}, {"text": "b"}, {"text": "c", "image": picture}]
    model.generate_batch(examples, "image", guidance=2.0, negative_prompt="nothing")
    prompts = [x["text_inputs"].removeprefix("[Image] [S] ") for x in seen[0]]
    assert prompts == ["a", "b", "c", "nothing", "nothing"]  # two of three say and see the same
    assert ["image_inputs" in x for x in seen[0]] == [False, False, True, False, True]


def test_a_search_as_wide_as_all_answers_ranks_them_as_scoring_does(model, picture):
    vocabulary = model.config.target("text").vocabulary
    words = [location_word(0), location_word(999)]
    form = allow(np.isin(np.arange(vocabulary.size), [vocabulary.encode(word)[0] for word in words]))
    answers = [" ".join(some) for some in itertools.product(words, repeat=3)]
    inputs = {"text": "say", "image": picture}
    search = {"beams": 8, "samples": 8, "max_length": 3, "constraint": form}
    found = model.generate_batch([{"text": "no"}, inputs], **search)[1]

    fields = model.read(inputs, "text")
    batch = lay_out(model.config, [{**fields, "text_targets": answer} for answer in answers])
    _, log_probs = compiled(model.config).log_probs(model.params, batch, target="text")
    without_end = np.asarray(log_probs)[0, : 8 * 4].reshape(8, 4)[:, :3].sum(axis=1)
    assert found == [answers[i] for i in np.argsort(-without_end)]
    with pytest.raises(ConfigError, match="beams are for text"):
        model.generate("image", text="say", beams=2)


def test_an_answer_keeps_to_its_form(model):
    vocabulary = model.config.target("text").vocabulary
    form = forms.boxes(vocabulary, 0.0)
    text = model.generate("text", text="find", constraint=form, max_length=8)
    ids = np.array(vocabulary.encode(text))
    assert len(ids) == 8 and vocabulary.is_location(ids).all()
    assert len(vocabulary.encode(model.generate("text", text="find", constraint=form, max_length=3))) == 3


def test_a_form_is_asked_for_by_name(model):
    vocabulary = model.config.target("text").vocabulary
    ids = np.array(vocabulary.encode(model.generate("text", text="find", constraint="one_box")))
    assert len(ids) == 4 and vocabulary.is_location(ids).all()
    with pytest.raises(ConfigError, match="unknown form"):
        model.generate("text", text="find", constraint="circle")
    with pytest.raises(ConfigError, match="is one of text"):
        model.generate("image", text="find", constraint="one_box")


def test_a_penalty_keeps_from_repeating(model):
    vocabulary = model.config.target("text").vocabulary
    plain, varied = (
        vocabulary.encode(model.generate("text", text="say", max_length=8, repetition_penalty=x))
        for x in (1.0, 50.0)
    )
    assert len(set(plain)) < len(plain) and len(set(varied)) == len(varied)


def test_the_best_of_some_samples_comes_first(model):
    asked = []

    def rank(sample, inputs):
        asked.append(inputs["text"])
        return len(sample)

    options = {"samples": 3, "max_length": 5, "seed": 1, **DRAW}
    plain = model.generate_batch([{"text": "say"}, {"text": "go"}], **options)
    ranked = model.generate_batch([{"text": "say"}, {"text": "go"}], rank=rank, **options)
    assert ranked == [sorted(some, key=len, reverse=True) for some in plain] != plain
    assert asked == ["say"] * 3 + ["go"] * 3
    with pytest.raises(ConfigError, match="give samples as well"):
        model.generate("text", text="say", rank=rank)
    with pytest.raises(ConfigError, match="rank is for generate"):
        model.generate_text("say", samples=2, rank=rank)


def test_a_video_is_generated_from_as_a_capability_sees_it(model):
    frames = np.random.default_rng(0).random((3, 9, 12, 3)).astype(np.float32)
    options = {"max_length": 5, "temperature": 0.0}
    text = model.generate_text("say", video=frames, prompt="{text}", **options)
    assert model.generate("text", text="say", video=frames, **options) == text
    with pytest.raises(ConfigError, match="an image and a video"):
        model.generate("text", text="say", video=frames, image=frames[0])


def test_progress_is_told_after_every_batch(model):
    told = []
    examples = [{"text": str(i)} for i in range(5)]
    progress = lambda *x: told.append(x)  # noqa: E731
    model.generate_batch(examples, max_length=2, batch_size=2, progress=progress)
    assert told == [(2, 5), (4, 5), (5, 5)]


@pytest.mark.parametrize(
    "call",
    [
        lambda m: m.generate("text", text="x"),
        lambda m: m.generate_fields([{"text_inputs": "x"}], "image"),
        lambda m: m.score(["a"], text="x"),
        lambda m: m.encode(text="x"),
        lambda m: m.reconstruct([np.zeros((8, 8, 3), np.float32)], "image"),
        lambda m: m.generate_image("a cat"),
        lambda m: m.categorize(["a", "b"], image=np.zeros((4, 4, 3), np.float32)),
    ],
)
def test_what_was_never_loaded_does_not_answer(model, call):
    partly = api.UnifiedIO(model.config, model.params, uninitialised=("a/kernel", "b", "c", "d"))
    with pytest.raises(CheckpointError, match=r"4 parameters were never loaded \(a/kernel, b, c, …\)"):
        call(partly)


def test_what_was_never_loaded_answers_when_told_to(model):
    partly = api.UnifiedIO(model.config, model.params, uninitialised=("a",))
    same = model.generate("text", text="x", max_length=2)
    assert partly.generate("text", text="x", max_length=2, allow_random=True) == same
    np.testing.assert_array_equal(
        partly.score_batch([{"text": "x"}], ["a"], allow_random=True), [model.score(["a"], text="x")]
    )
    whole = api.UnifiedIO(model.config, model.params, uninitialised=("a",), allow_random=True)
    assert whole.generate("text", text="x", max_length=2) == same


def test_nothing_in_is_nothing_out(model):
    assert model.generate_batch([]) == []
    assert model.generate_fields([], "image", samples=2) == []
