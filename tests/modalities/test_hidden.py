"""What was hidden from the encoder: from a mask of pixels to codes that the decoder sees only at their own step."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import MEL, tiny_config

from unified_io.errors import DataError
from unified_io.modalities.audio import AudioInput, AudioTarget
from unified_io.modalities.image import ImageInput, ImageTarget
from unified_io.nn import masks
from unified_io.preprocess import image_ops
from unified_io.preprocess.denoisers.media import MediaDenoiser
from unified_io.preprocess.patches import patch_mask
from unified_io.tokenizers.vqgan import VQGANConfig

IMAGE, DRAWN = ImageInput(), ImageTarget()
SOUND, SPOKEN = AudioInput(), AudioTarget()


def preprocess(modality, **example):
    return modality.preprocess(example, seed=0, training=False)


def restored(media, target, raw, seed=0):
    """Features of the input and the target of one picture or sound, part of which is hidden."""
    keep = MediaDenoiser(media).keep(raw, np.random.default_rng(seed))
    name = media.name
    example = {
        f"{name}_inputs": raw,
        f"{name}_input_masks": keep,
        f"{name}_targets": raw,
        f"{name}_target_hidden_masks": ~keep,
    }
    return preprocess(media, **example), preprocess(target, **example)


def nearest(patches: np.ndarray, grid: tuple[int, int], codes: tuple[int, int]) -> np.ndarray:
    return image_ops.resize_nearest(patches.reshape(grid), codes).reshape(-1)


@settings(deadline=None, max_examples=25)
@given(st.integers(130, 500), st.integers(130, 500), st.integers(0, 99))
def test_a_code_is_hidden_where_its_patch_is(height, width, seed):
    """24 x 24 patches of the input, 32 x 32 codes of the target, by nearest neighbour in the padded square.

    Of a picture of fewer pixels a pixel may lie across the edge of a patch; then the pixels tell, not the patches.
    """
    picture = np.full((height, width, 3), 0.5, np.float32)
    inputs, targets = restored(IMAGE, DRAWN, picture, seed)
    seen = nearest(inputs["mask"][0], IMAGE.grid, DRAWN.code_grid)
    real = targets["mask"][0]
    np.testing.assert_array_equal(targets["weights"][0], real)
    # At the rim of the picture the squares of the input and of the target can differ by a pixel.
    inside = patch_mask(IMAGE.real(picture), DRAWN.code_grid)
    assert (real & ~inside).sum() <= 64
    np.testing.assert_array_equal(targets["hidden"][0][inside], (real & ~seen)[inside])


def test_the_rim_of_a_picture_is_as_hidden_as_what_lies_beside_it():
    """The first code of this picture lies a pixel outside of it in the input's square, and inside in its own."""
    picture = np.full((185, 205, 3), 0.5, np.float32)
    inside = patch_mask(IMAGE.real(picture), DRAWN.code_grid)
    for hidden in (True, False):
        mask = np.full(picture.shape[:2], hidden)
        features = preprocess(DRAWN, image_targets=picture, image_target_hidden_masks=mask)
        real = features["mask"][0]
        assert (real & ~inside).any()
        np.testing.assert_array_equal(features["hidden"][0], real & hidden)


def test_a_part_of_a_sound_is_hidden_likewise():
    sound = np.random.default_rng(0).normal(-4, 1, (200, 128)).astype(np.float32)
    inputs, targets = restored(SOUND, SPOKEN, sound)
    seen = nearest(inputs["mask"][0], SOUND.grid, SPOKEN.code_grid)
    np.testing.assert_array_equal(targets["hidden"][0], targets["mask"][0] & ~seen)
    assert targets["hidden"].any() and not targets["hidden"][targets["mask"]].all()


@pytest.mark.parametrize("media, target, shape", [(IMAGE, DRAWN, (90, 130, 3)), (SOUND, SPOKEN, (256, 128))])
def test_a_hidden_token_is_visible_only_at_its_own_step(media, target, shape):
    _, features = restored(media, target, np.full(shape, 0.5, np.float32))
    hidden = features["hidden"][0]
    length = len(hidden)
    allowed = np.asarray(masks.revealed(masks.shown(jnp.asarray(hidden))) & masks.causal(length))
    own = np.eye(length, dtype=bool)
    for token in np.flatnonzero(hidden[:-1]):  # input k holds token k - 1
        np.testing.assert_array_equal(allowed[:, token + 1], own[token + 1])
        np.testing.assert_array_equal(allowed[token + 1], own[token + 1])
    shown = np.flatnonzero(np.asarray(masks.shown(jnp.asarray(hidden))))
    assert (
        len(shown) > 1 and np.tril(allowed[np.ix_(shown, shown)]).sum() == len(shown) * (len(shown) + 1) / 2
    )


def test_a_mask_over_the_left_half_hides_the_codes_of_it():
    target = tiny_config().target("image")
    picture = np.random.default_rng(1).random((8, 8, 3), np.float32)
    hidden = np.zeros((8, 8), bool)
    hidden[:, :4] = True
    features = preprocess(target, image_targets=picture, image_target_hidden_masks=hidden)
    rows, columns = target.code_grid
    expected = np.zeros((rows, columns), bool)
    expected[:, : columns // 2] = True
    np.testing.assert_array_equal(features["hidden"][0], expected.reshape(-1))


def test_nothing_is_hidden_unless_the_example_says_so():
    config = tiny_config()
    picture = np.random.default_rng(2).random((8, 8, 3), np.float32)
    sound = np.full((16, 16), -3.0, np.float32)
    for example in (
        {"image_targets": picture, "audio_targets": sound},
        {
            "image_targets": picture,
            "audio_targets": sound,
            "image_target_hidden_masks": np.zeros((0, 0), bool),
            "audio_target_hidden_masks": np.zeros((0, 0), bool),
        },
    ):
        for name in ("image", "audio"):
            features = preprocess(config.target(name), **example)
            assert not features["hidden"].any() and features["weights"].all()


@pytest.mark.parametrize("name", ["image", "audio"])
def test_only_what_was_hidden_may_count(name):
    whole = tiny_config().target(name)
    part = dataclasses.replace(whole, only_hidden=True)
    raw = np.full((8, 8, 3) if name == "image" else (16, 16), 0.5, np.float32)
    hidden = np.zeros(raw.shape[:2], bool)
    hidden[: len(raw) // 2] = True
    example = {f"{name}_targets": raw, f"{name}_target_hidden_masks": hidden}
    features = preprocess(part, **example)
    np.testing.assert_array_equal(part.weights(features), features["hidden"])
    assert 0 < features["hidden"].sum() < features["mask"].sum()
    assert whole.weights(preprocess(whole, **example)).all()
    # Where nothing was hidden, all of it counts.
    assert part.weights(preprocess(part, **{f"{name}_targets": raw})).all()
    none = {**example, f"{name}_target_hidden_masks": np.zeros_like(hidden)}
    assert part.weights(preprocess(part, **none)).all()


def test_a_restored_picture_is_resized_as_any_other():
    """A label keeps its colours; a photo of which part is hidden is smoothed as it would be alone."""
    target = ImageTarget(vqgan=VQGANConfig(resolution=64), input_resolution=96)
    picture = np.random.default_rng(3).random((300, 200, 3), np.float32)
    hidden = np.zeros((300, 200), bool)
    hidden[:150] = True
    alone = preprocess(target, image_targets=picture)
    label = preprocess(target, image_targets=picture, image_inputs=picture)
    photo = preprocess(target, image_targets=picture, image_inputs=picture, image_target_hidden_masks=hidden)
    np.testing.assert_array_equal(photo["pixels"], alone["pixels"])
    assert np.abs(label["pixels"] - alone["pixels"]).max() > 0.5
    with_mask = preprocess(
        target, image_targets=picture, image_target_hidden_masks=hidden, image_target_masks=hidden
    )
    np.testing.assert_array_equal(with_mask["hidden"], with_mask["mask"])
    assert with_mask["mask"].sum() < photo["mask"].sum()


@pytest.mark.parametrize("shape", [(1, 500), (500, 1), (1, 1), (3, 90)])
def test_a_picture_too_thin_for_the_rule_of_codes_is_drawn(shape):
    features = preprocess(DRAWN, image_targets=np.ones((*shape, 3), np.float32))
    assert features["mask"].any() and features["weights"].any()
    nothing = preprocess(
        DRAWN, image_targets=np.ones((*shape, 3), np.float32), image_target_masks=np.zeros(shape, bool)
    )
    assert not nothing["mask"].any()


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 700), st.integers(1, 700))
def test_the_cells_of_a_picture_are_the_patches_that_its_encoder_gets(height, width):
    raw = np.ones((height, width, 3), np.float32)
    cells = IMAGE.cells(raw)
    assert cells.rows.shape == (height,) and cells.columns.shape == (width,)
    assert (np.diff(cells.rows) >= 0).all() and (np.diff(cells.columns) >= 0).all()
    real = preprocess(IMAGE, image_inputs=raw)["mask"][0].reshape(IMAGE.grid)
    assert not (cells.real & ~real).any()
    if min(height, width) >= 26:  # a pixel is smaller than a patch, and lies in one
        np.testing.assert_array_equal(cells.real, real)


def test_the_cells_of_a_sound_are_those_that_sound():
    modality = AudioInput(mel=MEL, patch=8)
    sound = np.zeros((40, 16), np.float32)
    sound[8:] = -2.0
    cells = modality.cells(sound)
    np.testing.assert_array_equal(cells.real, [[False, False], [True, True]])
    np.testing.assert_array_equal(cells.rows[[0, 7, 8, 15, 39]], [0, 0, 1, 1, 1])
    np.testing.assert_array_equal(cells.spread(cells.real)[:, 0], [False] * 8 + [True] * 32)


@pytest.mark.parametrize(
    "target, raw, word",
    [
        (DRAWN, np.ones((9, 9, 3), np.float32), "same height and width"),
        (SPOKEN, np.ones((9, 128), np.float32), "same shape"),
    ],
)
def test_a_mask_of_another_shape_is_an_error(target, raw, word):
    example = {f"{target.name}_targets": raw, f"{target.name}_target_hidden_masks": np.ones((3, 3), bool)}
    with pytest.raises(DataError, match=word):
        preprocess(target, **example)
