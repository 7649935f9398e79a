"""Every structure comes back as it was written, up to a bin, and no model output breaks a reader."""

import numpy as np
import pytest

from unified_io import structures
from unified_io.errors import DataError
from unified_io.vocab import EOS, Vocabulary, location_word

BIN = 1 / 999
VOCABULARY = Vocabulary()
B = [location_word(bin) for bin in range(1000)]


def close_below(read, written):
    """What comes back is the lower edge of the bin: never above, at most one bin below."""
    assert read.shape == written.shape
    assert np.all(read <= written + 1e-6) and np.all(read > written - BIN - 1e-6)


def test_bins_are_edges():
    bins = np.arange(1000)
    np.testing.assert_array_equal(structures.values_to_bins(structures.bins_to_values(bins)), bins)
    np.testing.assert_array_equal(structures.values_to_bins([0.0, 0.5, 0.99999, 1.0]), [0, 499, 998, 999])


@pytest.mark.parametrize("bad", [-0.001, 1.001, np.nan, np.inf])
def test_values_outside_are_named(bad):
    values = np.full((3, 4), 0.5)
    values[2, 1] = bad
    with pytest.raises(DataError, match=r"index \[2, 1\] is not in \[0, 1\]"):
        structures.values_to_bins(values)
    with pytest.raises(ValueError, match=r"\[2, 1\]"):
        structures.boxes_to_text(values)


def test_boxes_in_words():
    text = structures.boxes_to_text([[0, 0, 0.5, 1]], ["cat"])
    assert text == "<extra_id_200> <extra_id_200> <extra_id_699> <extra_id_1199> cat"


@pytest.mark.parametrize(
    "size, write, read",
    [
        (4, structures.boxes_to_text, structures.text_to_boxes),
        (2, structures.points_to_text, structures.text_to_points),
    ],
)
def test_boxes_and_points_round_trip(size, write, read):
    rng = np.random.default_rng(size)
    names = ["", "cat", "big red car", "left eye", "<thing> & 3 more", "你好"]
    for count in (0, 1, 2, 7, 30):
        values = rng.uniform(size=(count, size)).astype(np.float32)
        labels = rng.choice(names, count).tolist()
        for written in (labels, None):
            values_read, labels_read, skipped = read(write(values, written))
            close_below(values_read, values)
            assert labels_read == (written or [""] * count) and skipped == []


def test_boxes_survive_the_tokenizer():
    boxes = np.random.default_rng(0).uniform(size=(5, 4)).astype(np.float32)
    text = structures.boxes_to_text(boxes, list("abcde"))
    ids = VOCABULARY.encode(text)
    assert np.sum(VOCABULARY.is_location(np.array(ids))) == 20
    assert VOCABULARY.decode(ids) == text


def test_shapes_and_labels_are_checked():
    with pytest.raises(DataError, match=r"boxes have shape \[4\], wanted \[N, 4\]"):
        structures.boxes_to_text([0.0, 0.0, 1.0, 1.0])
    with pytest.raises(DataError, match="1 points but 2 labels"):
        structures.points_to_text([[0.0, 0.0]], ["a", "b"])
    with pytest.raises(DataError, match="contains a location token"):
        structures.points_to_text([[0.0, 0.0]], [f"a {B[3]}"])


def test_broken_groups_are_left_out_and_reported():
    text = f"well, {B[1]} {B[2]} {B[3]} {B[4]} cat {B[5]} {B[6]} dog {B[7]}{B[8]} {B[9]} {B[10]} {B[11]}"
    boxes, labels, skipped = structures.text_to_boxes(text)
    np.testing.assert_array_equal(structures.values_to_bins(boxes), [[1, 2, 3, 4], [7, 8, 9, 10]])
    assert labels == ["cat", ""]
    assert skipped == [
        "words 'well,'",
        "2 of 4 location tokens before 'dog'",
        "1 of 4 location tokens before ''",
    ]


def test_sentinels_are_not_locations():
    boxes, _, skipped = structures.text_to_boxes(
        "<extra_id_199> <extra_id_1200> <extra_id_0> <extra_id_99999>"
    )
    assert len(boxes) == 0 and len(skipped) == 1


def garbage(count: int):
    rng = np.random.default_rng(1)
    pieces = [
        *B[::250],
        "<extra_id_3>",
        "<extra_id_>",
        "<",
        ">",
        " ",
        "  ",
        "nose",
        "left eye",
        "MISSING",
        "\n",
        "cat",
        "é",
    ]
    for _ in range(count):
        yield "".join(rng.choice(pieces, rng.integers(0, 30)))


def test_no_text_breaks_a_reader():
    for text in garbage(500):
        boxes = structures.text_to_boxes(text)
        points = structures.text_to_points(text)
        keypoints = structures.text_to_keypoints(text)
        strokes = structures.text_to_strokes(text)
        assert boxes.boxes.shape == (len(boxes.labels), 4) and points.points.shape == (len(points.labels), 2)
        assert keypoints.points.shape == (17, 2) and keypoints.visible.shape == (17,)
        assert strokes.strokes.shape[1:] == (3,)
        tokens = sum(text.count(word) for word in B[::250])
        assert bool(strokes.skipped) >= (len(strokes.strokes) * 3 < tokens)  # no token goes unmentioned
        assert bool(boxes.skipped) >= (len(boxes.boxes) * 4 < tokens)


def test_no_ids_break_a_reader():
    rng = np.random.default_rng(2)
    for _ in range(200):
        ids = rng.integers(0, VOCABULARY.size, rng.integers(0, 30))
        strokes, _ = structures.parse_strokes(ids, VOCABULARY)
        assert strokes.shape[1] == 3 and np.all((strokes >= 0) & (strokes <= 1))


def test_keypoints_round_trip():
    rng = np.random.default_rng(3)
    for share in (0.0, 0.3, 0.7, 1.0):
        points = rng.uniform(size=(17, 2)).astype(np.float32)
        visible = rng.uniform(size=17) < share
        read = structures.text_to_keypoints(structures.keypoints_to_text(points, visible))
        assert read.skipped == []
        np.testing.assert_array_equal(read.visible, visible)
        close_below(read.points[visible], points[visible])
        assert not read.points[~visible].any()


def test_keypoints_in_words():
    text = structures.keypoints_to_text([[0, 1], [0, 0]], [True, False], ["nose", "tail"])
    assert text == "<extra_id_200> <extra_id_1199> nose MISSING tail"
    with pytest.raises(DataError, match="2 points, 1 visibilities and 17 parts"):
        structures.keypoints_to_text([[0, 1], [0, 0]], [True])


def test_missing_points_are_filled_with_the_mean():
    points = np.array([[1, 3], [0, 0], [3, 5]], np.float32)
    filled = structures.fill_missing(points, np.array([True, False, True]))
    np.testing.assert_array_equal(filled, [[1, 3], [2, 4], [3, 5]])
    np.testing.assert_array_equal(structures.fill_missing(points, np.zeros(3, bool)), points)


def test_strokes_round_trip():
    rng = np.random.default_rng(4)
    for count in (0, 1, 5, 60):
        strokes = rng.uniform(size=(count, 3)).astype(np.float32)
        strokes[:, 2] = strokes[:, 2] >= 0.5
        ids = structures.strokes_to_ids(strokes, VOCABULARY)
        assert ids.shape == (3 * count,) and np.all(VOCABULARY.is_location(ids))
        for read in (
            structures.ids_to_strokes(ids, VOCABULARY),
            structures.text_to_strokes(structures.strokes_to_text(strokes)).strokes,
        ):
            close_below(read, strokes)
            np.testing.assert_array_equal(read[:, 2], strokes[:, 2])
        assert VOCABULARY.encode(structures.strokes_to_text(strokes)) == ids.tolist()


def test_the_pen_is_down_from_a_half():
    strokes = np.array([[0, 0, 0.49], [0, 0, 0.5], [1, 1, 0.51]])
    ids = structures.strokes_to_ids(strokes, VOCABULARY)
    np.testing.assert_array_equal(structures.ids_to_strokes(ids, VOCABULARY)[:, 2], [0, 1, 1])
    with pytest.raises(DataError, match=r"\[0, 2\]"):
        structures.strokes_to_ids([[0, 0, 1.5]], VOCABULARY)


def test_strokes_end_at_eos_and_report_the_rest():
    point = structures.strokes_to_ids([[0.25, 0.5, 1.0]], VOCABULARY).tolist()
    strokes, skipped = structures.parse_strokes([*point, 40, *point[:2], EOS, *point], VOCABULARY)
    assert len(strokes) == 1
    assert skipped == ["2 of 3 location tokens before ''", "words 'token 40'"]
