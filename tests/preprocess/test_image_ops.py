"""Pictures of every kind are read, resized, placed and taken back."""

import contextlib
import io
import struct
import tracemalloc
import zlib

import jax
import numpy as np
import pytest
from PIL import Image

from unified_io.errors import DataError
from unified_io.preprocess import image_ops
from unified_io.preprocess.patches import patch_mask, patchify, unpatchify

COLOURS = np.random.default_rng(3).integers(0, 256, (4, 6, 3), np.uint8)


def as_file(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "source, target", [((9, 13), (5, 20)), ((31, 8), (16, 16)), ((7, 7), (7, 21)), ((1, 500), (1, 38))]
)
def test_resize_equals_jax(source, target):
    image = np.random.default_rng(0).random((*source, 3), np.float32)
    expected = jax.image.resize(image, (*target, 3), "linear", antialias=True)
    np.testing.assert_allclose(image_ops.resize(image, target), expected, atol=2e-6)
    nearest = jax.image.resize(image, (*target, 3), "nearest")
    np.testing.assert_array_equal(image_ops.resize_nearest(image, target), nearest)


def test_nearest_neighbour_from_the_input_square_to_that_of_the_targets():
    """384 to 256 takes pixel floor(1.5 (i + 0.5)); to a mask of 32 codes, pixel 12 i + 6."""
    line = np.arange(384)[:, None]
    np.testing.assert_array_equal(
        image_ops.resize_nearest(line, (256, 1))[:, 0], (1.5 * (np.arange(256) + 0.5)).astype(int)
    )
    np.testing.assert_array_equal(image_ops.resize_nearest(line, (32, 1))[:, 0], 12 * np.arange(32) + 6)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1), (3, 4000), (384, 384)])
def test_pictures_of_any_shape_fit_the_square(shape):
    image = np.full((*shape, 3), 0.25, np.float32)
    padded, mask, placement = image_ops.resize_and_pad(image, (384, 384))
    assert mask.sum() == placement.scaled[0] * placement.scaled[1] >= 384
    np.testing.assert_allclose(padded[mask], 0.25, atol=1e-6)
    assert (padded[~mask] == 0).all()


def test_a_picture_of_the_size_of_the_square_is_left_alone():
    image = np.random.default_rng(4).random((32, 32, 3), np.float32)
    padded, mask, _ = image_ops.resize_and_pad(image, (32, 32))
    np.testing.assert_array_equal(padded, image)
    np.testing.assert_array_equal(image_ops.lay(image, image_ops.Placement.fit((32, 32), (32, 32))), image)
    assert mask.all()


def test_padding_is_centred_masked_and_undone():
    rng = np.random.default_rng(1)
    image = np.clip(image_ops.resize(rng.random((5, 3, 3), np.float32), (30, 18)), 0, 1)
    padded, mask, placement = image_ops.resize_and_pad(image, (60, 60))
    assert mask.sum() == 60 * 36 and (padded[~mask] == 0).all()
    assert placement.left == 12 and placement.top == 0
    np.testing.assert_allclose(image_ops.undo_resize(padded, placement.source), image, atol=0.08)


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


@pytest.mark.parametrize(
    "mode, kind",
    [("RGB", "PNG"), ("RGB", "WEBP"), ("YCbCr", "TIFF"), ("CMYK", "TIFF"), ("P", "GIF"), ("RGB", "PPM")],
)
def test_files_of_many_kinds_are_read(mode, kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    picture = Image.fromarray(COLOURS)
    picture = picture.quantize(256) if mode == "P" else picture.convert(mode)
    image = image_ops.read(as_file(picture, kind, **options))
    assert image.dtype == np.float32
    np.testing.assert_allclose(image, COLOURS / 255.0, atol=0.02)


def test_a_path_bytes_pillow_and_an_array_are_the_same_picture(tmp_path):
    picture = Image.fromarray(COLOURS)
    picture.save(tmp_path / "a.png")
    for value in (tmp_path / "a.png", str(tmp_path / "a.png"), as_file(picture), picture, COLOURS):
        np.testing.assert_allclose(image_ops.read(value), COLOURS / 255.0, atol=1e-6)
    np.testing.assert_allclose(image_ops.read(jax.numpy.asarray(COLOURS)), COLOURS / 255.0, atol=1e-6)


@pytest.mark.parametrize(
    "array, grey",
    [
        (np.array([[0, 255]], np.uint8), [0, 1]),
        (np.array([[[0], [255]]], np.uint8), [0, 1]),
        (np.array([[0, 65535]], np.uint16), [0, 1]),
        (np.array([[0, 65535]], ">u2"), [0, 1]),
        (np.array([[False, True]]), [0, 1]),
        (np.array([[0.0, 0.5]], np.float64), [0, 0.5]),
    ],
)
def test_arrays_of_many_kinds_are_pixels(array, grey):
    image = image_ops.as_float(array)
    assert image.dtype == np.float32
    np.testing.assert_allclose(image, np.repeat(np.array(grey)[None, :, None], 3, axis=2), atol=1e-7)


def test_grey_of_one_sixteen_and_thirty_two_bits_and_floats():
    deep = np.array([[0, 13107, 65535]], np.uint16)
    for image in (Image.fromarray(deep), Image.fromarray(deep.astype(np.int32))):
        np.testing.assert_allclose(image_ops.read(image)[0, :, 0], [0, 0.2, 1], atol=1e-6)
    np.testing.assert_allclose(
        image_ops.read(as_file(Image.fromarray(deep)))[0, :, 1], [0, 0.2, 1], atol=1e-6
    )
    np.testing.assert_allclose(
        image_ops.read(Image.fromarray(np.array([[0.2, 0.7]], np.float32)))[0, :, 2], [0.2, 0.7]
    )
    bits = Image.fromarray(np.array([[0, 255]], np.uint8)).convert("1")
    np.testing.assert_array_equal(image_ops.read(as_file(bits))[0, :, 0], [0, 1])
    with pytest.raises(DataError, match="16 bits"):
        image_ops.read(Image.fromarray(np.array([[70000]], np.int32)))


def test_what_is_transparent_lies_on_white():
    clear = np.array([[[0, 0, 0, 0], [0, 0, 0, 255], [255, 0, 0, 51]]], np.uint8)
    expected = [[1, 1, 1], [0, 0, 0], [1, 0.8, 0.8]]
    for value in (clear, clear / np.float32(255), Image.fromarray(clear), as_file(Image.fromarray(clear))):
        np.testing.assert_allclose(image_ops.read(value)[0], expected, atol=1e-6)
    grey = Image.fromarray(np.array([[[0, 0], [0, 255]]], np.uint8), "LA")
    np.testing.assert_allclose(image_ops.read(as_file(grey))[0, :, 0], [1, 0])
    palette = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    palette.putpalette([0, 0, 0, 255, 0, 0])
    np.testing.assert_allclose(image_ops.read(as_file(palette, transparency=0))[0], [[1, 1, 1], [1, 0, 0]])


def test_pictures_are_turned_upright():
    turned = Image.fromarray(COLOURS)
    exif = turned.getexif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    image = image_ops.read(as_file(turned, exif=exif))
    np.testing.assert_allclose(image, np.rot90(COLOURS, -1) / 255.0, atol=1e-6)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_of_an_animation_the_first_frame_is_read(kind):
    frames = [Image.fromarray(np.full((8, 8, 3), grey, np.uint8)) for grey in (51, 204)]
    options = {"lossless": True} if kind == "WEBP" else {}
    animation = as_file(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert Image.open(io.BytesIO(animation)).n_frames == 2
    np.testing.assert_allclose(image_ops.read(animation), 0.2, atol=1e-6)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "TIFF"])
@pytest.mark.parametrize("part", [0.02, 0.5, 0.9])
def test_truncated_files_are_named(tmp_path, kind, part):
    noise = Image.fromarray(np.random.default_rng(5).integers(0, 256, (64, 64, 3), np.uint8))
    content = as_file(noise, kind)
    path = tmp_path / "half.image"
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(DataError, match=r"half\.image"):
        image_ops.read(path)


def test_what_is_no_image_is_named(tmp_path):
    (tmp_path / "x.png").write_bytes(b"nothing")
    (tmp_path / "empty.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"x\.png"):
        image_ops.read(tmp_path / "x.png")
    with pytest.raises(DataError, match="0 bytes long"):
        image_ops.read(tmp_path / "empty.png")
    for nowhere in (tmp_path / "y.png", tmp_path, "", "a" * 5000, "zero\0byte"):
        with pytest.raises(DataError, match="no image at|can not be opened"):
            image_ops.read(nowhere)
    with pytest.raises(DataError, match="image of 3 bytes"):
        image_ops.read(b"abc")
    for value in (7, None, [[1, 2], [3]], {"a": 1}):
        with pytest.raises(DataError, match="is no image"):
            image_ops.read(value)


def test_formats_that_start_programs_are_not_opened():
    page = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"
    assert Image.open(io.BytesIO(page)).format == "EPS"
    with pytest.raises(DataError, match="can not be read as an image"):
        image_ops.read(page)


@pytest.mark.parametrize(
    "array, word",
    [
        (np.full((3, 3, 3), 255.0), "divide by 255"),
        (np.full((3, 3, 3), np.nan), r"\[0, 1\]"),
        (np.zeros((3, 3, 3), np.int64), "int64"),
        (np.zeros((3, 3, 5)), "got"),
        (np.zeros((0, 3, 3)), "pixels in it"),
        (np.zeros(3), "got"),
        (np.zeros((1, image_ops.MAX_SIDE + 1), bool), "make it smaller"),
    ],
)
def test_arrays_that_are_no_pixels_are_errors(array, word):
    with pytest.raises(DataError, match=word):
        image_ops.read(array)


def png(width: int, height: int, *chunks: tuple[bytes, bytes], pixels: bytes = b"") -> bytes:
    """A PNG file of grey bytes whose header says what it is told to."""
    header = (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    parts = [header, *chunks, (b"IDAT", zlib.compress(pixels)), (b"IEND", b"")]
    check = lambda kind, content: struct.pack(">I", zlib.crc32(kind + content))  # noqa: E731
    laid = (
        struct.pack(">I", len(content)) + kind + content + check(kind, content) for kind, content in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(laid)


def test_a_png_made_by_hand_is_read():
    np.testing.assert_allclose(
        image_ops.read(png(2, 1, pixels=b"\0\x33\xcc"))[0, :, 0], [0.2, 0.8], atol=1e-6
    )


@pytest.mark.parametrize(
    "width, height, word",
    [
        (9_000, 9_000, "9000x9000; the most is"),
        (60_000, 60_000, "DecompressionBomb"),
        (2**31 - 1, 2**31 - 1, "DecompressionBomb"),
        (1, 70_000, "1x70000; the most is"),
        (70_000, 1, "70000x1; the most is"),
        (0, 5, "an image of"),
        (100, 100, "an image of"),  # a header and no pixels
    ],
)
def test_headers_of_bombs_are_errors(width, height, word, recwarn):
    with pytest.raises(DataError, match=word):
        image_ops.read(png(width, height))
    assert len(recwarn) == 0


def test_what_pillow_only_warns_of_is_an_error():
    with (
        pytest.raises(DataError, match="12000x12000; the most is"),
        pytest.warns(Image.DecompressionBombWarning),
    ):
        image_ops.read(png(12_000, 12_000))


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"iCCP"])
def test_text_that_unfolds_to_a_hundred_megabytes_is_not_unfolded(kind):
    folded = zlib.compress(bytes(100_000_000), 9)
    before = {b"zTXt": b"a\0\0", b"iTXt": b"a\0\1\0\0\0", b"iCCP": b"a\0\0"}[kind]
    content = png(1, 1, (kind, before + folded), pixels=b"\0\xff")
    tracemalloc.start()
    try:
        with contextlib.suppress(DataError):
            image_ops.read(content)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("shape", [(1, 60_000), (60_000, 1), (1, 1)])
def test_slivers_are_read_and_fit_the_square(shape):
    pixels = Image.fromarray(np.full(shape, 51, np.uint8))
    image = image_ops.read(as_file(pixels))
    assert image.shape == (*shape, 3)
    padded, mask, _ = image_ops.resize_and_pad(image, (64, 64))
    assert mask.any()
    np.testing.assert_allclose(padded[mask], 0.2, atol=1e-5)


@pytest.mark.parametrize("mode", ["CMYK", "L", "YCbCr"])
def test_a_jpeg_of_any_colours_is_read(mode):
    image = image_ops.read(
        as_file(Image.new("RGB", (8, 8), (51, 102, 204)).convert(mode), "JPEG", quality=95)
    )
    expected = [0.2, 0.4, 0.8] if mode != "L" else [0.382] * 3
    np.testing.assert_allclose(image, np.broadcast_to(expected, (8, 8, 3)), atol=0.03)


def test_a_jpeg_cut_anywhere_is_named_or_whole():
    noise = Image.fromarray(np.random.default_rng(6).integers(0, 256, (40, 40, 3), np.uint8))
    content = as_file(noise, "JPEG")
    for cut in np.linspace(0, len(content) - 3, 50).astype(int):
        with pytest.raises(DataError, match=f"image of {cut} bytes"):
            image_ops.read(content[:cut])


def tiled(side: int) -> bytes:
    """A grey TIFF of 16 x 16 in one tile of `side` x `side`."""
    data = zlib.compress(bytes(range(256)) if side == 16 else b"")
    tags = {256: 16, 257: 16, 258: 8, 259: 8, 262: 1, 277: 1, 322: side, 323: side, 324: 8, 325: len(data)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return (
        b"II*\0" + struct.pack("<I", 8 + len(data)) + data + struct.pack("<H", len(tags)) + entries + bytes(4)
    )


def test_a_small_picture_in_a_tile_of_gigabytes_is_refused():
    np.testing.assert_allclose(image_ops.read(tiled(16))[:, :, 0].ravel(), np.arange(256) / 255.0, atol=1e-6)
    with pytest.raises(DataError, match="a tile of an image of .* is 32768x32768; the most is"):
        image_ops.read(tiled(32768))


def test_an_icon_is_not_opened_for_it_may_hold_a_larger_picture_than_it_says():
    small, large = as_file(Image.new("RGB", (16, 16)), "ICO"), as_file(Image.new("RGB", (300, 300)))
    for picture in (small, small[:14] + struct.pack("<II", len(large), 22) + large):
        with pytest.raises(DataError, match="can not be read as an image"):
            image_ops.read(picture)


def test_too_many_pixels_are_refused_before_they_are_decoded(monkeypatch):
    content = as_file(Image.new("1", (3000, 3000)))
    monkeypatch.setattr(image_ops, "MAX_PIXELS", 3000 * 3000 - 1)
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    with pytest.raises(DataError, match="image of .* bytes is 3000x3000; the most is"):
        image_ops.read(content)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # what Pillow itself calls a bomb
    with pytest.raises(DataError, match="DecompressionBomb"):
        image_ops.read(content)
