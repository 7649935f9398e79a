"""Sounds from captions and from videos: the segment that comes last, given those before it."""

import numpy as np
import pytest

from data_tasks.formats.soundtrack import AudioFromVideo
from data_tasks.formats.speak import TextToAudio
from tests.data_tasks.formats.wording import SEEDS, made, picture, piped, raw, sound, worded_by
from unified_io.errors import DataError

SPEAK, TRACK = TextToAudio("speak"), AudioFromVideo("soundtrack")
CAPTIONS = ["A dog  barks", "barking"]
FORMS = {
    "speak": (SPEAK, raw(captions=CAPTIONS, audio=sound())),
    "more": (SPEAK, raw(captions=CAPTIONS, audio=sound(), audio_history=[sound(1), sound(2)])),
    "track": (TRACK, raw(images=[picture(), picture(seed=1)], captions=CAPTIONS, audio=sound())),
}


@pytest.mark.parametrize("name", FORMS)
def test_laws(name):
    form, example = FORMS[name]
    for training in (True, False):
        for seed in SEEDS:
            fields = made(form, example, seed, training=training)
            assert fields.keys() <= set(form.writes)
            for key, value in made(form, example, seed, training=training).items():
                np.testing.assert_equal(fields[key], value)
            assert worded_by(form, fields["text_inputs"]) == training
            assert any(text in fields["text_inputs"] for text in ("a dog barks", "barking"))
    read = piped(form, example)
    assert read["text_inputs"].startswith("[Audio] [S] ")
    np.testing.assert_array_equal(read["audio_targets"], example["audio"])
    assert len(read["audio_history_inputs"]) == len(example.get("audio_history", []))


@pytest.mark.parametrize("name", FORMS)
def test_oracle_and_answers_of_any_kind(name):
    form, example = FORMS[name]
    fields = made(form, example)
    (metric,) = form.metrics
    score = lambda answer: metric.total([form.parse(answer, fields)], [form.truth(fields)])  # noqa: E731
    assert score(example["audio"]) == metric.best
    # A tokenizer gives more frames than there were, and something where there was silence.
    assert score(np.pad(example["audio"], ((0, 9), (0, 0)), constant_values=3.0)) == metric.best
    for answer in (None, "woof", np.zeros(0), np.full((8, 16), np.nan), np.zeros((3, 3, 3)), [[1], [2, 3]]):
        assert score(answer) > metric.best + 0.5


def test_silence_is_not_judged():
    mel = sound()
    mel[10:] = 0.0
    fields = made(SPEAK, raw(captions=["ping"], audio=mel))
    noise = np.where(mel == 0.0, -3.0, mel)
    (metric,) = SPEAK.metrics
    assert metric.total([SPEAK.parse(noise, fields)], [SPEAK.truth(fields)]) == metric.best


def test_a_video_is_shown_with_its_sound_before():
    fields = made(TRACK, {**FORMS["track"][1], "audio_history": [sound(3)]})
    assert len(fields["image_history_inputs"]) == 1 and fields["image_inputs"].ndim == 3
    np.testing.assert_array_equal(fields["audio_history_inputs"][0], sound(3))


def test_without_words_there_is_nothing_to_say():
    with pytest.raises(DataError, match="captions"):
        made(SPEAK, raw(captions=[], audio=sound()))
