"""Laws of a language model with media: packing, caches, absent media and places change nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified_io import pytree
from unified_io.api.compiled import compiled
from unified_io.api.loading import from_pretrained
from unified_io.api.rows import lay_out
from unified_io.connected_lm import ends, within
from unified_io.data.batch import assemble
from unified_io.data.budgets import Budgets
from unified_io.data.packer import prepare
from unified_io.data.packing import measure, one_per_row, plan
from unified_io.errors import DataError
from unified_io.generation.sampling import Sampler
from unified_io.loss import total_loss

PICTURE = np.random.default_rng(0).random((20, 30, 3), np.float32)
MEL = np.random.default_rng(1).normal(size=(20, 16)).astype(np.float32)
EXAMPLES = [
    {"text_inputs": "[Text] [S] what is this?", "text_targets": "a two", "image_inputs": PICTURE},
    {
        "text_inputs": "is <image> like <audio>",
        "text_targets": ["no", "not at all"],
        "image_inputs": PICTURE,
        "audio_inputs": MEL,
    },
    {"text_inputs": "say one", "text_targets": "one"},
]


def laid_out(config, examples, *, together: bool):
    """The examples packed into one row, or one in each of three."""
    prepared = [prepare(example, config.inputs, config.targets) for example in examples]
    items = {"text": 200, "image": 3, "video": 1, "audio": 2}
    rows = 1 if together else len(examples)
    budgets = Budgets(rows, 200, 64, items, {"text": 96})
    lengths = [example.lengths for example in prepared]
    made = (plan if together else one_per_row)(lengths, budgets)
    assert made.placed.all()
    return assemble([x.features for x in prepared], made, config.inputs, config.targets)


@pytest.fixture(scope="module")
def apply(model):
    return jax.jit(lambda params, batch: model.config.network().apply({"params": params}, batch)["text"])


def test_packed_answers_score_as_they_do_alone(model, apply):
    alone = apply(model.params, laid_out(model.config, EXAMPLES, together=False))
    packed = apply(model.params, laid_out(model.config, EXAMPLES, together=True))
    real = np.asarray(alone.weights[0]) > 0
    np.testing.assert_array_equal(alone.tokens, packed.tokens)
    assert real.sum() > 10
    np.testing.assert_allclose(alone.logits[0][real], packed.logits[0][real], atol=2e-5)


def test_an_answer_depends_on_its_own_prompt_and_media_only(model, apply):
    changed = [{**EXAMPLES[0], "text_inputs": "who?", "image_inputs": 1 - PICTURE}, *EXAMPLES[1:]]
    one, other = (apply(model.params, laid_out(model.config, x, together=True)) for x in (EXAMPLES, changed))
    first = prepare(EXAMPLES[0], model.config.inputs, model.config.targets).lengths.decoder
    real = np.asarray(one.weights[0]) > 0
    gap = np.abs(np.asarray(one.logits - other.logits)[0]).max(-1)
    assert (gap[:first] > 1e-3).all()
    assert gap[first:][real[first:]].max() < 2e-5


def test_what_is_written_step_by_step_is_what_the_whole_scores(model):
    """The likeliest token of the whole forward pass, at every place, is the one that decoding writes."""
    config, target = model.config, model.config.targets[0]
    for example in EXAMPLES[:2]:
        asked = {key: value for key, value in example.items() if key != "text_targets"}
        functions, batch = compiled(config), lay_out(config, [asked])
        places = np.zeros((1, 2), np.int32)
        writing = functions.begin(
            model.params, batch, np.zeros(1, np.int32), np.uint32(0), places, length=6, room=6
        )
        greedy = Sampler(temperature=0.0)
        writing = functions.advance(
            model.params, writing, None, greedy, np.int32(6), target="text", constraint=None
        )
        tokens = np.asarray(writing.tokens[0])
        features = prepare(asked, config.inputs, config.targets).features
        features["targets"]["text"] = {
            "tokens": tokens,
            "inputs": np.array([0, *tokens[:-1]], np.int32),
            "streams": np.zeros(6, np.int32),
        }
        lengths = [measure(features, config.inputs, config.targets)]
        items = {"text": 100, "image": 1, "video": 1, "audio": 1}
        whole = assemble(
            [features],
            one_per_row(lengths, Budgets(1, 120, 8, items, {"text": 8})),
            config.inputs,
            config.targets,
        )
        scored = functions.log_probs(model.params, whole, target="text")[1]
        logits = config.network().apply({"params": model.params}, whole)["text"].logits[0, :6]
        np.testing.assert_array_equal(np.argmax(logits, -1), tokens)
        assert np.isfinite(scored).all()
        assert target.end_token not in tokens[:-1]


def test_media_that_nobody_gave_get_no_gradient(model):
    batch = laid_out(model.config, EXAMPLES[2:], together=True)
    loss = lambda params: total_loss(model.config.network().apply({"params": params}, batch))[0]  # noqa: E731
    gradients = pytree.named_leaves(jax.grad(loss)(model.params))
    media = {
        name: np.abs(g).max() for name, g in gradients.items() if "encoder" in name or "connector" in name
    }
    assert len(media) > 20 and not any(media.values())
    assert all(
        np.abs(g).max() > 0 for name, g in gradients.items() if name.startswith("language_model/layers")
    )


def test_words_and_media_lie_in_the_order_of_the_conversation(model):
    """Of "is <image> like <audio>" the row holds words, three of the picture, words, four of the sound, words."""
    batch = laid_out(model.config, EXAMPLES[1:2], together=True)
    slots = batch["encoder"]["slots"][0, 0][batch["encoder"]["segment_ids"][0, 0] > 0]
    kinds = np.searchsorted([200, 209, 212], slots, side="right")  # text, image, video, audio
    runs = [int(kind) for i, kind in enumerate(kinds) if i == 0 or kinds[i - 1] != kind]
    assert runs == [0, 1, 0, 3, 0]
    assert (kinds == 1).sum() == 3 and (kinds == 3).sum() == 4


def test_places_in_segments():
    np.testing.assert_array_equal(within(jnp.array([[1, 1, 1, 2, 2, 0]])), [[0, 1, 2, 0, 1, 0]])
    np.testing.assert_array_equal(ends(jnp.array([[1, 1, 2, 0]]), jnp.array([[2, 1, 3]])), [[2, 1, -1]])


def test_it_answers_about_pictures_videos_and_sounds(model, tmp_path):

    asked = {
        "text": "what?",
        "image": PICTURE,
        "video": [PICTURE] * 3,
        "audio": (np.zeros(3000, np.float32), 8000),
    }
    answer = model.generate("text", **asked, max_length=4)
    assert isinstance(answer, str)
    model.save_pretrained(tmp_path)
    again = from_pretrained(tmp_path, allow_random=True)
    assert again.config == model.config
    assert again.generate("text", **asked, max_length=4) == answer


def test_pictures_of_earlier_turns_are_seen_in_their_turns(model):
    """What is said before, which picture stands where, and what the last one shows: each changes the prompt's rows."""
    dialog = {"messages": [{"role": "user", "text": "see <image>"}, {"role": "bot", "text": "a seven"}]}
    ask = {"text": "and this one? <image>", "dialog": dialog, "image": [PICTURE, 1 - PICTURE]}
    states = model.encode(**ask)
    assert isinstance(model.generate("text", **ask, max_length=3), str)
    turned = model.encode(**{**ask, "image": [1 - PICTURE, PICTURE]})
    first = model.encode(**{**ask, "image": [1 - PICTURE, 1 - PICTURE]})
    both, one = (np.flatnonzero(np.abs(states - x).max(-1) > 1e-6) for x in (turned, first))
    assert len(both) == 6 and both[3] - both[2] > 5  # words between them
    np.testing.assert_array_equal(one, both[:3])
    other = {"messages": [dialog["messages"][0], {"role": "bot", "text": "a two, I think"}]}
    assert len(model.encode(**{**ask, "dialog": other})) != len(states)
    with pytest.raises(DataError, match="turn 2 lacks the medium"):
        model.encode(**{**ask, "image": [PICTURE]})
