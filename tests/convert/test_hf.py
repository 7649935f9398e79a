"""Folders of Hugging Face models: renamed, turned, checked; what is left over is named."""

import json

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

from unified_io.convert import hf, writers
from unified_io.convert.rules import TRANSPOSED, Rule, Table
from unified_io.errors import CheckpointError

TABLE = Table(
    "a family",
    (
        Rule("layers.{i}.fc.weight", "layers_{i}/fc/kernel", TRANSPOSED),
        Rule("layers.{i}.fc.bias", "layers_{i}/fc/bias"),
    ),
)
THEIRS = {
    "tower.layers.0.fc.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "tower.layers.0.fc.bias": np.arange(2).astype(ml_dtypes.bfloat16),
    "head.weight": np.ones(2, np.float32),
}


def save(folder, tensors, shard_bytes=1 << 20):
    shapes = {name: (array.shape, array.dtype) for name, array in tensors.items()}
    writers.write_safetensors(folder, shapes, tensors.get, {"config.json": b'{"a": 1}'}, shard_bytes)
    return folder


@pytest.mark.parametrize("shard_bytes", [8, 1 << 20])
def test_weights_have_our_names_and_layouts(tmp_path, shard_bytes):
    folder = save(tmp_path / "m", THEIRS, shard_bytes)
    named = hf.read(folder, TABLE, prefix="tower.")
    assert named.keys() == {"layers_0/fc/kernel", "layers_0/fc/bias"}
    np.testing.assert_array_equal(named["layers_0/fc/kernel"], THEIRS["tower.layers.0.fc.weight"].T)
    np.testing.assert_array_equal(named["layers_0/fc/bias"], [0, 1])
    assert {array.dtype for array in named.values()} == {np.dtype(np.float32)}
    assert hf.settings(folder) == {"a": 1}


def test_whole_numbers_stay_whole(tmp_path):
    save(tmp_path / "m", {"layers.3.fc.bias": np.array([1, 2])})
    assert hf.read(tmp_path / "m", TABLE)["layers_3/fc/bias"].dtype == np.int64


def test_what_no_rule_takes_is_named_unless_it_is_expected(tmp_path):
    folder = save(tmp_path / "m", THEIRS | {"tower.layers.0.fc.scale": np.ones(2, np.float32)})
    with pytest.raises(CheckpointError, match=r"no a family.*layers\.0\.fc\.scale"):
        hf.read(folder, TABLE, prefix="tower.")
    assert len(hf.read(folder, TABLE, prefix="tower.", ignore=[r"\.scale$"])) == 2


def test_a_name_that_comes_twice_is_named(tmp_path):
    twice = Table("twice", (Rule("{a}.weight", "kernel"),))
    save(tmp_path / "m", {"x.weight": np.ones(1), "y.weight": np.ones(1)})
    with pytest.raises(CheckpointError, match=r"kernel twice: as x\.weight and y\.weight"):
        hf.read(tmp_path / "m", twice)


def test_a_folder_without_weights_or_settings_says_so(tmp_path):
    with pytest.raises(CheckpointError, match="no weights"):
        hf.read(tmp_path, TABLE)
    with pytest.raises(CheckpointError, match=r"no config\.json"):
        hf.settings(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps([1]))
    with pytest.raises(CheckpointError, match="a list"):
        hf.settings(tmp_path)
    save_file(THEIRS, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"starts with 'vision\.'; it has head, tower"):
        hf.read(tmp_path, TABLE, prefix="vision.")


def test_what_a_model_lacks_is_named(tmp_path):
    named = hf.read(save(tmp_path / "m", THEIRS), TABLE, prefix="tower.")
    hf.check(tmp_path, named, named)
    with pytest.raises(CheckpointError, match=r"missing in it \(1\): layers_1/fc/bias"):
        hf.check(tmp_path, named, named | {"layers_1/fc/bias": np.ones(2)})
    with pytest.raises(CheckpointError, match=r"kernel is \(3, 2\), wanted \(2, 3\)"):
        hf.check(tmp_path, named, named | {"layers_0/fc/kernel": np.ones((2, 3))})
