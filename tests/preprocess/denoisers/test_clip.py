import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unified_io.errors import DataError
from unified_io.preprocess.denoisers import clip
from unified_io.preprocess.denoisers.clip import Clip, Segment

WORDS = ("the dog runs", "over a fence", "and barks", "at the cat", "which sleeps")
MARKS = ("<image_history_1>", "<image_history_2>", "<image_history_3>", "<image_history_4>", "<image_input>")


def samples(record, objective, count=200):
    return [clip.sample(record, objective, seed) for seed in range(count)]


def test_a_video_is_four_frames_of_history_and_one_more(small):
    record = Clip(tuple(Segment(words, small.picture()) for words in WORDS))
    marked = " ".join(word for pair in zip(MARKS, WORDS, strict=True) for word in pair)
    whole, unmarked, targets = set(), set(), set()
    for example in samples(record, small.objective, 400):
        history = example.get("image_history_inputs")
        if history is not None:
            np.testing.assert_array_equal(history, [segment.image for segment in record.segments[:4]])
        if "image_targets" in example:
            np.testing.assert_array_equal(example["image_targets"], record.segments[4].image)
        if example["text_inputs"].startswith("[Image] [R] ") and history is not None:
            whole.add(example["text_inputs"].removeprefix("[Image] [R] "))
        if example["text_inputs"].startswith("[Image] [S] ") and history is None:
            unmarked.add(example["text_inputs"].removeprefix("[Image] [S] "))
        if example["text_inputs"] == "[Text] [S]" and history is not None and "image_inputs" in example:
            targets.add(example["text_targets"])
    assert whole == {marked} == targets
    assert unmarked == {" ".join(WORDS)}  # no frame is named that is not there


def test_marks_name_only_what_is_given(small):
    record = Clip(tuple(Segment(words, small.picture(), small.sound()) for words in WORDS))
    for example in samples(record, small.objective, 300):
        text = example["text_inputs"] + example.get("text_targets", "")
        for media in ("image", "audio"):
            frames = len(example.get(f"{media}_history_inputs", ()))
            named = {int(place) for place in re.findall(rf"<{media}_history_(\d)>", text)}
            assert named in ({*range(1, frames + 1)}, set())
            assert f"<{media}_input>" not in text or f"{media}_inputs" in example


def test_history_counts_what_there_is(small):
    pictures = [small.picture() for _ in range(2)]
    record = Clip(
        (Segment("one", pictures[0]), Segment("two"), Segment("three", pictures[1]), Segment("four"))
    )
    texts = {
        example["text_targets"]
        for example in samples(record, small.objective)
        if example["text_inputs"] == "[Text] [S]"
    }
    assert texts == {"<image_history_1> one two <image_history_2> three four"}


def test_a_caption_of_the_whole_is_used_whole_and_unmarked(small):
    record = Clip(tuple(Segment(image=small.picture()) for _ in range(5)), "a dog jumps")
    for example in samples(record, small.objective):
        assert "<image" not in example["text_inputs"]
        assert example.get("text_targets", "a dog jumps") == "a dog jumps"  # too short to be corrupted


def test_frames_of_several_sizes_stay_a_list(small):
    record = Clip((Segment("a", small.picture(4, 6)), Segment("b", small.picture(8, 8)), Segment("c")))
    histories = [
        example["image_history_inputs"]
        for example in samples(record, small.objective, 50)
        if "image_history_inputs" in example
    ]
    assert histories and all([f.shape for f in frames] == [(4, 6, 3), (8, 8, 3)] for frames in histories)


def test_a_long_text_is_taken_from_anywhere_and_fits(small):
    record = Clip((Segment(" ".join(f"w{index}" for index in range(2000))),))
    starts = set()
    for example in samples(record, small.objective, 60):
        assert small.fits(example)
        starts.update(re.findall(r"w\d+", example["text_inputs"])[:1])
    assert len(starts) > 40


texts = st.text(max_size=30) | st.just("a small brown dog runs over the field")


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_a_clip_holds_its_example_asks_for_one_thing(small, data):
    shape = st.tuples(st.integers(1, 40), st.integers(1, 40))
    segments = data.draw(
        st.lists(st.tuples(texts, shape | st.none(), st.integers(0, 30)), min_size=1, max_size=5)
    )
    record = Clip(
        tuple(
            Segment(words, None if size is None else small.picture(*size), small.sound(frames))
            for words, size, frames in segments
        ),
        data.draw(texts),
    )
    try:
        example = clip.sample(record, small.objective, data.draw(st.integers(0, 9)))
    except DataError as error:
        assert "nothing can be asked" in str(error)
        return
    (target,) = small.written(example)
    assert example["text_inputs"].startswith(f"[{target.capitalize()}] [")
    inputs, _ = small.features(example)
    assert sum(m.num_tokens(inputs[m.name]) for m in small.inputs) > 0
    assert small.fits(example)


@pytest.mark.parametrize(
    "make, word",
    [
        (lambda s: Segment(image=np.full((4, 4, 3), np.nan)), "0, 1"),
        (lambda s: Segment(image=np.full((4, 4, 3), 2.0)), "0, 1"),
        (lambda s: Segment(image=np.ones((4, 4, 7))), "image"),
        (lambda s: Segment(audio=np.full((4, 16), np.inf)), "NaN or infinity"),
        (lambda s: Segment(audio=np.ones(4)), "frames, mels"),
        (lambda s: Clip(()), "no segments"),
        (lambda s: clip.sample(Clip((Segment("a b"),) * 6), s.objective, 0), "at most 5"),
        (lambda s: clip.sample(Clip((Segment(audio=np.ones((9, 7))),)), s.objective, 0), "log-mel"),
    ],
)
def test_bad_records_are_errors(small, make, word):
    with pytest.raises(DataError, match=word):
        make(small)


def test_empty_media_and_silence_are_absent():
    segment = Segment(image=np.zeros((0, 0, 3)), audio=np.zeros((9, 16)))
    assert segment.image is None and segment.audio is None
    assert Segment(audio=np.zeros((0, 0))).audio is None
