import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unified_io.errors import ConfigError, DataError
from unified_io.modalities.audio import AudioInput
from unified_io.modalities.image import ImageInput
from unified_io.preprocess.denoisers import clip
from unified_io.preprocess.denoisers.clip import Clip, Segment
from unified_io.preprocess.denoisers.media import MediaDenoiser

IMAGE = ImageInput()
RELEASED_AUDIO = AudioInput()


def seen(media, raw, keep) -> np.ndarray:
    """The patches that the encoder gets."""
    example = {f"{media.name}_inputs": raw, f"{media.name}_input_masks": keep}
    return media.preprocess(example, seed=0, training=True)["mask"][0]


@settings(deadline=None, max_examples=40)
@given(st.integers(30, 600), st.integers(30, 600), st.integers(0, 99))
def test_hidden_patches_never_reach_the_encoder(height, width, seed):
    """What the mask hides are whole patches of the encoder, wherever the picture lies in its square."""
    raw = np.ones((height, width, 3), np.float32)
    all_of_it = seen(IMAGE, raw, None)
    if all_of_it.sum() < 2:
        return
    denoiser = MediaDenoiser(IMAGE, low=0.5, high=0.5)
    keep = denoiser.keep(raw, np.random.default_rng(seed))
    shown = seen(IMAGE, raw, keep)
    hidden = np.clip(round(all_of_it.sum() * 0.5), 1, all_of_it.sum() - 1)
    assert shown.sum() == all_of_it.sum() - hidden and not (shown & ~all_of_it).any()
    # Every pixel of a patch that is shown may be seen, but for those of its edge.
    cells = IMAGE.cells(raw)
    np.testing.assert_array_equal(keep, cells.spread(shown.reshape(IMAGE.grid)))


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 40), st.integers(1, 700), st.booleans(), st.integers(0, 99))
def test_of_a_tiny_or_thin_picture_no_more_is_seen_than_the_mask_shows(height, width, turn, seed):
    raw = np.ones((width, height, 3) if turn else (height, width, 3), np.float32)
    denoiser = MediaDenoiser(IMAGE)
    if not denoiser.can_hide(raw):
        with pytest.raises(DataError, match="one patch"):
            denoiser.keep(raw, np.random.default_rng(seed))
        return
    keep = denoiser.keep(raw, np.random.default_rng(seed))
    assert keep.any() and not keep.all()
    shown, all_of_it = seen(IMAGE, raw, keep), seen(IMAGE, raw, None)
    assert shown.any() and (shown & ~all_of_it).sum() == 0 and shown.sum() < all_of_it.sum()


def test_what_is_hidden_changes_nothing_of_what_is_seen(small):
    """Not even by the filter of the resize, which reaches across the edges of patches."""
    objective = dataclasses.replace(small.objective, targets={"image": 1.0})
    first, second = (Clip((Segment(image=small.picture(50, 70)),)) for _ in range(2))
    for seed in range(20):
        fields = clip.sample(first, objective, seed)
        keep = fields["image_input_masks"][:, :, None]
        np.testing.assert_array_equal(fields["image_inputs"], first.segments[0].image * keep)
        mixed = np.where(keep, first.segments[0].image, second.segments[0].image)
        other = clip.sample(Clip((Segment(image=mixed),)), objective, seed)
        inputs, targets = zip(small.features(fields), small.features(other), strict=True)
        for key in inputs[0]["image"]:
            np.testing.assert_array_equal(inputs[0]["image"][key], inputs[1]["image"][key])
        assert not np.array_equal(targets[0]["image"]["pixels"], targets[1]["image"]["pixels"])


def test_parts_hidden_are_spread_evenly(binomial):
    denoiser = MediaDenoiser(RELEASED_AUDIO, stretches=0.5)
    raw, rng = np.ones((256, 128), np.float32), np.random.default_rng(0)
    masks = np.array([denoiser.keep(raw, rng)[::16, ::16] for _ in range(1000)])
    rates = 1 - masks.mean(axis=(1, 2))
    assert 0.49 < rates.min() < 0.53 and 0.87 < rates.max() < 0.91
    assert rates.mean() == pytest.approx(0.7, abs=0.02)
    assert np.histogram(rates, 4, (0.5, 0.9))[0].min() > 180
    stretches = (masks == masks[:, :, :1]).all(axis=(1, 2))
    assert binomial(int(stretches.sum()), 0.5, 1000)
    assert masks.mean(axis=0).min() > 0.2 and masks.mean(axis=0).max() < 0.4


def test_silence_is_no_part_of_what_is_hidden():
    raw = np.zeros((256, 128), np.float32)
    raw[64:128] = -3.0
    denoiser = MediaDenoiser(RELEASED_AUDIO, low=0.5, high=0.5)
    keep = denoiser.keep(raw, np.random.default_rng(0))
    assert seen(RELEASED_AUDIO, raw, None).sum() == 32 and seen(RELEASED_AUDIO, raw, keep).sum() == 16
    assert not denoiser.can_hide(np.zeros((256, 128), np.float32))
    stretches = dataclasses.replace(denoiser, stretches=1.0)
    shown = seen(RELEASED_AUDIO, raw, stretches.keep(raw, np.random.default_rng(0))).reshape(16, 8)
    assert shown.all(axis=1).sum() == 2 and shown.any(axis=1).sum() == 2


@pytest.mark.parametrize("frames", [5, 256, 400])
def test_a_sound_of_any_length_is_hidden_in_part(frames):
    raw = np.full((frames, 128), -2.0, np.float32)
    denoiser = MediaDenoiser(RELEASED_AUDIO)
    keep = denoiser.keep(raw, np.random.default_rng(0))
    assert keep.shape == raw.shape
    assert 0 < seen(RELEASED_AUDIO, raw, keep).sum() < seen(RELEASED_AUDIO, raw, None).sum()


def test_the_same_seed_hides_the_same():
    raw = np.ones((90, 60, 3), np.float32)
    draws = [MediaDenoiser(IMAGE).keep(raw, np.random.default_rng(seed)) for seed in (3, 3, 4)]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])


@pytest.mark.parametrize(
    "wrong, word",
    [
        ({"low": -0.1}, "from 0 to 1"),
        ({"high": 1.2}, "from 0 to 1"),
        ({"low": 0.9, "high": 0.5}, "smaller part"),
        ({"stretches": float("nan")}, "from 0 to 1"),
        ({"paradigms": {"X": 1.0}}, "'X'"),
        ({"paradigms": {"R": -1.0}}, "give 0 or more"),
    ],
)
def test_an_impossible_denoiser_is_an_error(wrong, word):
    with pytest.raises(ConfigError, match=word):
        MediaDenoiser(IMAGE, **wrong)
