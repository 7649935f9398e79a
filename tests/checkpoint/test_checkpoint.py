"""A checkpoint comes back to the bit, or an error says why not."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified_io import pytree
from unified_io.checkpoint import Checkpoints, load_params, manifest, save_params
from unified_io.errors import CheckpointError, ConfigError


def _state(value: float) -> dict:
    return {
        "step": jnp.asarray(int(value), jnp.int32),
        "params": {
            "dense": {"kernel": jnp.full((4, 3), value) + jnp.arange(3.0), "bias": jnp.zeros(3, jnp.bfloat16)}
        },
        "opt_state": (jnp.full(5, -value), {}),
    }


def _equal(left: object, right: object) -> None:
    jax.tree.map(np.testing.assert_array_equal, left, right)
    assert jax.tree.map(lambda x: x.dtype, left) == jax.tree.map(lambda x: x.dtype, right)


def test_a_state_comes_back_and_only_the_newest_stay(tmp_path):
    with Checkpoints(tmp_path, keep=2) as checkpoints:
        assert checkpoints.latest() is None
        for step in (1, 2, 3):
            checkpoints.save(step, _state(step), notes={"losses": [0.1 * step, None]})
        _equal(checkpoints.restore(pytree.abstract(_state(0))), _state(3))
        _equal(checkpoints.restore(_state(0), step=2), _state(2))
        assert checkpoints.steps() == [2, 3]
        assert checkpoints.notes(3) == {"losses": [0.1 * 3, None]}
        with pytest.raises(CheckpointError, match=r"no step 1 .* \[2, 3\]"):
            checkpoints.restore(_state(0), step=1)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoint_2", "checkpoint_3"]


def test_every_so_many_steps_one_stays_for_ever(tmp_path):
    for steps in (range(1, 6), range(6, 12)):  # in two sessions
        with Checkpoints(tmp_path, keep=2, keep_period=4) as checkpoints:
            for step in steps:
                checkpoints.save(step, _state(step))
    with Checkpoints(tmp_path, keep=2, keep_period=4) as checkpoints:
        assert checkpoints.steps() == [4, 8, 10, 11]
        _equal(checkpoints.restore(_state(0), step=4), _state(4))
    for numbers in ({"keep": 0}, {"keep_period": 0}, {"keep_period": -1}):
        with pytest.raises(ConfigError, match="give at least 1"):
            Checkpoints(tmp_path, **numbers)


def test_a_save_in_the_background_keeps_the_numbers_of_its_moment(tmp_path):
    change = jax.jit(lambda tree: jax.tree.map(lambda x: x + 1, tree), donate_argnums=0)
    state = {"w": jnp.arange(3e5).reshape(300, 1000), "step": jnp.zeros((), jnp.int32)}
    with Checkpoints(tmp_path, keep=9) as checkpoints:
        for step in range(4):
            checkpoints.save(step, state)
            for _ in range(3):
                state = change(state)
        for step in range(4):
            saved = checkpoints.restore(state, step=step)
            assert int(saved["step"]) == 3 * step and float(saved["w"][0, 0]) == 3 * step


def test_another_structure_is_named_before_anything_is_read(tmp_path):
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, _state(1), wait=True)
        wrong = _state(1)
        wrong["params"]["dense"]["kernel"] = jnp.zeros((4, 5))
        wrong["params"]["head"] = {"kernel": jnp.zeros(2)}
        del wrong["params"]["dense"]["bias"]
        with pytest.raises(CheckpointError) as error:
            checkpoints.restore(wrong)
    text = str(error.value)
    assert "missing in it (1): params/head/kernel" in text
    assert "not wanted (1): params/dense/bias" in text
    assert "params/dense/kernel is (4, 3), wanted (4, 5)" in text


@pytest.fixture
def saved(tmp_path) -> list[Path]:
    """Two checkpoints, and all files of the second."""
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, _state(1))
        checkpoints.save(2, _state(2), wait=True)
    files = [path for path in sorted((tmp_path / "checkpoint_2").rglob("*")) if path.is_file()]
    late = {"_CHECKPOINT_METADATA", "commit_success.txt"}
    assert {"manifest.json", "seal.json", "_METADATA", *late} < {path.name for path in files}
    return files


def _falls_back(tmp_path: Path, named: Path | None) -> None:
    """The damaged checkpoint is reported, with the file, and the one before it is taken."""
    what = "" if named is None else f".*{re.escape(named.name)}"
    with (
        Checkpoints(tmp_path) as checkpoints,
        pytest.warns(UserWarning, match=f"checkpoint_2 is damaged: {what}.*; trying an older one"),
    ):
        _equal(checkpoints.restore(_state(0)), _state(1))


def test_a_hundred_of_a_hundred_flipped_bits_are_found(tmp_path, saved):
    random = np.random.default_rng(0)
    order = [*saved, *random.choice(saved, 100 - len(saved))]  # every file at least once
    for path in order:
        good = path.read_bytes()
        bad = bytearray(good)
        bad[random.integers(len(bad))] ^= 1 << random.integers(8)
        path.write_bytes(bad)
        # A flipped manifest is itself what is wrong, but it may name the file whose hash it holds.
        _falls_back(tmp_path, None if path.name in ("manifest.json", "seal.json") else path)
        path.write_bytes(good)
    with Checkpoints(tmp_path) as checkpoints:
        _equal(checkpoints.restore(_state(0)), _state(2))


@pytest.mark.parametrize("part", [None, 0.0, 0.5, 0.99])
def test_every_file_that_is_lost_or_cut_short_is_found(tmp_path, saved, part):
    for path in saved:
        if part is None and path.name == "seal.json":
            continue  # as in a run that was killed before it could seal the step
        good = path.read_bytes()
        path.unlink()
        if part is not None:
            path.write_bytes(good[: int(part * len(good))])
        _falls_back(tmp_path, path)
        path.write_bytes(good)


def test_files_that_changed_places_are_found(tmp_path, saved):
    arrays = sorted(saved, key=lambda path: -path.stat().st_size)[:2]
    contents = [path.read_bytes() for path in arrays]
    assert contents[0] != contents[1]
    for path, content in zip(arrays, reversed(contents), strict=True):
        path.write_bytes(content)
    _falls_back(tmp_path, None)


def test_a_step_that_a_kill_left_without_its_seal_is_sealed(tmp_path, saved):
    (tmp_path / "checkpoint_2" / "seal.json").unlink()
    with Checkpoints(tmp_path) as checkpoints:
        _equal(checkpoints.restore(_state(0)), _state(2))
    note = tmp_path / "checkpoint_2" / "_CHECKPOINT_METADATA"
    note.write_bytes(note.read_bytes().replace(b"1", b"2", 1))
    _falls_back(tmp_path, note)


def test_the_hashes_are_sha_256(saved):
    path = next(path for path in saved if path.name == "manifest.json")
    written = json.loads(path.read_text())
    assert written["algorithm"] == "sha256"
    for name, found in written["files"].items():
        assert found == hashlib.sha256((path.parent / name).read_bytes()).hexdigest()


def test_processes_that_see_other_checkpoints_are_told_so(tmp_path, monkeypatch):
    """As with a folder that only the first of them has."""
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(3, _state(3), wait=True)
    monkeypatch.setattr("unified_io.checkpoint.runs.from_all_processes", lambda mine: [mine, []])
    with pytest.raises(
        CheckpointError, match=r"different checkpoints in .*: \[\[3\], \[\]\]; choose a folder"
    ):
        Checkpoints(tmp_path)


def test_after_a_fall_back_the_lost_step_can_be_saved_anew(tmp_path):
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, _state(1))
        checkpoints.save(2, _state(2), wait=True)
    next((tmp_path / "checkpoint_2" / "state").rglob("_METADATA")).write_text("{}")
    with Checkpoints(tmp_path) as checkpoints:
        with pytest.raises(CheckpointError, match="_METADATA changed"):
            checkpoints.restore(_state(0), step=2)
        with pytest.warns(UserWarning, match="_METADATA changed"):
            checkpoints.restore(_state(0))
        assert checkpoints.latest() == 1
        checkpoints.save(2, _state(2), wait=True)
        _equal(checkpoints.restore(_state(0)), _state(2))
    assert (tmp_path / "damaged_checkpoint_2").is_dir()


def test_a_step_put_in_the_place_of_another_is_found(tmp_path):
    with Checkpoints(tmp_path, keep=3) as checkpoints:
        for step in (1, 2):
            checkpoints.save(step, _state(step), wait=True)
    (tmp_path / "checkpoint_1").rename(tmp_path / "checkpoint_3")
    with Checkpoints(tmp_path, keep=3) as checkpoints, pytest.warns(UserWarning, match="it holds step 1"):
        _equal(checkpoints.restore(_state(0)), _state(2))


def test_nothing_sound_and_nowhere_to_write_are_errors(tmp_path):
    with (
        Checkpoints(tmp_path / "new") as checkpoints,
        pytest.raises(CheckpointError, match="no sound checkpoint"),
    ):
        checkpoints.restore(_state(0))
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="can not keep checkpoints in .*file/below"):
        Checkpoints(tmp_path / "file" / "below")
    with pytest.raises(CheckpointError, match="can not save parameters"):
        save_params(tmp_path / "file" / "below", {"a": jnp.ones(1)})


def test_an_older_step_is_not_dropped_silently(tmp_path):
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(5, _state(5), wait=True)
        checkpoints.save(5, _state(5), wait=True)
        with pytest.raises(CheckpointError, match="newer step 5"):
            checkpoints.save(4, _state(4))


_SAVER = """
import sys, jax.numpy as jnp
from unified_io.checkpoint import Checkpoints
checkpoints = Checkpoints(sys.argv[1])
for step in range(1, 100000):
    checkpoints.save(step, {"step": jnp.asarray(step), "w": [jnp.full((64, 64), step + i) for i in range(20)]})
    print(step, flush=True)
"""


def test_killed_while_saving_the_last_whole_step_can_be_loaded(tmp_path):
    target = {"step": jnp.asarray(0), "w": [jnp.zeros((64, 64), jnp.int32) for _ in range(20)]}
    process = subprocess.Popen(
        [sys.executable, "-c", _SAVER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    while int(process.stdout.readline()) < 4:
        pass
    time.sleep(0.003)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    with Checkpoints(tmp_path) as checkpoints:
        state = checkpoints.restore(target)
        step = int(state["step"])
        assert step == checkpoints.latest() and step >= 3
        assert all((leaf == step + i).all() for i, leaf in enumerate(state["w"]))
        checkpoints.save(step + 1, state, wait=True)


def test_parameters_alone_come_back_and_replace_the_old_ones(tmp_path, capsys):
    params = _state(1)["params"]
    save_params(tmp_path / "model", _state(7)["params"])
    save_params(tmp_path / "model", params)
    assert os.listdir(tmp_path) == ["model"]
    loaded, report = load_params(tmp_path / "model", target=pytree.abstract(params))
    _equal(loaded, params)
    assert report.loaded == ("dense/bias", "dense/kernel") and not report.initialised and not report.unused
    plain, _ = load_params(tmp_path / "model")
    jax.tree.map(np.testing.assert_array_equal, plain, params)
    assert isinstance(plain["dense"]["kernel"], np.ndarray)
    assert "loaded 2 parameters" in capsys.readouterr().out
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("mine")
    with pytest.raises(CheckpointError, match="does not hold saved parameters"):
        save_params(tmp_path / "notes", params)


def test_parameters_are_found_in_a_checkpoint_of_training(tmp_path):
    with Checkpoints(tmp_path) as checkpoints:
        for step in (9, 10):
            checkpoints.save(step, _state(step))
    for path in (tmp_path, tmp_path / "checkpoint_10", tmp_path / "checkpoint_10" / "state"):
        loaded, report = load_params(path, target=_state(0)["params"])
        _equal(loaded, _state(10)["params"])
        assert not report.unused
    (tmp_path / "checkpoint_10" / "state" / "manifest.json").unlink()
    with pytest.warns(UserWarning, match="can not be verified"):
        load_params(tmp_path)
    with pytest.raises(CheckpointError, match="holds no saved parameters"):
        load_params(tmp_path / "nothing")


def test_partial_restore_names_what_it_does_not_expect(tmp_path, capsys):
    save_params(tmp_path, {"old": {"kernel": jnp.ones(3)}, "both": {"kernel": jnp.full(2, 5.0)}})
    target = {"both": {"kernel": jnp.zeros(2, jnp.bfloat16)}, "new": {"kernel": jnp.full(4, 2.0)}}
    with pytest.raises(
        CheckpointError, match=r"missing in it \(1\): new/kernel.*not wanted \(1\): old/kernel"
    ):
        load_params(tmp_path, target)
    with pytest.raises(CheckpointError, match="missing in it"):
        load_params(tmp_path, target, expect_unused=("^old/",))
    with pytest.raises(CheckpointError, match="give initial values"):
        load_params(tmp_path, pytree.abstract(target), expect_missing=("^new/",), expect_unused=("^old/",))
    loaded, report = load_params(tmp_path, target, expect_missing=("^new/",), expect_unused=("^old/",))
    _equal(loaded, {"both": {"kernel": jnp.full(2, 5.0, jnp.bfloat16)}, "new": {"kernel": jnp.full(4, 2.0)}})
    assert (report.loaded, report.initialised, report.unused) == (
        ("both/kernel",),
        ("new/kernel",),
        ("old/kernel",),
    )
    assert "left at initialisation (1): new/kernel" in capsys.readouterr().out


def test_damaged_parameters_are_never_loaded(tmp_path):
    save_params(tmp_path, {"a": jnp.arange(100.0)})
    files = (p for p in tmp_path.rglob("*") if p.is_file() and p.name != "manifest.json")
    data = max(files, key=lambda p: p.stat().st_size)
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 4
    data.write_bytes(content)
    with pytest.raises(CheckpointError, match="changed since it was written"):
        load_params(tmp_path)


def test_hashes_cost_little(tmp_path):
    rng = np.random.default_rng(0)
    state = {str(i): jnp.asarray(rng.normal(size=(128, 512)), jnp.float32) for i in range(40)}
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, {**state, "step": jnp.ones(())}, wait=True)
    start = time.process_time()
    assert manifest.damage(tmp_path / "checkpoint_1" / "state") is None
    assert time.process_time() - start < 0.3
    assert len(json.loads((Path(tmp_path) / "checkpoint_1/state/manifest.json").read_text())["files"]) > 3
