"""Reading weights, whole and damaged."""

import json
import os
import pickle
import shutil
import sys
import tracemalloc
import types
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from unified_io.convert import pickles, stores, writers
from unified_io.errors import CheckpointError

TENSORS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b.c": np.ones(4, np.float32)}
SHAPES = {name: (array.shape, array.dtype) for name, array in TENSORS.items()}


@pytest.mark.parametrize("shard_bytes", [8, 1 << 20])
def test_safetensors_there_and_back(tmp_path, shard_bytes):
    writers.write_safetensors(tmp_path / "m", SHAPES, TENSORS.get, {"config.json": b"{}"}, shard_bytes)
    store = stores.open_store(tmp_path / "m")
    assert store.shapes() == {name: array.shape for name, array in TENSORS.items()}
    for name, array in TENSORS.items():
        np.testing.assert_array_equal(store.read(name), array)
    assert (tmp_path / "m" / stores.INDEX).is_file() == (shard_bytes == 8)


def test_t5x_there_and_back(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    writers.write_t5x("here/../checkpoint_7", SHAPES, TENSORS.get, step=7)
    store = stores.open_store("here/../checkpoint_7")
    assert store.shapes() == {name: array.shape for name, array in TENSORS.items()}
    for name, array in TENSORS.items():
        np.testing.assert_array_equal(store.read(name), array)
    from flax import serialization

    content = serialization.msgpack_restore((tmp_path / "checkpoint_7" / "checkpoint").read_bytes())
    assert content["version"] == 3 and content["optimizer"]["state"]["step"] == 7
    assert content["optimizer"]["target"]["b"]["c"]["metadata"]["shape"] == [4]


def test_large_arrays_lie_in_chunks():
    assert writers._chunks((33280, 3072), np.dtype(np.float32)) == [4160, 3072]
    assert writers._chunks((16,), np.dtype(np.float32)) == [16]


def test_a_truncated_file_is_named(tmp_path):
    save_file(TENSORS, tmp_path / "model.safetensors")
    os.truncate(tmp_path / "model.safetensors", 100)
    with pytest.raises(CheckpointError, match=r"model\.safetensors.*is the download complete"):
        stores.open_store(tmp_path)


def test_a_shard_that_is_missing_or_short_is_named(tmp_path):
    writers.write_safetensors(tmp_path / "m", SHAPES, TENSORS.get, {}, 8)
    save_file({"other": np.zeros(1)}, tmp_path / "m" / "model-00002-of-00002.safetensors")
    with pytest.raises(CheckpointError, match=r"model-00002-of-00002\.safetensors lacks b\.c"):
        stores.open_store(tmp_path / "m")
    (tmp_path / "m" / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(CheckpointError, match="model-00002-of-00002"):
        stores.open_store(tmp_path / "m")


def test_an_index_stays_in_its_folder(tmp_path):
    (tmp_path / stores.INDEX).write_text(json.dumps({"weight_map": {"a": "../secret.safetensors"}}))
    with pytest.raises(CheckpointError, match="only files beside it"):
        stores.open_store(tmp_path)
    (tmp_path / stores.INDEX).write_text("[]")
    with pytest.raises(CheckpointError, match="no index"):
        stores.open_store(tmp_path)


@pytest.mark.parametrize(
    "content, words",
    [
        (b"{}" + b" " * stores.MAX_LIST_BYTES, "the most is"),
        (b"[" * 100_000, "no JSON"),
        (b'{"weight_map": {"a": 1' + b"0" * 5_000 + b"}}", "no JSON"),
        (b"\xff\xfe\x00", "no JSON"),
        (b'{"weight_map": {"a": 7}}', "no index"),
        (b'{"weight_map": {"a": ["model.safetensors"]}}', "no index"),
        (b'{"weight_map": "model.safetensors"}', "no index"),
        (b'{"weight_map": {"a": "/etc/x.safetensors"}}', "only files beside it"),
        (b'{"weight_map": {"a": ".."}}', "can not be read"),
    ],
    ids=["large", "deep", "long number", "no text", "number", "list", "string", "absolute", "folder"],
)
def test_a_hostile_index_is_refused(tmp_path, content, words):
    (tmp_path / stores.INDEX).write_bytes(content)
    with pytest.raises(CheckpointError, match=words):
        stores.open_store(tmp_path)


def test_files_that_nobody_joins_are_refused(tmp_path):
    for name in ("one", "two"):
        save_file({name: np.zeros(1)}, tmp_path / f"{name}.safetensors")
    with pytest.raises(CheckpointError, match="2 safetensors files and no"):
        stores.open_store(tmp_path)


def test_a_folder_without_weights_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=f"no weights in {tmp_path}"):
        stores.open_store(tmp_path)
    with pytest.raises(CheckpointError, match="no weights at"):
        stores.open_store(tmp_path / "nothing.safetensors")


def test_a_missing_chunk_is_damage_and_not_zeros(tmp_path):
    writers.write_t5x(tmp_path / "c", SHAPES, TENSORS.get)
    (tmp_path / "c" / "target.a" / "0.0").unlink()
    with pytest.raises(CheckpointError, match=r"target\.a can not be read"):
        stores.open_store(tmp_path / "c").read("a")


def test_a_chunk_larger_than_its_array_is_damage(tmp_path):
    writers.write_t5x(tmp_path / "c", SHAPES, TENSORS.get)
    about = tmp_path / "c" / "target.a" / ".zarray"
    about.write_text(about.read_text().replace('"chunks":[2,3]', '"chunks":[2,1000000000000]'))
    assert "1000000000000" in about.read_text()
    with pytest.raises(CheckpointError, match=r"target\.a has chunks of .* larger than its array"):
        stores.open_store(tmp_path / "c").shapes()


def test_optimizer_state_is_left_out(tmp_path):
    writers.write_t5x(tmp_path / "c", SHAPES, TENSORS.get)
    shutil.copytree(tmp_path / "c" / "target.a", tmp_path / "c" / "state.param_states.a.v")
    assert sorted(stores.open_store(tmp_path / "c").shapes()) == ["a", "b.c"]


def test_writing_keeps_what_is_no_model(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(CheckpointError, match=r"thesis\.txt, which is no part of a saved model"):
        writers.write_safetensors(tmp_path, SHAPES, TENSORS.get, {})
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_save_that_fails_leaves_the_old_one(tmp_path):
    writers.write_safetensors(tmp_path / "m", SHAPES, TENSORS.get, {})

    def broken(name):
        raise OSError("disk full")

    with pytest.raises(CheckpointError, match="disk full"):
        writers.write_safetensors(tmp_path / "m", SHAPES, broken, {})
    assert load_file(tmp_path / "m" / "model.safetensors").keys() == TENSORS.keys()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m"]


class _Storage(tuple):
    """Stands in for a tensor's storage when a file like PyTorch's is written."""


def _torch_file(path, tensors, protocol=2):
    """Writes what `torch.save` writes, with stand-ins for the names that PyTorch would have."""
    torch = types.ModuleType("torch")
    torch.FloatStorage = type("FloatStorage", (), {"__module__": "torch"})
    utils = types.ModuleType("torch._utils")

    def _rebuild_tensor_v2(*args):
        return args

    _rebuild_tensor_v2.__module__ = "torch._utils"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"

    class Tensor:
        def __init__(self, key, array):
            self.key, self.array = key, array

        def __reduce__(self):
            stride = tuple(step // self.array.itemsize for step in self.array.strides)
            storage = _Storage((self.key, self.array.size))
            return _rebuild_tensor_v2, (storage, 0, self.array.shape, stride, False, OrderedDict())

    class Pickler(pickle.Pickler):
        def persistent_id(self, obj):
            if isinstance(obj, _Storage):
                return ("storage", torch.FloatStorage, obj[0], "cpu", obj[1])
            return None

    with pytest.MonkeyPatch.context() as patch, zipfile.ZipFile(path, "w") as archive:
        patch.setitem(sys.modules, "torch", torch)
        patch.setitem(sys.modules, "torch._utils", utils)
        with archive.open("archive/data.pkl", "w") as file:
            tree = OrderedDict(
                (name, Tensor(str(i), array)) for i, (name, array) in enumerate(tensors.items())
            )
            Pickler(file, protocol).dump({"generator": tree, "steps": 3})
        for i, array in enumerate(tensors.values()):
            archive.writestr(f"archive/data/{i}", array.tobytes())


def test_a_pickle_is_read_only_when_told_and_without_pytorch(tmp_path, monkeypatch):
    path = tmp_path / "pytorch_model.bin"
    _torch_file(path, TENSORS)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(CheckpointError, match="allow_pickle=True"):
        stores.open_store(tmp_path)
    store = stores.open_store(tmp_path, allow_pickle=True)
    assert store.shapes() == {f"generator.{name}": array.shape for name, array in TENSORS.items()}
    for name, array in TENSORS.items():
        np.testing.assert_array_equal(store.read(f"generator.{name}"), array)


def test_sharded_pickles_are_joined_by_their_index(tmp_path):
    files = {name: f"pytorch_model-{i}.bin" for i, name in enumerate(TENSORS)}
    for name, file in files.items():
        _torch_file(tmp_path / file, {name: TENSORS[name]})
    (tmp_path / stores.PICKLE_INDEX).write_text(json.dumps({"weight_map": files}))
    store = stores.open_store(tmp_path, allow_pickle=True)
    assert sorted(store.shapes()) == ["generator.a", "generator.b.c"]


def test_a_pickle_that_wants_more_than_tensors_is_refused(tmp_path):
    class Harm:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'harmed'}",)

    with zipfile.ZipFile(tmp_path / "x.pt", "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"a": Harm()}))
    with pytest.raises(CheckpointError, match="it may be harmful"):
        pickles.open_tensors(tmp_path / "x.pt")
    assert not (tmp_path / "harmed").exists()


def _pickled(path, program, compression=zipfile.ZIP_STORED):
    """A file like PyTorch's whose program is `program`, with sixteen numbers in storage 0."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", program)
        archive.writestr("archive/data/0", np.arange(16, dtype=np.float32).tobytes())
    return path


def _tensor(offset=0, shape=(2,), stride=(1,), then=b""):
    """The program of one tensor, by hand: what a pickler would write, and what none would."""
    numbers = b"".join(b"(" + b"".join(b"I%d\n" % n for n in many) + b"t" for many in (shape, stride))
    storage = b"(S'storage'\nctorch\nFloatStorage\nS'0'\nS'cpu'\nI16\ntQ"
    built = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"I%d\n" % offset + numbers + b"I00\nNtR"
    return b"(dS'a'\n" + built + then + b"s."


def test_a_program_written_by_hand_builds_a_tensor(tmp_path):
    (tensor,) = pickles.open_tensors(_pickled(tmp_path / "x.pt", _tensor(3, (2, 2), (4, 1)))).values()
    np.testing.assert_array_equal(tensor.read(), [[3, 4], [7, 8]])


@pytest.mark.parametrize(
    "asked, words",
    [
        ({"shape": (3, 9), "stride": (9, 1)}, "reaches to"),
        ({"offset": -1}, "reaches to"),
        ({"offset": 15}, "reaches to"),
        ({"stride": (-1,)}, "reaches to"),
        ({"shape": (-2,)}, "reaches to"),
        ({"shape": (10**12,), "stride": (0,)}, "repeats them"),
    ],
)
def test_a_tensor_can_not_be_more_than_its_storage(tmp_path, asked, words):
    (tensor,) = pickles.open_tensors(_pickled(tmp_path / "x.pt", _tensor(**asked))).values()
    with pytest.raises(CheckpointError, match=words):
        tensor.read()


# Each with the words of its refusal; the last but one nests a dict a hundredfold, ten times over.
_HARM = {
    "other names": (b"cos\nsystem\n(S'true'\ntR.", "may be harmful"),
    "names by the stack": (b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93.", "may be harmful"),
    "old classes": (b"(S'true'\nios\nsystem\n.", "may be harmful"),
    "extensions": (b"\x82\x01.", "unregistered extension"),
    "attributes of a tensor": (_tensor(then=b"(dS'path'\nS'/elsewhere'\nsb"), "can not be read"),
    "slots of a tensor": (_tensor(then=b"N(dS'path'\nS'/elsewhere'\nst\x85b"), "can not be read"),
    "a type for a tensor": (b"(dS'a'\nctorch\nFloatStorage\n(S'O'\ntRs.", "can not be read"),
    "other storages": (b"(S'storage'\nS'object'\nS'0'\ntQ.", "no storage"),
    "a storage elsewhere": (b"(S'storage'\nctorch\nFloatStorage\nS'../../x'\ntQ.", "no storage"),
    "a shape of words": (_tensor().replace(b"I2\n", b"S'x'\n"), "something that is none"),
    "half a program": (_tensor()[:-9], "can not be read"),
    "more than there is": (b"\x8d" + (2**60).to_bytes(8, "little") + b"x.", "can not be read"),
    "entries without end": (
        b"(d"
        + b"".join(
            b"p%d\n0(d" % k + b"".join(b"S'%d'\ng%d\ns" % (n, k) for n in range(100)) for k in range(10)
        )
        + b".",
        "entries",
    ),
    "a dict in itself": (b"(dp0\n" + b"".join(b"S'%d'\ng0\ns" % n for n in range(9)) + b".", "entries"),
}


@pytest.mark.parametrize("name", _HARM)
def test_a_harmful_program_is_refused(tmp_path, name):
    program, words = _HARM[name]
    with pytest.raises(CheckpointError, match=words):
        pickles.open_tensors(_pickled(tmp_path / "x.pt", program))


def test_no_memory_is_taken_for_what_a_program_only_claims(tmp_path):
    claim = b"N" + b"r" + (2**31 - 1).to_bytes(4, "little") + b"0" + _tensor()
    tracemalloc.start()
    try:
        assert list(pickles.open_tensors(_pickled(tmp_path / "x.pt", claim))) == ["a"]
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()


def test_a_member_that_unpacks_to_more_than_the_file_is_refused(tmp_path):
    bomb = b"(d" + b"S'a'\nI1\ns" * 100_000 + b"."
    with pytest.raises(CheckpointError, match="not what torch"):
        pickles.open_tensors(_pickled(tmp_path / "x.pt", bomb, zipfile.ZIP_DEFLATED))


@pytest.mark.parametrize("content", [b"", b"no zip at all", b"PK\x03\x04 broken"])
def test_what_torch_never_wrote_is_refused(tmp_path, content):
    (tmp_path / "x.pt").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"x\.pt"):
        pickles.open_tensors(tmp_path / "x.pt")
