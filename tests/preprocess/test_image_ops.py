import jax
import numpy as np
import pytest
from PIL import Image

from unified_io.errors import DataError
from unified_io.preprocess import image_ops
from unified_io.preprocess.patches import patch_mask, patchify, unpatchify


@pytest.mark.parametrize("source, target", [((9, 13), (5, 20)), ((31, 8), (16, 16)), ((7, 7), (7, 21))])
def test_resize_equals_jax(source, target):
    image = np.random.default_rng(0).random((*source, 3), np.float32)
    expected = jax.image.resize(image, (*target, 3), "linear", antialias=True)
    np.testing.assert_allclose(image_ops.resize(image, target), expected, atol=2e-6)


@pytest.mark.parametrize("side, short", [(296, 383), (74, 383), (300, 384)])
def test_sides_are_truncated_in_float32(side, short):
    _, _, placement = image_ops.resize_and_pad(np.ones((side, 10, 3), np.float32), (384, 384))
    assert placement.scaled[0] == short


def test_padding_is_centred_masked_and_undone():
    rng = np.random.default_rng(1)
    coarse = rng.random((5, 3, 3), np.float32)
    image = np.clip(image_ops.resize(coarse, (30, 18)), 0, 1)
    padded, mask, placement = image_ops.resize_and_pad(image, (60, 60))
    assert mask.sum() == 60 * 36 and (padded[~mask] == 0).all()
    assert placement.left == 12 and placement.top == 0
    np.testing.assert_allclose(image_ops.undo_resize(padded, placement), image, atol=0.08)


def test_patchify_and_back_is_the_identity():
    array = np.random.default_rng(2).random((6, 9, 2), np.float32)
    patches = patchify(array, 3)
    np.testing.assert_array_equal(patches[1].reshape(3, 3, 2), array[:3, 3:6])
    np.testing.assert_array_equal(unpatchify(patches, 3, (2, 3)), array)
    with pytest.raises(DataError, match="resize_and_pad"):
        patchify(array, 4)


def test_patch_mask_takes_the_pixel_below_the_middle():
    mask = np.zeros((32, 32), bool)
    mask[8, 24] = True
    assert patch_mask(mask, (2, 2)).tolist() == [False, True, False, False]


def test_images_of_many_kinds_are_read(tmp_path):
    rng = np.random.default_rng(3)
    colours = rng.integers(0, 256, (4, 6, 3), np.uint8)
    for mode, name in (
        ("RGB", "a.png"),
        ("RGBA", "b.png"),
        ("L", "c.png"),
        ("P", "d.png"),
        ("CMYK", "e.tiff"),
    ):
        Image.fromarray(colours).convert(mode).save(tmp_path / name)
        image = image_ops.read(tmp_path / name)
        assert image.shape == (4, 6, 3) and image.dtype == np.float32 and image.max() <= 1, mode
    np.testing.assert_allclose(image_ops.read(tmp_path / "a.png"), colours / 255.0, atol=1e-6)
    deep = np.array([[0, 65535]], np.uint16)
    Image.fromarray(deep).save(tmp_path / "f.png")
    np.testing.assert_allclose(image_ops.read(tmp_path / "f.png")[0, :, 0], [0, 1])
    turned = Image.fromarray(colours)
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(tmp_path / "g.jpg", exif=exif)
    assert image_ops.read(tmp_path / "g.jpg").shape == (6, 4, 3)


def test_what_is_no_image_is_named(tmp_path):
    (tmp_path / "x.png").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"x\.png"):
        image_ops.read(tmp_path / "x.png")
    with pytest.raises(DataError, match="no image at"):
        image_ops.read(tmp_path / "y.png")
    with pytest.raises(DataError, match="divide by 255"):
        image_ops.read(np.full((3, 3, 3), 255.0))
