"""Files that are cut off, empty, damaged or hostile are errors that name them; nothing is run or extracted."""

import gzip
import io
import json
import pickle
import tarfile

import numpy as np
import pytest

from data_tasks.sources.coco import CocoJson
from data_tasks.sources.lines import Lines
from data_tasks.sources.media import inside
from data_tasks.sources.parquet import Parquet
from data_tasks.sources.records import Records
from data_tasks.sources.stored import Context, Reading
from data_tasks.sources.tar import TarShards
from data_tasks.sources.vima import VimaFolders
from unified_io.errors import ConfigError, DataError

LINES = Lines("a")
KINDS = {
    "a.jsonl": LINES,
    "a.jsonl.gz": Lines("a", "{split}.jsonl.gz"),
    "a.csv": Lines("a", "{split}.csv"),
    "a.json": CocoJson("a", "{split}.json"),
    "a.tfrecord": Records("a", "{split}.tfrecord"),
    "a.array_record": Records("a", "{split}.array_record"),
    "a.parquet": Parquet("a", "{split}.parquet"),
    "a.tar": TarShards("a", "{split}.tar"),
}
SAMPLES = {
    "a.jsonl.gz": [{"text": "one" * 50}],
    "a.tfrecord": [{"text": "one" * 50}],
    "a.array_record": [{"text": "one" * 50}],
    "a.parquet": [{"text": "one" * 50}],
    "a.tar": [{"jpg": b"x" * 40_000}, {"jpg": b"y" * 40_000}],
    "a.json": [{"id": 1, "file_name": "1.jpg", "annotations": [{"bbox": [1, 2, 3, 4]}]}],
}


def read_all(stored, folder):
    return [stored.record(folder, "a", index) for index in range(stored.length(folder, "a"))]


@pytest.mark.parametrize("name", KINDS)
def test_a_missing_file_is_named(name, tmp_path):
    with pytest.raises(DataError, match=name.replace(".", r"\.")):
        KINDS[name].length(tmp_path, "a")
    assert KINDS[name].files(tmp_path, "a") == [str(tmp_path / name)]


@pytest.mark.parametrize("name", [name for name in KINDS if name not in ("a.jsonl", "a.tfrecord")])
def test_an_empty_file_is_an_error(name, tmp_path):
    (tmp_path / name).write_bytes(b"")
    if name == "a.jsonl.gz":  # as gzip says: nothing in it
        assert KINDS[name].length(tmp_path, "a") == 0
        return
    with pytest.raises(DataError, match=str(tmp_path / name)):
        read_all(KINDS[name], tmp_path)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_file_that_is_cut_off_is_an_error(name, tmp_path):
    KINDS[name].write(tmp_path, "a", SAMPLES[name])
    whole = (tmp_path / name).read_bytes()
    for share in (0.1, 0.4, 0.7):
        (tmp_path / name).write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(DataError, match=str(tmp_path)):
            read_all(KINDS[name], tmp_path)


@pytest.mark.parametrize("name", KINDS)
def test_noise_is_an_error(name, tmp_path):
    noise = np.random.default_rng(0).integers(128, 256, 5000, np.uint8).tobytes()
    (tmp_path / name).write_bytes(noise)
    with pytest.raises(DataError, match="a"):
        read_all(KINDS[name], tmp_path)


def test_a_tfrecord_with_a_damaged_length_is_not_followed(tmp_path):
    Records("a").write(tmp_path, "a", [{"n": 1}, {"n": 2}])
    path = tmp_path / "a-00000.tfrecord"
    whole = bytearray(path.read_bytes())
    whole[3] = 200
    path.write_bytes(whole)
    with pytest.raises(DataError, match="damaged at record 0"):
        Records("a").length(tmp_path, "a")


def test_a_record_that_is_no_msgpack_of_ours_is_named(tmp_path):
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(tmp_path / "a-0.tfrecord")) as writer:
        writer.write(pickle.dumps({"a": 1}))
        writer.write(b"\x93\x01\x02\x03")
    for index in range(2):
        with pytest.raises(DataError, match=f"record {index} of"):
            Records("a").record(tmp_path, "a", index)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"[1, 2]", "is list, wanted an object"),
        (b"{", "no JSON"),
        (b'"text"', "is str"),
        (b'{"a": "\xff"}', "no JSON in UTF-8"),
        (b"[" * 100_000, "no JSON"),
    ],
)
def test_a_bad_line_is_named_and_the_others_are_read(line, says, tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b'{"n": 1}\n\n' + line + b'\n{"n": 3}')
    assert LINES.length(tmp_path, "a") == 3
    assert [LINES.record(tmp_path, "a", index)["n"] for index in (0, 2)] == [1, 3]
    with pytest.raises(DataError, match=f"line 2 of .*{says}"):
        LINES.record(tmp_path, "a", 1)


def test_a_table_with_a_row_too_short_or_broken_quotes(tmp_path):
    table = Lines("a", "{split}.csv")
    (tmp_path / "a.csv").write_text('x,y\n1,2\n3\n"4\nstill 4",5\n')
    assert table.record(tmp_path, "a", 2) == {"x": "4\nstill 4", "y": "5"}
    with pytest.raises(DataError, match="row 2 of .* has 1 columns, its header 2"):
        table.record(tmp_path, "a", 1)
    (tmp_path / "b.csv").write_text('x,y\n"1,2\n')
    with pytest.raises(DataError, match="no table"):
        table.length(tmp_path, "b")
    (tmp_path / "c.csv").write_bytes(b"x,y\n\xff,2\n")
    with pytest.raises(DataError, match="no table in UTF-8"):
        table.length(tmp_path, "c")


def test_a_file_that_grows_is_read_anew(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    stored = KINDS["a.jsonl.gz"]
    for count in (1, 2):
        path.write_bytes(gzip.compress(b'{"n": 1}\n' * count))
        assert stored.length(tmp_path, "a") == count
        assert stored.record(tmp_path, "a", count - 1) == {"n": 1}


def archive(path, *members, form=tarfile.PAX_FORMAT):
    with tarfile.open(path, "w", format=form) as tar:
        for member, content in members:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def member(name, **about):
    info = tarfile.TarInfo(name)
    for key, value in about.items():
        setattr(info, key, value)
    return info


@pytest.mark.parametrize(
    "name",
    [
        "../a.jpg",
        "../../etc/passwd.txt",
        "a/../../b.jpg",
        "a/..",
        "/etc/passwd.txt",
        "/a.jpg",
        "//server/a.jpg",
        "..\\a.jpg",
        "a\\..\\..\\b.jpg",
        "C:\\a.jpg",
        "C:/a.jpg",
        "./../a.jpg",
    ],
)
def test_names_that_lead_out_of_an_archive_are_refused(name, tmp_path):
    archive(tmp_path / "a.tar", (member("0.txt"), b"fine"), (member(name), b"bad"))
    with pytest.raises(DataError, match="leads out"):
        KINDS["a.tar"].length(tmp_path, "a")


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE],
    ids=["symbolic link", "hard link", "character device", "block device", "pipe"],
)
def test_links_and_devices_of_an_archive_are_refused(kind, tmp_path):
    archive(tmp_path / "a.tar", (member("a.jpg", type=kind, linkname="/etc/passwd"), b""))
    with pytest.raises(DataError, match="a link, a device"):
        KINDS["a.tar"].length(tmp_path, "a")


def test_folders_and_hidden_files_of_an_archive_are_no_records(tmp_path):
    archive(
        tmp_path / "a.tar",
        (member("x", type=tarfile.DIRTYPE), b""),
        (member("x/.hidden"), b"?"),
        (member("x/1.seg.png"), b"1"),
        (member("./x/1.TXT"), b"one"),
    )
    assert read_all(KINDS["a.tar"], tmp_path) == [{"key": "x/1", "seg.png": b"1", "txt": "one"}]


def test_a_compressed_archive_is_an_error(tmp_path):
    (tmp_path / "a.tar").write_bytes(gzip.compress(b"\0" * 10240))
    with pytest.raises(DataError, match="not compressed"):
        KINDS["a.tar"].length(tmp_path, "a")


@pytest.mark.parametrize(
    ("name", "content"), [("a.json", b"{"), ("a.txt", b"\xff"), ("a.cls", b"seven"), ("a.json", b"\xff{}")]
)
def test_a_member_that_can_not_be_read_is_named(name, content, tmp_path):
    archive(tmp_path / "a.tar", (member(name), content), (member("b.txt"), b"fine"))
    with pytest.raises(DataError, match=f"{name} of"):
        KINDS["a.tar"].record(tmp_path, "a", 0)
    assert KINDS["a.tar"].record(tmp_path, "a", 1)["txt"] == "fine"


@pytest.mark.parametrize(
    ("whole", "says"),
    [
        ("[]", "is list"),
        ('{"images": 3}', "no list of objects"),
        ('{"images": [1]}', "no list of objects"),
        ('{"images": [{"id": null}]}', "with id 'None'"),
        ('{"images": [{}], "annotations": []}', "with id"),
        ('{"images": [{"id": 1}], "annotations": [{"image_id": [1]}]}', "with image_id"),
        (
            '{"images": [{"id": 1}], "categories": [{"id": 1, "name": "a"}], '
            '"annotations": [{"image_id": 1, "category_id": 5}]}',
            "annotation 0 of .* of category 5",
        ),
    ],
)
def test_a_coco_file_of_another_form_is_an_error(whole, says, tmp_path):
    (tmp_path / "a.json").write_text(whole)
    with pytest.raises(DataError, match=says):
        KINDS["a.json"].length(tmp_path, "a")


def test_a_pickle_of_vima_is_never_opened(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (print, ("ran",))

    place = tmp_path / "train" / "0"
    (place / "rgb_front").mkdir(parents=True)
    (place / "action.pkl").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(DataError, match="is a pickle.*numpy.savez"):
        VimaFolders("a").record(tmp_path, "train", 0)
    np.savez(place / "action.npz", pose=np.array([Bomb()], object))
    with pytest.raises(DataError, match="action of .* can not be read"):
        VimaFolders("a").record(tmp_path, "train", 0)
    (place / "action.json").write_text("{")
    with pytest.raises(DataError, match="action of .* can not be read"):
        VimaFolders("a").record(tmp_path, "train", 0)
    (place / "action.json").write_text(json.dumps([1]))
    assert VimaFolders("a").record(tmp_path, "train", 0)["action"] == [1]
    with pytest.raises(DataError, match="no folder"):
        VimaFolders("a").length(tmp_path, "test")


@pytest.mark.parametrize("name", ["../b.jpg", "/etc/passwd", "x/../../b", "", "a\0b", "link/secret"])
def test_a_file_outside_of_the_dataset_is_not_opened(name, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "link").symlink_to(tmp_path)
    with pytest.raises(DataError, match="outside|can not be named"):
        inside(tmp_path / "a", "", name)
    assert inside(tmp_path / "a", "", "x/b.jpg") == (tmp_path / "a/x/b.jpg").resolve()


def test_without_pyarrow_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(ConfigError, match=r"unified-io\[data\]"):
        KINDS["a.parquet"].length(tmp_path, "a")


def test_a_context_draws_alike_for_a_record_and_otherwise_for_another(tmp_path):
    one, other = (Context(tmp_path, Reading(), "a", True, (0, record)) for record in (1, 2))
    assert one.draw("frames").random() == one.draw("frames").random() != one.draw("sound").random()
    assert one.draw("frames").random() != other.draw("frames").random()
