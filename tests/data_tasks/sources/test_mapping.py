"""What makes raw fields: right by hand, back again where there is an inverse, an error where it can not be right."""

import base64
import io
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from data_tasks.sources import mapping, maps
from data_tasks.sources.record import checked, pack, unpack
from data_tasks.sources.stored import Context, Reading, find
from unified_io.errors import ConfigError, DataError

SMALL = settings(max_examples=40, deadline=None)


@pytest.fixture
def context(tmp_path):
    return Context(tmp_path, Reading(), "train")


@pytest.mark.parametrize(
    ("values", "order"),
    [
        ([[10, 20, 30, 40]], "xywh"),
        ([[10, 20, 40, 60]], "xyxy"),
        ([[20, 10, 60, 40]], "yxyx"),
        ([[20, 10, 40, 30]], "yxhw"),
    ],
)
def test_boxes_of_every_order(values, order):
    np.testing.assert_allclose(mapping.boxes(values, order, (100, 200)), [[0.2, 0.05, 0.6, 0.2]])


def test_boxes_are_clipped_and_none_are_none(context):
    np.testing.assert_allclose(mapping.boxes([[-1, -1, 12, 12]], "xyxy", (10, 10)), [[0, 0, 1, 1]])
    assert mapping.boxes([], "xywh").shape == (0, 4)
    record = {"h": 100, "w": 200, "things": [{"bbox": [10, 20, 30, 40]}, {"bbox": [0, 0, 200, 100]}]}
    made = mapping.Boxes("things/bbox", "xywh", ("h", "w"))(record, context)
    np.testing.assert_allclose(made, [[0.2, 0.05, 0.6, 0.2], [0, 0, 1, 1]])


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ([[math.nan, 0, 1, 1]], "NaN"),
        ([[0, 0, math.inf, 1]], "NaN or infinity"),
        ([[1, 2, 3]], "four numbers"),
        ([[1, 2, 3, 4, 5, 6, 7, 8]], "four numbers"),
        ([[300, 20, 30, 40]], "box 0, .* outside of the picture"),
        ([[0, 0, 1, 1], [0, -50, 10, 20]], "box 1, .* outside of the picture"),
        ([["a", 0, 1, 1]], "could not convert"),
    ],
)
def test_boxes_that_can_not_be_are_errors(values, says):
    with pytest.raises(ValueError, match=says):
        mapping.boxes(values, "xywh", (100, 200))


def test_boxes_without_a_size_or_an_order():
    with pytest.raises(DataError, match="a picture of size"):
        mapping.boxes([[0, 0, 1, 1]], "xywh", (0, 10))
    with pytest.raises(ConfigError, match="xyzw"):
        mapping.boxes([[0, 0, 1, 1]], "xyzw")


def png(array):
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


def test_pictures_from_bytes_base64_files_and_hugging_face(context):
    pixels = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)
    stored = png(pixels)
    (context.folder / "train").mkdir()
    (context.folder / "train/a.png").write_bytes(stored)
    for value, make in (
        (stored, mapping.Picture("x")),
        (pixels, mapping.Picture("x")),
        ({"bytes": stored, "path": "/somewhere"}, mapping.Picture("x")),
        ({"bytes": None, "path": "a.png"}, mapping.Picture("x", "{split}")),
        ("a.png", mapping.Picture("x", "{split}")),
        (base64.b64encode(stored).decode(), mapping.Picture("x", encoded=True)),
    ):
        np.testing.assert_allclose(make({"x": value}, context), pixels / 255.0, atol=1e-6)
    for value, make in (
        (None, mapping.Picture("x")),
        ({}, mapping.Picture("x")),
        ("no base64!", mapping.Picture("x", encoded=True)),
        ("b.png", mapping.Picture("x")),
        (b"\x89PNG", mapping.Picture("x")),
        (7, mapping.Picture("x")),
    ):
        with pytest.raises(DataError):
            make({"x": value}, context)


def test_sounds_of_64_bits_are_those_of_16(context):
    samples = (np.sin(np.arange(70_000) / 9) * 9000).astype(np.int64)
    wanted = mapping.Sound("x", rate=16_000)({"x": samples.astype(np.int16)}, context)
    np.testing.assert_array_equal(mapping.Sound("x", rate=16_000)({"x": samples}, context), wanted)
    long = np.tile(samples, 4)
    assert len(mapping.Sound("x", rate=16_000, history=True)({"x": long}, context)) == 3
    assert len(mapping.Sound("x", rate=16_000, history=True, most=1)({"x": long}, context)) == 1
    assert mapping.Sound("x", rate=16_000, history=True, most=0)({"x": long}, context) == []
    with pytest.raises(DataError):
        mapping.Sound("x", rate=16_000)({"x": samples[:0]}, context)


def test_names_of_classes(context):
    named = mapping.Named("x", ("cat", "dog"))
    assert named({"x": 1}, context) == "dog" and named({"x": np.array([1, 0])}, context) == ["dog", "cat"]
    assert named({"x": "cat"}, context) == "cat"
    for wrong in (2, -1, "cow", 0.5):
        with pytest.raises(DataError, match="look at the list"):
            named({"x": wrong}, context)


def test_names_of_a_file(context):
    (context.folder / "names.txt").write_text("cat\ndog \n")
    (context.folder / "names.json").write_text(json.dumps({"n02": "cat"}))
    (context.folder / "bad.json").write_text("{")
    assert mapping.ClassFile("x", "names.txt")({"x": 1}, context) == "dog"
    assert mapping.ClassFile("x", "names.txt", first=1)({"x": [1, 2]}, context) == ["cat", "dog"]
    assert mapping.ClassFile("x", "names.json")({"x": "n02"}, context) == "cat"
    with pytest.raises(DataError, match="class 'n03' is not in names.json, which has 1"):
        mapping.ClassFile("x", "names.json")({"x": "n03"}, context)
    with pytest.raises(DataError, match=r"bad.json can not be read"):
        mapping.ClassFile("x", "bad.json")({"x": 1}, context)
    with pytest.raises(DataError, match="outside"):
        mapping.ClassFile("x", "../names.txt")({"x": 1}, context)


def test_texts_are_joined_and_cleaned(context):
    record = {"a": " one ", "b": None, "c": ["two", ""], "d": b"three", "n": np.int64(4).item()}
    assert mapping.Joined(("a", "b", "c", "d", "n", "z"))(record, context) == "one\ntwo\nthree\n4"
    with pytest.raises(DataError, match="hold no text"):
        mapping.Joined(("b", "z"))(record, context)
    with pytest.raises(DataError, match="UTF-8"):
        mapping.Joined(("a",))({"a": b"\xff"}, context)
    cleaned = mapping.Cleaned("x", lower=True)
    assert cleaned({"x": " A\\man  <PERSON>\n"}, context) == "a man person"
    assert mapping.Cleaned("x")({"x": ["A b", "  "]}, context) == ["A b"]
    with pytest.raises(DataError, match="is no text"):
        mapping.Cleaned("x")({"x": {}}, context)


def test_picking_and_base64(context):
    record = {"turns": [{"role": "user", "text": "?"}, {"role": "bot", "text": "!"}]}
    assert mapping.Picked("turns", "text")(record, context) == ["?", "!"]
    assert mapping.Picked("turns", "text", {"role": "bot"}, first=True)(record, context) == "!"
    with pytest.raises(DataError, match="turns has nothing where"):
        mapping.Picked("turns", "text", {"role": "cat"}, first=True)(record, context)
    assert mapping.Decoded("x")({"x": base64.b64encode("é".encode()).decode()}, context) == "é"


MASK = st.tuples(st.integers(1, 6), st.integers(1, 6)).flatmap(
    lambda size: st.lists(st.booleans(), min_size=size[0] * size[1], max_size=size[0] * size[1]).map(
        lambda flat: np.array(flat).reshape(size)
    )
)


@SMALL
@given(MASK)
def test_runs_draw_the_mask_they_were_made_of(mask):
    counts = maps.to_runs(mask)
    np.testing.assert_array_equal(maps.runs(counts, *mask.shape), mask)
    for given_counts in (counts, maps.compressed(counts), maps.compressed(counts).encode()):
        shape = {"counts": given_counts, "size": list(mask.shape)}
        np.testing.assert_array_equal(maps.mask(shape, *mask.shape), mask)


@SMALL
@given(st.lists(st.integers(0, 2**31), max_size=9))
def test_compressed_runs_are_read_back(counts):
    assert maps.uncompressed(maps.compressed(counts)) == counts


def test_runs_of_coco_by_hand():
    # Columns first: 5 outside, 2 inside, 5 outside of a picture of 3x4. Letters are five bits above 48.
    wanted = np.zeros((3, 4), bool)
    wanted[2, 1] = wanted[0, 2] = True
    np.testing.assert_array_equal(maps.runs([5, 2, 5], 3, 4), wanted)
    assert maps.compressed([5, 2, 5]) == "525"
    assert maps.uncompressed("T1") == [36]  # 36 = 4 + 32: "T" is 4 + 32 (more) + 48, "1" is 1


def test_polygons_are_filled():
    square = np.zeros((5, 6), bool)
    square[1:4, 1:3] = True
    np.testing.assert_array_equal(maps.polygons([[1, 1, 3, 1, 3, 4, 1, 4]], 5, 6), square)
    two = maps.polygons([[0, 0, 2, 0, 2, 2, 0, 2], [4, 3, 9, 3, 9, 8, 4, 8]], 5, 6)
    assert two.sum() == 4 + 4 and two[:2, :2].all() and two[3:, 4:].all()
    triangle = maps.polygons([[0, 0, 100, 0, 0, 100]], 100, 100)
    assert triangle.mean() == pytest.approx(0.5, abs=0.01)
    assert triangle[0, 98] and triangle[98, 0] and not triangle[60, 60]


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        ([[1, 2, 3, 4]], "three or more corners"),
        ([[1, 2, 3, 4, 5, math.nan]], "corners"),
        ({"counts": [3], "size": [5, 6]}, "runs of 3 pixels for a picture of 5x6"),
        ({"counts": [31, -1], "size": [5, 6]}, "runs of"),
        ({"counts": "~", "size": [5, 6]}, "the letter"),
        ({"counts": "T", "size": [5, 6]}, "middle of a number"),
        ({"counts": [30], "size": [6, 5]}, "a mask of size"),
        (np.zeros((6, 5)), "a mask of size"),
    ],
)
def test_masks_that_do_not_fit_are_errors(shape, says):
    with pytest.raises(DataError, match=says):
        maps.mask(shape, 5, 6)


def test_masks_of_a_record(context):
    record = {
        "height": 5,
        "width": 6,
        "things": [{"s": {"counts": [0, 30], "size": [5, 6]}}, {"s": np.zeros((5, 6))}],
    }
    made = mapping.Masks("things/s")(record, context)
    assert made.shape == (2, 5, 6) and made[0].all() and not made[1].any()
    assert mapping.Masks("things")({**record, "things": []}, context).shape == (0, 5, 6)


def test_depth_is_in_metres(context):
    millimetres = np.array([[0, 1500], [65535, 1]], np.uint16)
    wanted = [[0, 1.5], [65.535, 0.001]]
    np.testing.assert_allclose(mapping.DepthMap("x")({"x": png(millimetres)}, context), wanted, rtol=1e-6)
    metres = np.array([[1.5, np.nan], [-1, 2]], np.float16)[..., None]
    np.testing.assert_allclose(mapping.DepthMap("x", unit=1.0)({"x": metres}, context), [[1.5, 0], [0, 2]])
    for wrong in (png(np.zeros((2, 2, 3), np.uint8)), np.zeros((2, 2, 3)), b"\x89PNG"):
        with pytest.raises(DataError):
            mapping.DepthMap("x")({"x": wrong}, context)


def test_flow_is_written_and_read(context):
    flow = np.random.default_rng(0).normal(size=(3, 4, 2)).astype(np.float32)
    maps.write_flow(context.folder / "a.flo", flow)
    np.testing.assert_array_equal(mapping.Flow("x")({"x": "a.flo"}, context), flow)
    whole = (context.folder / "a.flo").read_bytes()
    np.testing.assert_array_equal(maps.read_flow(whole), flow)
    for wrong in (whole[:-1], whole[:5], b"PIEX" + whole[4:], b"PIEH" + np.array([-1, 4], "<i4").tobytes()):
        with pytest.raises(DataError):
            maps.read_flow(wrong)


def test_names_with_slashes_are_found():
    record = {"image": 1, "image/id": 2, "a": {"b/c": 3, "d": [{"e": 4}, {"e": 5}]}}
    assert [find(record, path) for path in ("image", "image/id", "a/b/c", "a/d/e")] == [1, 2, 3, [4, 5]]
    for path in ("image/x", "a/d/f", "b"):
        with pytest.raises(KeyError):
            find(record, path)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ({"boxes": [[0.1, 0.2, 1.2, 0.5]]}, "box 0"),
        ({"boxes": [[0.5, 0.2, 0.1, 0.5]]}, "box 0"),
        ({"boxes": [[0.1, 0.2, 0.3, math.nan]]}, "boxes holds NaN"),
        ({"boxes": [[0, 0, 1, 1]], "names": ["a", "b"]}, "2 names for 1 boxes"),
        ({"captions": 3}, "field captions is '3'"),
        ({"captions": ["a", 3]}, "field captions is '3'"),
        ({"text": b"\xff"}, "field text is no text in UTF-8"),
        ({"text": None, "question": 1}, "field question"),
        ({"image": np.zeros((2, 2, 3), np.float32) + 2}, "field image"),
        ({"image": np.zeros((2, 2, 4), np.float32)}, "field image"),
        ({"image": np.full((2, 2, 3), np.nan)}, "field image holds NaN"),
        ({"image": np.zeros((2, 2, 3)), "masks": np.zeros((1, 3, 2))}, "field masks is of size"),
        ({"image": np.zeros((2, 2, 3)), "depth": np.zeros((3, 2))}, "field depth is of size"),
        ({"images": np.float32(3)}, "field images"),
        ({"depth": "far"}, "field depth"),
        ({"actions": [object()]}, "field actions holds object"),
    ],
)
def test_raw_fields_that_can_not_be_are_named(raw, says):
    with pytest.raises(DataError, match=says):
        checked(raw)


def test_raw_fields_are_packed_and_back():
    raw = checked(
        {"id": "a", "actions": [(1, 2.5), "go"], "world": {"n": np.arange(3)}, "boxes": [], "text": None}
    )
    back = unpack(pack(raw))
    assert back["actions"] == [[1, 2.5], "go"] and back["boxes"].shape == (0, 4) and "text" not in back
    np.testing.assert_array_equal(back["world"]["n"], [0, 1, 2])


def test_words_of_a_dataset_that_look_special_stay_words():
    raw = checked(
        {
            "question": b"what is <extra_id_7>?",
            "answers": ["[Text] [S] a"],
            "turns": [{"said": "<image_input>"}],
        }
    )
    assert raw["question"] == "what is < extra_id_7>?"
    assert raw["answers"] == ["[ Text] [S] a"]
    assert raw["turns"] == [{"said": "< image_input>"}]
