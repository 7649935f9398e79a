"""Maps painted over a picture: framed with it, read back as they were, unknown where they are unknown."""

import numpy as np
import pytest

from data_tasks.formats.dense import DenseMap
from data_tasks.formats.dense_augmented import SeveralClasses, draw_box_at, inside
from data_tasks.formats.normals_augmented import AXES, CLOSE, Facing, NormalAt, NormalsAs
from tests.data_tasks.formats import wording
from tests.data_tasks.formats.painting import SIDE, best, box_of, check_laws, drawn, gradient, oracle, square
from tests.data_tasks.formats.wording import SEEDS, made, raw
from unified_io.errors import ConfigError, DataError
from unified_io.preprocess import maps
from unified_io.structures import text_to_boxes, text_to_points

SIZE = (24, SIDE)
MASKS = np.stack([square(2, 3, 9), square(12, 20, 8), square(13, 3, 7)])
BOXES = [box_of(2, 3, 9), box_of(12, 20, 8), box_of(13, 3, 7)]
NAMES = ["cat", "dog", "cat"]


def things(**other):
    return raw(
        image=gradient(),
        masks=MASKS,
        boxes=BOXES,
        names=NAMES,
        phrases=["the Upper cat", "a dog", "a cat"],
        **other,
    )


def depths(**other):
    metres = np.random.default_rng(3).uniform(0.5, 7.0, SIZE)
    metres[:3] = 0.0
    return raw(image=maps.depth_to_pixels(metres.astype(np.float32)), depth=metres, **other)


def slopes(**other):
    rows, columns = np.indices(SIZE)
    vectors = np.stack([columns / SIZE[1] - 0.5, rows / SIZE[0] - 0.5, np.full(SIZE, 0.5)], axis=2)
    vectors /= np.linalg.norm(vectors, axis=2, keepdims=True)
    vectors[:, :2] = 0.0
    vectors = vectors.astype(np.float32)
    return raw(image=maps.normals_to_pixels(vectors), normals=vectors, **other)


def motion(**other):
    flow = np.random.default_rng(4).uniform(-4, 4, (*SIZE, 2))
    return raw(images=[gradient(), gradient()[:, ::-1]], flow=flow, **other)


FORMS = {
    "class": (DenseMap("dense_mask_class", kind="mask", query="class"), things),
    "box": (DenseMap("dense_mask_box", kind="mask", query="box"), things),
    "phrase": (DenseMap("dense_mask_phrase", kind="mask", query="phrase"), things),
    "all": (DenseMap("dense_mask"), things),
    "point": (DenseMap("dense_mask_point", query="point"), things),
    "depth": (DenseMap("dense_depth", kind="depth"), depths),
    "normal": (DenseMap("dense_normal", kind="normal"), slopes),
    "flow": (DenseMap("dense_flow", kind="flow"), motion),
    "any": (SeveralClasses("dense_any", "any"), things),
    "inside": (SeveralClasses("dense_inside", "inside"), things),
    "none of": (SeveralClasses("dense_none_of", "none"), things),
    "order": (NormalsAs("normal_order", "order"), slopes),
    "axes": (NormalsAs("normal_axes", "axes"), slopes),
    "facing": (Facing("normal_facing"), slopes),
}


@pytest.mark.parametrize("name", FORMS)
def test_laws(name):
    form, example = FORMS[name]
    check_laws(form, example())
    assert set(form.reads) <= example().keys()


@pytest.mark.parametrize("name", FORMS)
def test_oracle(name):
    form, example = FORMS[name]
    scores = oracle(form, [example()] * 4)
    for metric, value in best(form).items():
        assert scores[metric] == pytest.approx(value, abs=1e-4), metric


@pytest.mark.parametrize("name", ["depth", "normal"])
def test_a_map_is_framed_as_the_picture(name):
    form, example = FORMS[name]  # whose picture is its own map
    for seed in SEEDS:
        fields = made(form, example(), seed)
        np.testing.assert_array_equal(fields["image_inputs"], fields["image_targets"])
        assert (fields["image_target_masks"] <= fields["image_input_masks"]).all()


def test_a_mask_is_framed_as_the_picture_and_its_box():
    form, mask = FORMS["box"][0], square(6, 9, 12)
    example = raw(image=maps.mask_to_pixels(mask), masks=mask[None], boxes=[box_of(6, 9, 12)], names=["cat"])
    for seed in SEEDS:
        fields = made(form, example, seed)
        np.testing.assert_array_equal(fields["image_inputs"], fields["image_targets"])
        box = text_to_boxes(fields["text_inputs"]).boxes[0] * len(fields["image_targets"])
        rows, columns = np.nonzero(fields["image_targets"][:, :, 0])
        np.testing.assert_allclose(
            box, [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1], atol=0.1
        )


def test_what_is_unknown_is_neither_target_nor_truth():
    form, example = FORMS["depth"]
    fields = made(form, example(), training=False)
    top = (SIDE - SIZE[0]) // 2
    assert not fields["image_target_masks"][: top + 3].any()
    assert fields["image_target_masks"][top + 3 : top + SIZE[0]].all()
    assert form.truth(fields).shape == (SIZE[0] - 3, SIDE)
    known = np.ones(SIZE, bool)
    known[10:, 5] = False
    fields = made(form, example(valid=known), training=False)
    np.testing.assert_array_equal(form.truth(fields) == 0.0, ~known[3:])


def test_depth_is_in_metres_of_the_most_that_is_stated():
    metres = np.array([[2.0, 4.0], [40.0, 80.0]], np.float32)
    form = DenseMap("dense_depth", kind="depth", most=80.0)
    fields = made(form, raw(image=gradient(2, 2), depth=metres), training=False)
    np.testing.assert_allclose(form.truth(fields), metres, rtol=1e-5)
    np.testing.assert_allclose(fields["image_targets"][:, :, 0], metres / 80.0, rtol=1e-5)


def test_flow_is_in_pixels_and_what_is_too_long_is_left_out():
    flow = np.zeros((8, 8, 2), np.float32)
    flow[0, 0], flow[0, 1] = (1.5, -1.0), (2.5, 0.0)
    form = DenseMap("dense_flow", kind="flow", reach=0.25)
    fields = made(form, raw(images=[gradient(8, 8)] * 2, flow=flow), training=False)
    truth = form.truth(fields)
    np.testing.assert_allclose(truth[0, 0], (1.5, -1.0), atol=1e-5)
    assert np.isnan(truth[0, 1]).all() and np.isnan(truth).sum() == 2
    assert len(fields["image_history_inputs"]) == 1


def test_a_class_is_all_there_is_of_it_and_a_box_one_thing():
    cats = [
        f
        for s in SEEDS
        if "cat" in (f := made(FORMS["class"][0], things(), s, training=False))["text_inputs"]
    ]
    np.testing.assert_array_equal(FORMS["class"][0].truth(cats[0]), MASKS[0] | MASKS[2])
    for seed in SEEDS:
        truth = FORMS["box"][0].truth(made(FORMS["box"][0], things(), seed, training=False))
        assert any((truth == mask).all() for mask in MASKS)


def test_the_boundary_comes_first_where_the_box_is_given():
    assert [m.name for m in FORMS["box"][0].metrics] == ["boundary_iou", "mask_iou"]
    assert [m.name for m in FORMS["class"][0].metrics] == ["mask_iou", "boundary_iou"]


def test_points_lie_on_the_thing_and_a_box_without_names_holds_an_object():
    for seed in SEEDS:
        fields = made(FORMS["point"][0], things(), seed)
        mask = fields["image_targets"][:, :, 0] > 0
        points = text_to_points(fields["text_inputs"]).points * len(mask)
        assert 1 <= len(points) <= 3
        assert all(mask[tuple(pixel)] for pixel in points.astype(int))
    assert "object" in made(FORMS["box"][0], raw(image=gradient(), masks=MASKS, boxes=BOXES))["text_inputs"]


def test_several_classes_by_hand():
    example = things(classes=["cat", "dog", "bird", "cup", "hat"])
    absent = 0
    for seed in SEEDS:
        form = FORMS["any"][0]
        fields = made(form, example, seed, training=False)
        named = [
            n for n in ("cat", "dog", "bird", "cup", "hat") if n in fields["text_inputs"].split(" [S] ")[1]
        ]
        wanted = np.any([m for m, n in zip(MASKS, NAMES, strict=True) if n in named], axis=0)
        np.testing.assert_array_equal(form.truth(fields), wanted)
        assert 2 <= len(named) <= 4
        absent += bool({*named} - {*NAMES})
        rest = made(FORMS["none of"][0], example, seed, training=False)
        asked = [n for n in ("cat", "dog") if n in rest["text_inputs"]]
        covered = np.any([m for m, n in zip(MASKS, NAMES, strict=True) if n in asked], axis=0)
        np.testing.assert_array_equal(FORMS["none of"][0].truth(rest), ~covered)
    assert absent


def test_inside_of_a_box_is_some_of_the_class_and_no_more():
    form = FORMS["inside"][0]
    for seed in SEEDS:
        fields = made(form, things(), seed)
        found = fields["image_targets"][:, :, 0] > 0
        assert found.any()
        y1, x1, y2, x2 = text_to_boxes(fields["text_inputs"]).boxes[0] * len(found)
        rows, columns = np.nonzero(found)
        assert (
            y1 - 0.6 <= rows.min()
            and rows.max() + 0.4 <= y2
            and x1 - 0.6 <= columns.min()
            and columns.max() + 0.4 <= x2
        )


def test_boxes_around_a_pixel_hold_it():
    for seed in range(50):
        rng = np.random.default_rng(seed)
        mask = np.zeros((20, 20), bool)
        mask[tuple(rng.integers(20, size=2))] = True
        assert (inside(draw_box_at(mask, rng), 20) & mask).any()


def test_normals_in_another_order():
    form = FORMS["order"][0]
    true = slopes()["normals"][:, 2:]
    for seed in SEEDS:
        fields = made(form, slopes(), seed, training=False)
        np.testing.assert_allclose(form.truth(fields), true, atol=1e-5)
        plain = made(FORMS["normal"][0], slopes(), training=False)["image_targets"]
        assert not np.allclose(plain, fields["image_targets"])


def test_axes_that_are_not_asked_for_are_black():
    form = FORMS["axes"][0]
    for seed in SEEDS:
        fields = made(form, slopes(), seed, training=False)
        axes = fields["text_inputs"].replace(";", "").replace(",", "").replace("normal", "").split()
        dark = [axis not in axes for axis in AXES]
        assert not fields["image_targets"][:, :, dark].any()
        assert fields["image_targets"][:, :, ~np.array(dark)].any(axis=(0, 1)).all()
        assert form.truth(fields).shape[2] == 3 - sum(dark)


def test_normal_at_a_point():
    form = NormalAt("normal_at")
    wording.check_laws(form, slopes())
    scores = wording.oracle(form, [slopes()] * 8)
    assert scores["angle"] < 0.15 and scores[CLOSE.name] == 1.0  # a bin is a thousandth of 2
    for answer in ("", "left", "<extra_id_200>", "<extra_id_699> <extra_id_200> [1"):
        assert wording.oracle(form, [slopes()] * 2, answer) == {"angle": 180.0, CLOSE.name: 0.0}


def test_facing_holds_the_direction_it_names():
    form = FORMS["facing"][0]
    for seed in SEEDS:
        fields = made(form, slopes(), seed)
        shown = fields["image_targets"][:, :, 0] > 0
        assert shown.any() and (shown <= fields["image_target_masks"]).all()


@pytest.mark.parametrize(
    ("form", "example", "field", "shape"),
    [
        ("class", things, "masks", (3, 24, 31)),
        ("box", things, "masks", (3, 25, 32)),
        ("any", things, "masks", (3, 25, 32)),
        ("depth", depths, "depth", (24, 33)),
        ("normal", slopes, "normals", (23, 32, 3)),
        ("order", slopes, "normals", (23, 32, 3)),
        ("flow", motion, "flow", (32, 24, 2)),
    ],
)
def test_a_map_of_another_size_is_named(form, example, field, shape):
    with pytest.raises(DataError, match=f"field {field} is {shape[-2] if field == 'masks' else shape[0]}x"):
        made(FORMS[form][0], {**example(), field: np.ones(shape, bool if field == "masks" else np.float32)})


def test_valid_of_another_size_is_named():
    with pytest.raises(DataError, match="field valid is 3x4"):
        made(FORMS["depth"][0], {**depths(), "valid": np.ones((3, 4), bool)})


def test_refuses_what_is_not_there():
    with pytest.raises(DataError, match="masks is empty"):
        made(FORMS["class"][0], {**things(), "masks": np.zeros((0, *SIZE), bool)})
    with pytest.raises(DataError, match="every mask"):
        made(FORMS["class"][0], {**things(), "masks": MASKS & False})
    with pytest.raises(DataError, match="no depth"):
        made(FORMS["depth"][0], {**depths(), "depth": np.zeros(SIZE, np.float32)})
    with pytest.raises(DataError, match="2"):
        made(FORMS["flow"][0], {**motion(), "images": [gradient()]})
    with pytest.raises(DataError, match=r"images\[1\] is 5x5"):
        made(FORMS["flow"][0], {**motion(), "images": [gradient(), gradient(5, 5)]})
    with pytest.raises(DataError, match="classes"):
        made(FORMS["any"][0], raw(image=gradient(), masks=MASKS[:1], names=["cat"]))


def test_refuses_other_kinds():
    with pytest.raises(ConfigError, match="did you mean 'normal'"):
        DenseMap("dense_normal", kind="normals")
    with pytest.raises(ConfigError, match="query"):
        DenseMap("dense_mask", query="word")
    with pytest.raises(ConfigError, match="only masks"):
        DenseMap("dense_depth", kind="depth", query="class")
    with pytest.raises(ConfigError, match="about classes"):
        SeveralClasses("dense_any", "some")
    with pytest.raises(ConfigError, match="change"):
        NormalsAs("normal_order", "turn")


def test_an_answer_of_any_size_is_fitted():
    form = FORMS["depth"][0]
    fields = made(form, depths(), training=False)
    small = drawn(fields)[::4, ::4]
    assert form.parse(small, fields).shape == form.truth(fields).shape
