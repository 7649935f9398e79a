"""Raw examples as records for pre-training, asked by a real objective."""

import numpy as np
import pytest

from data_tasks.formats import denoised
from data_tasks.formats.base import unpacked
from data_tasks.sources.record import pack
from tests.data_tasks.formats.wording import picture, raw, sound
from unified_io.data.denoised import Denoised
from unified_io.errors import DataError
from unified_io.preprocess.denoisers.captions import Captions
from unified_io.preprocess.denoisers.clip import Clip
from unified_io.preprocess.denoisers.document import Document
from unified_io.preprocess.denoisers.views import Views

FRAMES = [picture(seed=n) for n in range(3)]
SOUNDS = [sound(n) for n in range(3)]


def test_text_stays_as_it_is_spelled():
    record = denoised.text(raw(text=" Def f(x):\n    return x\n"))
    assert isinstance(record, Clip)
    assert [segment.words for segment in record.segments] == ["Def f(x):\n    return x"]


def test_a_captioned_picture_and_a_captioned_sound():
    (segment,) = denoised.captioned_image(raw(image=FRAMES[0], captions=["", "A <PERSON>  runs"])).segments
    assert segment.words == "a person runs"
    np.testing.assert_array_equal(segment.image, FRAMES[0])
    record = denoised.captioned_sound(raw(audio=SOUNDS[2], audio_history=SOUNDS[:2], captions=["A bell"]))
    assert record.caption == "a bell"
    for segment, heard in zip(record.segments, SOUNDS, strict=True):
        np.testing.assert_array_equal(segment.audio, heard)


def test_a_video_with_words_of_every_frame_and_with_words_about_it():
    record = denoised.video(raw(images=FRAMES, captions=["One", "", "three"]))
    assert [segment.words for segment in record.segments] == ["one", "", "three"] and record.caption == ""
    record = denoised.video(raw(images=FRAMES, captions=["All of it"]))
    assert [segment.words for segment in record.segments] == [""] * 3 and record.caption == "all of it"
    assert denoised.video(raw(images=FRAMES)).caption == ""


def test_sounds_of_a_video_end_with_its_last_frame():
    record = denoised.video(raw(images=FRAMES, audio=SOUNDS[1], audio_history=SOUNDS[:1]))
    assert [segment.audio is not None for segment in record.segments] == [False, True, True]
    np.testing.assert_array_equal(record.segments[-1].audio, SOUNDS[1])
    np.testing.assert_array_equal(record.segments[0].image, FRAMES[0])


def test_a_document_has_pictures_where_its_text_says():
    record = denoised.document(raw(text="Look: <image> a dog. <image><image> Two cats.", images=FRAMES))
    assert isinstance(record, Document)
    kinds = [item if isinstance(item, str) else "picture" for item in record.items]
    assert kinds == ["Look:", "picture", "a dog.", "picture", "picture", "Two cats."]
    np.testing.assert_array_equal(record.items[3], FRAMES[1])


def test_pairs_and_views():
    record = denoised.pairs(raw(images=FRAMES, captions=["A", "b", "C"]))
    assert isinstance(record, Captions) and record.captions == ("a", "b", "c")
    assert isinstance(denoised.views(raw(images=FRAMES)), Views)


@pytest.mark.parametrize(
    ("make", "fields", "message"),
    [
        (denoised.text, {"text": "  "}, "text"),
        (denoised.captioned_image, {"image": FRAMES[0], "captions": [""]}, "captions"),
        (denoised.captioned_sound, {"audio": SOUNDS[0], "captions": []}, "captions"),
        (denoised.video, {"images": []}, "images"),
        (denoised.video, {"images": FRAMES[:1], "audio": SOUNDS[0], "audio_history": SOUNDS[:1]}, "images"),
        (denoised.document, {"text": "<image> and <image>", "images": FRAMES}, "2 places <image>, images 3"),
        (denoised.pairs, {"images": FRAMES, "captions": ["a", "b"]}, "2 captions"),
        (denoised.pairs, {"images": FRAMES, "captions": ["a", "", "b"]}, "no words"),
        (denoised.views, {"images": FRAMES[:1]}, "1 views"),
    ],
)
def test_what_is_no_record_is_refused(make, fields, message):
    with pytest.raises(DataError, match=message):
        make(raw(**fields))


WHOLE = {
    denoised.text: {"text": "the quick brown fox jumps over the lazy dog"},
    denoised.captioned_image: {"image": FRAMES[0], "captions": ["a dog"]},
    denoised.captioned_sound: {"audio": SOUNDS[0], "captions": ["a bell"]},
    denoised.video: {"images": FRAMES, "audio": SOUNDS[0], "captions": ["a dog runs"]},
    denoised.document: {"text": "look <image> a dog", "images": FRAMES[:1]},
    denoised.pairs: {"images": FRAMES, "captions": ["a", "b", "c"]},
    denoised.views: {"images": FRAMES},
}


@pytest.mark.parametrize("make", WHOLE)
def test_records_are_made_of_packed_examples(make):
    task = unpacked(Denoised(make, "made_up"))
    record = task.record({"id": b"made up", "record": pack(raw(**WHOLE[make]))})
    assert type(record) is type(make(raw(**WHOLE[make])))
