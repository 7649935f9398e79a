"""Motion out of files: rates, windows, and errors that name the file."""

import numpy as np
import pytest

from unified_io.errors import DataError
from unified_io.preprocess import imu_ops


@pytest.fixture
def motion():
    """Gravity, and a slow swing at 50 steps a second."""
    at = np.arange(600) / 50.0
    swing = np.sin(2 * np.pi * 0.5 * at)[:, None] * np.arange(1, 7) / 6
    return (swing + np.array([0.0, 0.0, 9.81, 0.0, 0.0, 0.0])).astype(np.float32)


def test_an_array_and_a_table_are_the_same(motion, tmp_path):
    np.save(tmp_path / "a.npy", motion)
    np.savetxt(tmp_path / "b.csv", motion, delimiter=",")
    np.savetxt(tmp_path / "c.csv", motion, delimiter=",", header="ax,ay,az,gx,gy,gz", comments="")
    read = [imu_ops.read(tmp_path / name, 200) for name in ("a.npy", "b.csv", "c.csv")]
    np.testing.assert_array_equal(read[0], motion)
    np.testing.assert_allclose(read[1], motion, atol=1e-6)
    np.testing.assert_array_equal(read[1], read[2])
    assert all(values.dtype == np.float32 for values in read)


def test_motion_comes_out_at_200_steps_a_second(motion, tmp_path):
    np.save(tmp_path / "a.npy", motion)
    read = imu_ops.read(tmp_path / "a.npy", 50)
    assert read.shape == (2400, 6)
    at = np.arange(2400) / 200.0
    wanted = np.sin(2 * np.pi * 0.5 * at)[:, None] * np.arange(1, 7) / 6
    wanted[:, 2] += 9.81
    np.testing.assert_allclose(read[40:-40], wanted[40:-40], atol=0.01)
    np.testing.assert_allclose(read[:, 2], wanted[:, 2], atol=0.3)  # at rest there is no jump to zero


def test_faster_swings_than_half_the_rate_are_filtered_out():
    at = np.arange(4000) / 1000.0
    fast = np.sin(2 * np.pi * 170.0 * at)[:, None]
    assert np.abs(imu_ops.resample(fast, 1000.0)[40:-40]).max() < 0.01
    assert len(imu_ops.resample(fast, 199.5)) == pytest.approx(4000 * 200 / 199.5, abs=1)


@pytest.mark.parametrize(("steps", "count"), [(1, 1), (1000, 1), (1499, 1), (1500, 2), (2400, 2), (2500, 3)])
def test_what_is_left_over_is_a_window_if_it_is_half_of_one(steps, count):
    motion = np.arange(1.0, 6 * steps + 1, dtype=np.float32).reshape(steps, 6)
    cut = imu_ops.windows(motion)
    assert cut.shape == (count, 1000, 6)
    flat = cut.reshape(-1, 6)
    kept = min(steps, count * 1000)
    np.testing.assert_array_equal(flat[:kept], motion[:kept])
    assert (flat[kept:] == 0).all()


def test_windows_of_ten_seconds():
    assert imu_ops.windows(np.ones((4000, 6), np.float32), seconds=10.0).shape == (2, 2000, 6)
    for motion, seconds in ((np.ones((0, 6)), 5.0), (np.ones((5, 6)), 0.0)):
        with pytest.raises(DataError, match="one of each"):
            imu_ops.windows(motion, seconds=seconds)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.npy", np.full((4, 6), np.nan), "NaN or infinity at step 0"),
        ("a.npy", np.zeros((4, 5)), r"shape \(4, 5\), wanted \[steps, 6\]"),
        ("a.npy", np.zeros((6, 9)), "transpose it"),
        ("a.npy", np.zeros((0, 6)), "no step of motion"),
        ("a.npy", np.zeros((2, 6), complex), "complex128; wanted numbers"),
        ("a.npy", b"no array", "can not be read as an array"),
        ("a.npy", b"", "0 bytes long"),
        ("a.csv", b"ax,ay,az,gx,gy,gz\n", "no step of motion"),
        ("a.csv", b"1,2,3,4,5,6\n1,2,3,4,5\n", r"lines of \[5, 6\] numbers"),
        ("a.csv", b"1,2,3,4,5,6\n1,2,x,4,5,6\n", "line 2 with content is no numbers"),
        ("a.csv", b"1,2,3,4,5,6\n1,2,nan,4,5,6\n", "NaN or infinity at step 1"),
        ("a.csv", b"0.1,1,2,3,4,5,6\n", "and no time"),
        ("a.csv", b"\xff\xfe\x00", "no text"),
        ("a.txt", b"1", r"no .npy or .csv"),
    ],
)
def test_errors_name_the_file(tmp_path, name, content, message):
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.save(path, content)
    with pytest.raises(DataError, match=message) as error:
        imu_ops.read(path, 200)
    assert str(path) in str(error.value)


def test_a_missing_file_and_a_rate_that_is_none_are_errors(tmp_path):
    with pytest.raises(DataError, match=r"no motion at .*none\.npy"):
        imu_ops.read(tmp_path / "none.npy", 200)
    for rate in (0.0, -200.0, float("nan")):
        with pytest.raises(DataError, match="wanted a rate"):
            imu_ops.resample(np.zeros((4, 6)), rate)
