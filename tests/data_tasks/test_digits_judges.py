"""Judges: what they read on real held-out data, and what must not change their verdict."""

import numpy as np
import pytest

from data_tasks.digits import images, judges
from unified_io.errors import DataError


@pytest.fixture(scope="module")
def image_judge() -> judges.ImageJudge:
    train = images.load("train")
    return judges.ImageJudge().fit(train.images, train.labels)


def made_up_speech(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Log-mels in which digit d is a tone that glides from band 3d, with a length and a loudness of its own."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 10
    mels = np.full((n, 64, 32), judges.SILENCE, np.float32)
    for clip, digit in zip(mels, labels, strict=True):
        for step in range(length := rng.integers(18, 30)):
            band = int(1 + 2.6 * digit + 3 * step / length)
            clip[2 + step, band : band + 3] = rng.normal(-2, 0.5)
    return mels, labels


@pytest.fixture(scope="module")
def audio_judge() -> judges.AudioJudge:
    return judges.AudioJudge().fit(*made_up_speech(300, 0))


@pytest.mark.parametrize(("split", "least"), [("validation", 0.985), ("test", 0.95)])
@pytest.mark.parametrize("size", [8, 16, 32])
def test_image_judge_reads_real_digits_at_any_size(image_judge, split, least, size):
    digits = images.load(split)
    assert (
        image_judge.accuracy(
            images.upsample(digits.images, size) if size > 8 else digits.images, digits.labels
        )
        >= least
    )


def test_image_judge_tells_digits_from_their_labels_shuffled(image_judge):
    digits = images.load("test")
    assert image_judge.accuracy(digits.images, np.random.default_rng(0).permutation(digits.labels)) < 0.2


def test_audio_judge_reads_unseen_clips(audio_judge):
    mels, labels = made_up_speech(100, 1)
    assert audio_judge.accuracy(mels, labels) > 0.95


def test_audio_judge_reads_late_clips_and_zeros_as_silence(audio_judge):
    mels, _ = made_up_speech(100, 2)
    read = audio_judge.predict(mels)
    np.testing.assert_array_equal(audio_judge.predict(np.roll(mels, 7, axis=1)), read)
    np.testing.assert_array_equal(audio_judge.predict(np.where(mels == judges.SILENCE, 0, mels)), read)
    assert audio_judge.predict(np.zeros((2, 64, 32), np.float32)).shape == (2,)


def test_the_same_data_make_the_same_judge(audio_judge):
    mels, _ = made_up_speech(40, 3)
    again = judges.AudioJudge().fit(*made_up_speech(300, 0))
    np.testing.assert_array_equal(audio_judge._features(mels), again._features(mels))


def test_judges_refuse_other_shapes_and_take_none(image_judge, audio_judge):
    with pytest.raises(DataError, match=r"\[n, s, s\]"):
        image_judge.predict(np.zeros((2, 8, 8, 3)))
    with pytest.raises(DataError, match=r"\[n, frames, mels\]"):
        audio_judge.predict(np.zeros((64, 32)))
    assert image_judge.predict(np.zeros((0, 8, 8))).shape == (0,)
    assert np.isnan(image_judge.accuracy(np.zeros((0, 8, 8)), np.zeros(0)))


def test_distort_keeps_a_clip_alike_but_not_the_same():
    mels, _ = made_up_speech(50, 4)
    moved = judges.distort(mels, np.random.default_rng(0))
    assert moved.shape == mels.shape and moved.min() > judges.SILENCE - 1e-4
    assert np.all(np.abs(moved - mels).max(axis=(1, 2)) > 1)
    centre = lambda clips: np.average(np.arange(64), weights=(clips - judges.SILENCE).sum(axis=(0, 2)))  # noqa: E731
    assert abs(centre(moved) - centre(mels)) < 3


def test_nearest_finds_copies():
    rng = np.random.default_rng(0)
    reference = rng.random((50, 8, 8))
    query = np.concatenate([reference[7:8], reference[9:10] + 0.1, rng.random((1, 8, 8))])
    distances = judges.nearest(query, reference)
    np.testing.assert_allclose(distances[:2], [0, 0.1], atol=1e-9)
    assert distances[2] > 0.2
    with pytest.raises(DataError, match="one shape"):
        judges.nearest(np.zeros((1, 8, 8)), np.zeros((1, 16, 16)))
