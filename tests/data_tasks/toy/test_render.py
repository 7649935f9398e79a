"""Pictures against closed forms that the renderer does not use, and truths against the pixels."""

import dataclasses
import math

import numpy as np
import pytest

from data_tasks.toy import camera, figure, splits, truth
from data_tasks.toy.render import BOARD, PUPPET, ROOM, render
from data_tasks.toy.scene import HALF_ROOM, SHAPES, Camera, Puppet, Room, State, Thing
from data_tasks.toy.still import person, scene, views
from unified_io.evaluation.cuboids import corners

CAMERA = Camera(1.2, 0.7, 1.9)


def alone(shape, position=(0.1, -0.2, 0.0), size=0.5, yaw=0.4, texture="plain"):
    return State(Room(), (Thing(shape, "red", texture, size, position, yaw),), CAMERA)


def drawn(count=12, split="train", **plan):
    return [
        splits.SPLITS[split].draw(splits.generator(split, index, "test"), **plan) for index in range(count)
    ]


def inside(thing, points, slack):
    """Whether points lie within a thing, by its definition; independent of how rays meet it."""
    c, s = math.cos(thing.yaw), math.sin(thing.yaw)
    x, y, z = np.moveaxis(points - thing.position, -1, 0)
    x, y = c * x + s * y, c * y - s * x
    far, half, size = np.hypot(x, y), thing.width / 2, thing.size
    level = (z >= -slack) & (z <= size + slack)
    match thing.shape:
        case "sphere":
            return x**2 + y**2 + (z - half) ** 2 <= (half + slack) ** 2
        case "capsule":
            return x**2 + y**2 + (z - np.clip(z, half, size - half)) ** 2 <= (half + slack) ** 2
        case "cube":
            return level & (np.maximum(abs(x), abs(y)) <= half + slack)
        case "pyramid":
            return level & (np.maximum(abs(x), abs(y)) <= half * (1 - z / size) + slack)
        case "cylinder":
            return level & (far <= half + slack)
        case "cone":
            return level & (far <= half * (1 - z / size) + slack)


@pytest.mark.parametrize("shape", SHAPES)
def test_rays_end_on_the_surface_and_miss_what_is_behind(shape):
    state = alone(shape)
    thing, picture = state.things[0], render(state, 96)
    mine = picture.ids == 1
    points = picture.points.astype(np.float64)[mine]
    assert mine.sum() > 200
    assert inside(thing, points, 1e-4).all()
    assert not inside(thing, points, -1e-4).any()
    # Nothing of it lies before the point that is seen, and a ray that misses it never enters it.
    eye = camera.origin(CAMERA)
    rays = picture.points.astype(np.float64) - eye
    for part in np.linspace(0.3, 1.0, 60):
        reached = eye + rays * (part - 1e-3)
        assert not inside(thing, reached, -2e-3).any()


def test_the_sphere_is_as_far_as_the_formula_says():
    state = alone("sphere")
    thing, picture = state.things[0], render(state, 65)
    eye, centre = camera.origin(CAMERA), np.array(thing.centre)
    (y, x), _ = camera.project(CAMERA, centre)
    row, column = int(y * 65), int(x * 65)
    distance = np.linalg.norm(picture.points[row, column] - eye)
    assert distance == pytest.approx(np.linalg.norm(centre - eye) - thing.size / 2, abs=2e-3)


def test_depth_is_along_the_camera_axis_and_the_room_closes_it():
    for state in drawn(5):
        picture = render(state, 48)
        local = camera.to_camera(state.camera, picture.points)
        np.testing.assert_allclose(local[..., 2], picture.depth, atol=1e-5)
        room = picture.ids == ROOM
        points = picture.points[room]
        on_floor = abs(points[:, 2]) < 1e-5
        on_wall = np.isclose(abs(points[:, :2]).max(axis=1), HALF_ROOM, atol=1e-5)
        assert (on_floor | on_wall | (points[:, 2] > 1.5)).all()
        assert on_floor.any()


def test_points_project_to_the_middle_of_their_pixel():
    state = drawn(1)[0]
    places, depth = camera.project(state.camera, render(state, 40).points)
    middles = (np.arange(40) + 0.5) / 40
    np.testing.assert_allclose(places[..., 0], np.tile(middles[:, None], (1, 40)), atol=1e-5)
    np.testing.assert_allclose(places[..., 1], np.tile(middles[None], (40, 1)), atol=1e-5)


def test_intrinsics_say_the_same_as_projecting():
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (20, 3))
    local = camera.to_camera(CAMERA, points) @ camera.intrinsics(64).T
    places, _ = camera.project(CAMERA, points)
    np.testing.assert_allclose(local[:, :2] / local[:, 2:], places[:, ::-1] * 64)


@pytest.mark.parametrize("theta", [0.0, 0.9, 1.4])
def test_the_camera_stands_upright(theta):
    matrix = camera.rotation(Camera(theta, 2.0, 2.0))
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(matrix) == pytest.approx(1.0)
    assert matrix[0, 2] == 0.0 and matrix[1, 2] <= 0.0  # right is level, down is not up


def test_normals_are_unit_face_the_camera_and_fit_the_depth():
    for state in drawn(6):
        picture = render(state, 64)
        np.testing.assert_allclose(np.linalg.norm(picture.normals, axis=2), 1.0, atol=1e-5)
        rays = camera.to_camera(state.camera, picture.points)
        assert ((picture.normals * rays).sum(axis=2) < 1e-6).all()
        # Neighbours of one flat face lie in its plane.
        step = picture.points[:, 1:] - picture.points[:, :-1]
        world = picture.normals @ camera.rotation(state.camera)
        flat = (picture.ids[:, 1:] == picture.ids[:, :-1]) & (
            abs(world[:, 1:] - world[:, :-1]).max(axis=2) < 1e-6
        )
        assert abs((step * world[:, 1:]).sum(axis=2))[flat].max() < 1e-4


def test_boxes_are_the_tightest_around_their_masks():
    for index in range(12):
        record = scene(splits.SPLITS["train"], splits.generator("train", index, "test"), 64)
        assert len(record["boxes"]) == len(record["masks"]) > 0
        for box, mask in zip(record["boxes"], record["masks"], strict=True):
            y1, x1, y2, x2 = (box * 64).round().astype(int)
            np.testing.assert_allclose(box * 64, [y1, x1, y2, x2], atol=1e-4)
            within = mask[y1:y2, x1:x2]
            assert within.sum() == mask.sum()
            assert within[0].any() and within[-1].any() and within[:, 0].any() and within[:, -1].any()
        assert record["masks"].sum(axis=0).max() == 1


def test_cuboids_hold_what_is_seen_of_their_thing():
    for index in range(10):
        record = scene(splits.SPLITS["test"], splits.generator("test", index, "test"), 64)
        for cuboid, mask in zip(record["cuboids"], record["masks"], strict=True):
            rows, columns = np.nonzero(mask)
            pixels = np.stack([columns + 0.5, rows + 0.5, np.ones(len(rows))], axis=1)
            points = pixels @ np.linalg.inv(record["intrinsics"]).T * record["depth"][mask][:, None]
            local = (points - cuboid["center"]) @ np.array(cuboid["rotation"])
            width, height, length = cuboid["dims"]
            round_thing = cuboid["name"].split()[1] not in ("cube", "pyramid")
            assert (abs(local) <= np.array([length, height, width]) / 2 + 2e-3).all() or round_thing
            assert abs(local[:, 1]).max() <= height / 2 + 2e-3
            places = corners(cuboid) @ record["intrinsics"].T
            (left, top), (right, bottom) = (
                side(places[:, :2] / places[:, 2:], axis=0) for side in (np.min, np.max)
            )
            assert left <= columns.min() + 1 and columns.max() <= right
            assert top <= rows.min() + 1 and rows.max() <= bottom
            assert np.linalg.det(cuboid["rotation"]) == pytest.approx(1.0)


def test_a_rug_tells_where_the_camera_stands():
    state = State(Room(), (), Camera(0.8, 0.0, 1.8))

    def seen(rug, phi=0.0):
        return render(dataclasses.replace(state, rug=rug).seen_from(Camera(0.8, phi, 1.8)), 32)

    bare, one, other = seen(None), seen(0.0, 1.0), seen(0.4, 1.4)
    on_it = np.hypot(one.points[..., 0], one.points[..., 1]) < 1.0
    assert on_it.mean() > 0.3 and (one.points[on_it][:, 2] < 1e-6).all()
    np.testing.assert_allclose(one.image[on_it], other.image[on_it], atol=1e-5)
    np.testing.assert_array_equal(seen(2.0).image[0], bare.image[0])  # the wall has nothing to do with it
    hues = np.array([seen(rug).image[24, 16] for rug in np.linspace(0, 6, 13)])
    apart = np.linalg.norm(hues[:, None] - hues[None], axis=-1)
    assert apart[np.triu_indices(13, 1)].min() > 0.03  # no two turns look alike


def test_two_cameras_see_the_same_points():
    record = views(splits.SPLITS["train"], splits.generator("train", 3, "test"), 32)
    first, second = (Camera(*map(float, camera)) for camera in record["cameras"])
    state = _state(record["world"]["state"])
    for one, image in zip((first, second), record["images"], strict=True):
        np.testing.assert_allclose(render(state.seen_from(one), 32).image, image, atol=1e-3)
    assert np.abs(record["images"][0] - record["images"][1]).max() > 0.1
    # What the first sees of the floor lies, for the second, no nearer than what it sees itself.
    seen = render(state.seen_from(first), 64)
    other = render(state.seen_from(second), 64)
    places, depth = camera.project(second, seen.points)
    shown = ((places > 0) & (places < 1)).all(axis=2) & (depth > 0)
    rows, columns = (places[shown] * 64).astype(int).T
    hidden_or_same = depth[shown] >= other.depth[rows, columns] - 0.25
    assert hidden_or_same.mean() > 0.97


def test_joints_lie_on_the_puppet_and_are_hidden_from_behind():
    for index in range(8):
        record = person(splits.SPLITS["train"], splits.generator("train", index, "person"), 96)
        for box, parts in zip(record["boxes"], record["keypoints"], strict=True):
            seen = parts[:, 2] > 0
            assert (parts[~seen] == 0).all()
            y, x = parts[seen, :2].T
            assert ((y >= box[0]) & (y <= box[2]) & (x >= box[1]) & (x <= box[3])).all()
    puppet = Puppet((0.0, 0.0), 0.0, 0.8, (0.0, 0.0, 0.3, 0.3, 0.2, 0.2, 0.0, 0.0, 0.0, 0.0, 0.0))
    before, behind = Camera(1.35, math.pi / 2, 2.0), Camera(1.35, -math.pi / 2, 2.0)
    state = State(Room(), (), before, puppets=(puppet,))
    found = {}
    for name, place in (("before", before), ("behind", behind)):
        one = state.seen_from(place)
        found[name] = truth.keypoints(one, render(one, 128))[0]
    assert found["before"][:3, 2].all() and not found["behind"][:3, 2].any()  # nose and eyes
    # Seen from before, its left is on the right of the picture.
    assert found["before"][5, 1] > found["before"][6, 1]
    assert found["behind"][5, 1] < found["behind"][6, 1]


def test_a_bone_is_as_long_however_it_is_bent():
    rng = np.random.default_rng(0)
    for _ in range(5):
        angles = tuple(float(rng.uniform(*limits)) for limits in figure.LIMITS)
        joints = figure.joints(Puppet((0.2, 0.1), 1.0, 1.0, angles))
        for first, second, length in ((5, 7, 0.16), (11, 13, 0.24), (13, 15, 0.22)):
            assert np.linalg.norm(joints[first] - joints[second]) == pytest.approx(length, abs=1e-6)
        assert joints[15:, 2].min() == pytest.approx(0.035)


def test_words_are_drawn_on_the_board():
    state = splits.SPLITS["test"].draw(splits.generator("test", 0, "board"), board=True, count=(0, 0))
    picture = render(state, 128)
    for number in range(len(state.board.words)):
        word = picture.image[picture.ids == BOARD + 1 + number].mean(axis=1)
        assert word.min() < 0.1 < 0.4 < word.max()
    assert (picture.ids == BOARD).any() and not (picture.ids == PUPPET).any()


def test_a_picture_shows_the_same_at_any_size():
    state = drawn(1)[0]
    small, large = render(state, 32), render(state, 96)
    np.testing.assert_allclose(small.depth, large.depth[1::3, 1::3], atol=1e-5)
    np.testing.assert_array_equal(small.ids, large.ids[1::3, 1::3])


def test_what_vanished_is_not_seen():
    state = alone("cube")
    assert (render(state.having(0, there=False), 32).ids == ROOM).all()
    assert (render(state, 32).ids == 1).any()


def _state(values):
    things = tuple(Thing(**{**t, "position": tuple(t["position"])}) for t in values["things"])
    return dataclasses.replace(
        State(Room(**values["room"]), things, Camera(**values["camera"])),
        light=type(State.__dataclass_fields__["light"].default)(**values["light"]),
        rug=values["rug"],
    )
