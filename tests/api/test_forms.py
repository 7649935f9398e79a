"""Forms: whatever the model would rather write, an answer of the capability comes out."""

import json
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified_io import structures
from unified_io.api import forms
from unified_io.chat_vocab import ChatVocabulary
from unified_io.errors import ConfigError
from unified_io.generation.decode import decode
from unified_io.generation.sampling import Sampler
from unified_io.vocab import EOS, Vocabulary

VOCABULARY = Vocabulary()
WORD = VOCABULARY.encode("cat")[0]
DOG = VOCABULARY.encode("dog")[0]
LOCATIONS = np.asarray(VOCABULARY.location_ids)


def write(constraint, length: int, wanted: dict[int, dict[int, float]]) -> list[int]:
    """Decodes greedily: at step i the probabilities `wanted[i]`, and what is left over spread over all locations."""
    logits = np.full((length, VOCABULARY.size), -30.0)
    for step in range(length):
        chosen = wanted.get(step, {})
        logits[step, LOCATIONS] = np.log((1 - sum(chosen.values())) / len(LOCATIONS))
        logits[step, LOCATIONS[step % 7]] += 1e-3  # so that the likeliest one is another one now and then
        for token, probability in chosen.items():
            logits[step, token] = np.log(probability)
    table = jnp.asarray(logits)
    tokens, _ = decode(
        lambda state, ids, index: (table[index][None], state),
        0,
        batch_size=1,
        length=length,
        sampler=Sampler(temperature=0.0),
        rng=jax.random.key(0),
        eos_id=EOS,
        constraint=constraint,
    )
    return [int(t) for t in tokens[0] if t]


def shape(tokens: list[int]) -> str:
    """Draws tokens: L a location, . the end, w a word."""
    return "".join("L" if VOCABULARY.is_location(t) else "." if t == EOS else "w" for t in tokens)


def test_boxes_are_whole_and_go_on_while_the_model_is_sure():
    form = forms.boxes(VOCABULARY, 0.3)
    # surer than 0.3 of a coordinate, although EOS is likelier than each of them
    assert (
        shape(write(form, 9, {0: {EOS: 0.6}, 2: {EOS: 0.99}, 4: {EOS: 0.69}, 8: {EOS: 0.8}})) == "LLLLLLLL."
    )
    # less sure: no box at all; words are never written
    assert shape(write(form, 9, {0: {WORD: 0.5, EOS: 0.3}})) == "."
    assert shape(write(form, 5, {0: {WORD: 0.9}, 4: {EOS: 0.9}})) == "LLLL."


def test_labels_stand_behind_whole_boxes():
    form = forms.labelled_boxes(VOCABULARY, 0.5)
    wanted = {2: {WORD: 0.9}, 4: {WORD: 0.9}, 5: {DOG: 0.6}, 6: {WORD: 0.4}, 10: {EOS: 0.7}}
    assert shape(write(form, 12, wanted)) == "LLLLwwLLLL."


def test_one_box_is_one_box():
    assert shape(write(forms.one_box(VOCABULARY), 5, {0: {EOS: 0.99}, 4: {WORD: 0.99}})) == "LLLL."


def test_all_body_parts_are_spelled():
    form, length = forms.body_parts(VOCABULARY)
    tokens = write(form, length, {i: {EOS: 0.9} for i in range(0, length, 3)})
    assert len(tokens) == length and tokens[-1] == EOS
    read = structures.text_to_keypoints(VOCABULARY.decode(tokens))
    assert read.visible.all() and not read.skipped


def test_forms_are_built_once():
    assert forms.boxes(VOCABULARY, 0.3) is forms.boxes(Vocabulary(), 0.3)
    with pytest.raises(ConfigError, match="threshold 3"):
        forms.boxes(VOCABULARY, 3)


def test_forms_have_names():
    assert forms.named("body_parts", VOCABULARY) is forms.body_parts(VOCABULARY)[0]
    assert forms.named("one_box", VOCABULARY) is forms.one_box(VOCABULARY)
    with pytest.raises(ConfigError, match="did you mean 'one_box'"):
        forms.named("one_bax", VOCABULARY)
    with pytest.raises(ConfigError, match="is one of text"):
        forms.named("boxes", None)


def written(form, seed, length=48, vocabulary=VOCABULARY, size=VOCABULARY.size, end=EOS):
    """What is written in a form at random."""
    tokens, _ = decode(
        lambda state, ids, index: (jnp.zeros((1, size)), state),
        0,
        batch_size=1,
        length=length,
        sampler=Sampler(),
        rng=jax.random.key(seed),
        eos_id=end,
        constraint=forms.named(form, vocabulary, end),
    )
    assert end in np.asarray(tokens[0]), "it does not end"
    return vocabulary.decode(tokens[0, : tokens[0].tolist().index(end)])


def test_an_answer_is_one_of_some_texts():
    options = ["cat", "red cube", "a.b (c)", "42"]
    found = {written({"one_of": options}, seed) for seed in range(24)}
    assert found <= {*options} and len(found) > 2


def test_an_answer_matches_a_regular_expression():
    for seed in range(6):
        assert re.fullmatch(r"[0-9]{1,3} (cat|dog)s", written({"regex": "[0-9]{1,3} (cat|dog)s"}, seed))
        assert re.fullmatch(r"(<extra_id_[0-9]+> ?){2}", written({"regex": "(<extra_id_[0-9]+> ?){2}"}, seed))


def test_an_answer_is_json_of_a_schema():
    schema = {"type": "array", "items": {"enum": ["cat", "dog"]}, "minItems": 1, "maxItems": 3}
    for seed in range(6):
        found = json.loads(written({"json_schema": schema}, seed))
        assert 1 <= len(found) <= 3 and set(found) <= {"cat", "dog"}


def test_a_chat_vocabulary_writes_in_forms_of_words():
    """Its end is another token, and its table may have rows to spare."""
    chat = ChatVocabulary(added=("<RS>",))
    options = {"vocabulary": chat, "size": chat.rows + 9, "end": chat.token("</s>")}
    found = {written({"one_of": ["cat", "red cube", "42"]}, seed, **options) for seed in range(24)}
    assert found <= {"cat", "red cube", "42"} and len(found) > 1
    with pytest.raises(ConfigError, match="no form 'boxes'; give one of regex"):
        forms.named("boxes", chat, chat.token("</s>"))


@pytest.mark.parametrize(
    ("form", "word"),
    [
        ({"regex": "("}, "none that the vocabulary can write"),
        ({"one_of": 5}, "can not be read"),
        ({"json_schema": "x"}, "can not be read"),
        ({"rejex": "a"}, "did you mean 'regex'"),
        ({}, "to be one of"),
        ({"regex": "a", "one_of": ["b"]}, "to be one of"),
        ({"regex": "([a-z]{40}|[0-9]{1500})"}, "states"),
    ],
)
def test_forms_that_are_none(form, word):
    with pytest.raises(ConfigError, match=word):
        forms.named(form, VOCABULARY)
