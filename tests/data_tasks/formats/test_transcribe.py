"""Speech written down; the error rate forgives case and punctuation."""

import pytest

from data_tasks.formats.transcribe import Transcribe
from tests.data_tasks.formats.wording import best, check_laws, made, oracle, raw, sound
from unified_io.errors import DataError
from unified_io.evaluation.words import WER

SAID = "The cat, they say, sleeps."


def spoken(text=SAID):
    return raw(audio=sound(), audio_history=[sound(1)], text=text)


def test_laws():
    check_laws(Transcribe("transcribe"), spoken())
    check_laws(Transcribe("transcribe", ("sounds",)), spoken())


def test_history_is_heard_only_where_it_is_asked_for():
    assert "audio_history_inputs" not in made(Transcribe("transcribe"), spoken())
    assert len(made(Transcribe("transcribe", ("sounds",)), spoken())["audio_history_inputs"]) == 1


def test_the_target_is_spelled_as_the_source_spells_it():
    assert made(Transcribe("transcribe"), spoken(" The cat,\n they say, sleeps. "))["text_targets"] == SAID


def test_the_oracle_and_a_wrong_word():
    pytest.importorskip("jiwer")
    form = Transcribe("transcribe")
    assert oracle(form, [spoken()]) == best(form)
    assert oracle(form, [spoken()], "the cat they say sleeps")[WER.name] == 0.0
    assert oracle(form, [spoken()], "the cat they say sits")[WER.name] == pytest.approx(1 / 5)
    assert oracle(form, [spoken()], "")[WER.name] == 1.0


@pytest.mark.parametrize("text", ["", " \n", "...", "-"])
def test_nothing_said_is_refused(text):
    with pytest.raises(DataError, match="text"):
        made(Transcribe("transcribe"), spoken(text))
