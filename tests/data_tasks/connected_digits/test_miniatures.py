"""Miniatures: stored features are the encoder's, only connectors move, results are kept, the page is written."""

import dataclasses
import json

import connector_miniatures
import jax
import numpy as np
import pytest
from scipy.io import wavfile

from data_tasks.connected_digits.miniatures import page, words
from data_tasks.connected_digits.miniatures.bench import changed
from data_tasks.connected_digits.miniatures.experiments import EXPERIMENTS
from data_tasks.connected_digits.miniatures.lesson import Lesson, begun
from data_tasks.connected_digits.miniatures.record import Record
from data_tasks.connected_digits.miniatures.stored import StoredFront, StoredMedium, together
from data_tasks.connected_digits.miniatures.system import FORMAT, VOCABULARY, WIDTH, system
from unified_io import pytree
from unified_io.api.rows import lay_out
from unified_io.backbones.frozen import held
from unified_io.connectors.linear import PooledToTokensConfig
from unified_io.dialog.describing import describe_first
from unified_io.dialog.rendering import render
from unified_io.dialog.turns import Dialog, user
from unified_io.dialog.turns import Medium as Shown
from unified_io.encoders.clip import ClipConfig, ClipVit
from unified_io.errors import DataError
from unified_io.modalities.connected.fronts import ImageFront
from unified_io.modalities.connected.medium import Medium
from unified_io.modalities.connected.talk import conversation

SPREAD = PooledToTokensConfig(num_tokens=2, out_width=WIDTH, pool="given")
DIGIT = {"text_inputs": "which digit is this?", "text_targets": "two"}


def _small(*media):
    """The system with a language model of one narrow layer."""
    whole = system(*media)
    backbone = dataclasses.replace(whole.backbone, num_layers=1, mlp_dim=32)
    return dataclasses.replace(whole, backbone=backbone)


def test_a_stored_medium_scores_as_the_encoder_itself_does():
    vit = ClipConfig(width=16, num_heads=2, num_layers=1, mlp_dim=32, patch=8, grid=2, pooled=True)
    picture = np.random.default_rng(0).random((16, 16, 3), np.float32)
    direct = _small(Medium(kind="image", front=ImageFront(side=16), encoder=vit, connector=SPREAD))
    stored = _small(StoredMedium(kind="image", front=StoredFront(tokens=5, width=16), connector=SPREAD))
    params = begun(direct, 0, {})
    encoder = params.pop("shared_image_encoder")
    values = ImageFront(side=16).segments(picture)
    features = together(ClipVit(vit).apply({"params": encoder}, values))[0]
    one, other = (
        config.network().apply({"params": params | more}, lay_out(config, [DIGIT | {"image_inputs": medium}]))
        for config, medium, more in (
            (direct, picture, {"shared_image_encoder": encoder}),
            (stored, np.asarray(features), {}),
        )
    )
    assert np.ptp(one["text"].logits) > 0.1
    np.testing.assert_allclose(one["text"].logits, other["text"].logits, atol=1e-5)


@pytest.mark.parametrize("storage", ["float32", "nf4"])
def test_a_lesson_moves_the_connector_alone_and_its_loss_falls(storage):
    config = _small(StoredMedium(kind="image", front=StoredFront(tokens=1, width=10), connector=SPREAD))
    examples = [
        words.asked("this?", word, image_inputs=np.full((2, 10), np.eye(10)[digit], np.float32))
        for digit, word in enumerate(words.WORDS)
    ]
    params = begun(config, 0, {})
    if storage != "float32":
        params |= held({"language_model": params["language_model"]}, "layers", storage)
    lesson = Lesson(config=config, trained=("shared_image_connector",), steps=12, rate=0.02)
    first = lesson.loss(params, examples * 2)
    learnt, _ = lesson.learn(params, examples, seed=0)
    assert lesson.loss(learnt, examples * 2) < first - 0.05
    assert changed(params["language_model"], learnt["language_model"]) == 0
    assert changed(params["shared_image_connector"], learnt["shared_image_connector"]) > 0
    assert pytree.named_leaves(params)  # none was used up
    jax.block_until_ready(params)


def test_what_follows_a_description_is_what_describe_first_asks():
    asked = words.described("odd or even?", "even", "name it", "two", image_inputs=np.ones(3))
    medium = conversation(asked).media[0]
    answers = iter(["two", "even"])
    turns = Dialog((user(Shown("image", medium.value), "odd or even?"),))
    turns = describe_first(turns, lambda dialog: next(answers), request="name it")
    wanted = dataclasses.replace(turns, messages=turns.messages[:-1])
    assert str(render(conversation(asked), FORMAT)) == str(render(wanted, FORMAT))


def test_the_text_tells_of_every_question_and_of_nothing_shown():
    told = words.corpus(["ann", "bob"], 70, 0)
    assert told == words.corpus(["ann", "bob"], 70, 0) != words.corpus(["ann", "bob"], 70, 1)
    assert {key for example in told for key in example} == {"text_inputs", "text_targets", "dialog_inputs"}
    answers = {example["text_targets"] for example in told}
    assert {"odd", "even", "yes", "no", "ann", "bob"} <= answers
    assert all(VOCABULARY.decode(VOCABULARY.encode(answer)) == answer for answer in answers)


def test_a_result_is_measured_once(tmp_path):
    record, calls = Record(tmp_path), []

    def measure():
        calls.append(1)
        return {"right": [1.0, 0.0]}

    for _ in range(2):
        assert record.measured(1, "image", 0, measure) == {"right": [1.0, 0.0]}
    record.measured(1, "image", 2, measure)
    assert len(calls) == 2
    assert sorted(record.outcomes(1, "image")) == [0, 2]
    assert record.outcomes(1, "audio") == {}


def test_the_page_has_the_mean_of_all_questions_and_of_every_seed(tmp_path):
    record = Record(tmp_path)
    for seed, right in enumerate(([1.0, 1.0, 1.0, 0.0], [1.0, 0.0, 0.0, 0.0])):
        outcome = {"digit named": right, "perplexity": [1.5 + seed]}
        record.measured(1, "image", seed, lambda outcome=outcome: outcome)
    made = page.written(f"before\n{page.BEGIN}\nold\n{page.END}\nafter", record)
    assert made.startswith("before\n") and made.endswith("\nafter") and "old" not in made
    assert "| image | digit named | 50.0 % [12.5, 87.5] | 75.0, 25.0 | 8 |" in made
    assert "| image | perplexity | 2 | 1.5000, 2.5000 |  |" in made
    with pytest.raises(DataError, match="end of results"):
        page.written("no marks", record)


@pytest.mark.slow
def test_every_experiment_runs_for_a_few_steps(tmp_path):
    rng, speech = np.random.default_rng(0), tmp_path / "speech"
    speech.mkdir()
    for pitch, name in enumerate(("ann", "bob", "cid", "dan")):
        for digit in range(10):
            for take in range(2):
                tone = np.sin(np.arange(3200) * (0.1 + 0.02 * digit + 0.003 * pitch))
                wave = (0.3 * tone + 0.01 * rng.normal(size=3200)) * 2**15
                wavfile.write(speech / f"{digit}_{name}_{take}.wav", 8000, wave.astype(np.int16))
    out = tmp_path / "page.md"
    out.write_text(f"{page.BEGIN}\n{page.END}\n")
    connector_miniatures.main(
        [f"--out_dir={tmp_path / 'run'}", f"--speech_dir={speech}", f"--out={out}", "--quick"]
    )
    text = out.read_text()
    for number, experiment in EXPERIMENTS.items():
        assert f"### {number}. " in text
        assert all(f"| {arm} |" in text for arm in experiment.arms)
    first = json.loads((tmp_path / "run/quick/results/01.image.0.json").read_text())["outcome"]
    assert first["arrays of the language model that changed"] == [0.0]
    assert first["perplexity of text before"] == first["perplexity of text after"]
