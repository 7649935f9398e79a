"""What is written as a kind of dataset is read back, whatever it holds, in order, by number and from any shard."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
import seqio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_tasks.sources.coco import CocoJson
from data_tasks.sources.lines import Lines
from data_tasks.sources.made import Made
from data_tasks.sources.parquet import Parquet
from data_tasks.sources.records import Records
from data_tasks.sources.stored import Mapped, Reading
from data_tasks.sources.tar import TarShards
from data_tasks.sources.video import VideoList
from data_tasks.sources.vima import VimaFolders
from unified_io.errors import ConfigError, DataError

# JSON has no lone surrogates, CSV no zero bytes and no lone carriage returns.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=20)
NUMBER = st.integers(-(2**31), 2**31) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
ARRAY = st.sampled_from(["float32", "int64", "uint8", "bool"]).flatmap(
    lambda dtype: st.lists(st.integers(0, 1), max_size=8).map(lambda values: np.array(values, dtype))
)
OURS = st.dictionaries(TEXT, JSON | st.binary(max_size=20) | ARRAY, max_size=4)
TABLE = st.fixed_dictionaries({"question": TEXT, "answer": TEXT})
ARROW = st.fixed_dictionaries(
    {
        "text": TEXT,
        "image": st.fixed_dictionaries({"bytes": st.binary(max_size=20), "path": TEXT}),
        "boxes": st.lists(st.lists(st.floats(0, 1), min_size=4, max_size=4), max_size=3),
    }
)
MEMBERS = st.fixed_dictionaries(
    {"jpg": st.binary(max_size=600), "txt": TEXT, "json": st.dictionaries(TEXT, JSON, max_size=2)},
    optional={"cls": st.integers(0, 9), "seg.png": st.binary(max_size=9)},
)
ROUNDS = [
    pytest.param(Lines("a"), st.dictionaries(TEXT, JSON, max_size=4), id="jsonl"),
    pytest.param(Lines("a", "{split}.jsonl.gz"), st.dictionaries(TEXT, JSON, max_size=4), id="jsonl.gz"),
    pytest.param(Lines("a", "x/{split}.csv"), TABLE, id="csv"),
    pytest.param(Lines("a", "{split}-*.tsv.gz"), TABLE, id="tsv.gz"),
    pytest.param(Records("a"), OURS, id="tfrecord"),
    pytest.param(Records("a", "{split}.array_record"), OURS, id="array_record"),
    pytest.param(Parquet("a"), ARROW, id="parquet"),
    pytest.param(TarShards("a"), MEMBERS, id="tar"),
]


def same(one, other):
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and one.dtype == other.dtype and np.array_equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


@pytest.mark.parametrize(("stored", "record"), ROUNDS)
def test_what_is_written_is_read(stored, record):
    @settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(record, min_size=1, max_size=4))
    def check(records):
        with tempfile.TemporaryDirectory() as folder:
            stored.write(Path(folder), "train", records)
            assert stored.length(Path(folder), "train") == len(records)
            for index, wanted in enumerate(records):
                read = stored.record(Path(folder), "train", index)
                read.pop("key", None)  # a tar names its records
                assert same(wanted, read), (wanted, read)
            for beyond in (-1, len(records)):
                with pytest.raises(DataError):
                    stored.record(Path(folder), "train", beyond)

    check()


def coco_records():
    box = {"bbox": [1.0, 2.0, 3.0, 4.0], "category": "bowl", "iscrowd": 0}
    return [
        {
            "id": 9,
            "file_name": "9.jpg",
            "height": 4,
            "width": 6,
            "objects": [box],
            "captions": [{"caption": "a"}],
        },
        {
            "id": 7,
            "file_name": "7.jpg",
            "height": 5,
            "width": 5,
            "objects": [],
            "captions": [{"caption": "b"}],
        },
        {
            "id": 8,
            "file_name": "8.jpg",
            "height": 5,
            "width": 5,
            "objects": [dict(box, category="cup"), box],
            "captions": [],
        },
    ]


def test_coco_files_are_joined_by_the_picture(tmp_path):
    stored = CocoJson(
        "a", {"objects": "i_{split}.json", "captions": "c_{split}.json"}, "{split}2017/{file_name}"
    )
    stored.write(tmp_path, "val", coco_records())
    assert stored.length(tmp_path, "val") == 3
    for index, wanted in enumerate(coco_records()):
        read = stored.record(tmp_path, "val", index)
        assert read["file"] == f"val2017/{wanted['file_name']}"
        assert (read["id"], read["height"]) == (wanted["id"], wanted["height"])
        assert [one["category"] for one in read["objects"]] == [one["category"] for one in wanted["objects"]]
        assert [one["bbox"] for one in read["objects"]] == [one["bbox"] for one in wanted["objects"]]
        assert [one["caption"] for one in read["captions"]] == [one["caption"] for one in wanted["captions"]]


def test_questions_without_a_list_of_pictures_make_one(tmp_path):
    (tmp_path / "q.json").write_text('{"questions": [{"image_id": 3, "question": "?", "question_id": 1}]}')
    (tmp_path / "a.json").write_text('{"annotations": [{"image_id": 3, "answers": [1], "question_id": 1}]}')
    stored = CocoJson("a", {"questions": "q.json", "answers": "a.json"}, "{split}/COCO_{id:012d}.jpg")
    record = stored.record(tmp_path, "train", 0)
    assert record["file"] == "train/COCO_000000000003.jpg"
    assert record["questions"][0]["question"] == "?" and record["answers"][0]["answers"] == [1]


def test_vima_folders_are_read_in_the_order_of_their_numbers(tmp_path):
    records = [
        {
            "id": str(number),
            "rgb_front": [b"0", b"1"] + [b"x"] * 9,
            "rgb_top": [b"2"],
            "action": {"pose": np.eye(2)},
            "trajectory": {"goal": f"goal {number}"},
        }
        for number in (2, 10, 9)
    ]
    stored = VimaFolders("a")
    stored.write(tmp_path, "train", records)
    assert stored.length(tmp_path, "train") == 3
    read = [stored.record(tmp_path, "train", index) for index in range(3)]
    assert [one["id"] for one in read] == ["2", "9", "10"]
    assert read[2]["rgb_front"] == [f"train/10/rgb_front/{step}.jpg" for step in range(11)]
    np.testing.assert_array_equal(read[0]["action"]["pose"], np.eye(2))
    assert read[0]["trajectory"] == {"goal": "goal 2"} and "obs" not in read[0]


def test_video_lists_have_seconds_in_numbers(tmp_path):
    (tmp_path / "train.csv").write_text("path,start,end,label\na.mp4,1.5,,jump\nb.mp4,,2,run\n")
    stored = VideoList("a")
    assert stored.record(tmp_path, "train", 0) == {
        "path": "a.mp4",
        "start": 1.5,
        "end": None,
        "label": "jump",
    }
    assert stored.record(tmp_path, "train", 1) == {"path": "b.mp4", "start": None, "end": 2.0, "label": "run"}
    (tmp_path / "test.csv").write_text("path,start,end\na.mp4,soon,3\n,1,2\n")
    with pytest.raises(DataError, match="row 1 of .*start is 'soon'"):
        stored.record(tmp_path, "test", 0)
    with pytest.raises(DataError, match="row 2 of .* names no file"):
        stored.record(tmp_path, "test", 1)


def test_records_begin_another_file_when_one_is_full(tmp_path, monkeypatch):
    monkeypatch.setattr("data_tasks.sources.records._SHARD", 100)
    stored = Records("a")
    stored.write(tmp_path, "train", ({"n": number, "b": b"x" * 60} for number in range(10)))
    names = [Path(name).name for name in stored.files(tmp_path, "train")]
    assert names == [f"train-0000{number}.tfrecord" for number in range(5)]
    assert [stored.record(tmp_path, "train", index)["n"] for index in range(10)] == list(range(10))


def made(split, index):
    return {"text": f"{split} {index}"}


MADE = Made("made", made, {"train": 50, "validation": 7})


def test_made_records(tmp_path):
    assert MADE.record(tmp_path, "train", 3) == {"text": "train 3"}
    with pytest.raises(ConfigError, match="validation"):
        MADE.length(tmp_path, "valid")
    with pytest.raises(ConfigError, match="write its records as Records"):
        MADE.write(tmp_path, "train", [])


def texts(source, split="train", **asked):
    return [row["id"].decode() for row in source.get_dataset(split, **asked).as_numpy_iterator()]


def blocks(folder, count=50):
    """A dataset that is read by the block, of blocks of 100, in three files."""
    records = [{"text": f"train {index}"} for index in range(count)]
    parquet = Parquet("made", "{split}-*.parquet")
    for number, part in enumerate((records[:20], records[20:21], records[21:])):
        Parquet("made", f"{{split}}-{number}.parquet").write(folder / "made", "train", part)
    return parquet


@pytest.mark.parametrize("stored", [MADE, None], ids=["by number", "by block"])
@pytest.mark.parametrize("splits", ["train", "train:10-", "train:-33", "train:5-6", "train:7", "train:60-"])
def test_shards_share_nothing_and_leave_nothing_out(stored, splits, tmp_path):
    stored = stored or blocks(tmp_path)
    source = Mapped(stored, {"text": "text"}, {"train": splits}, reading=Reading(str(tmp_path)))
    plain = texts(source, shuffle=False)
    assert len(plain) == source.num_input_examples("train")
    for shards, shuffle in ((3, True), (7, False)):
        parts = [
            texts(source, shuffle=shuffle, seed=3, shard_info=seqio.ShardInfo(shard, shards))
            for shard in range(shards)
        ]
        assert sorted(sum(parts, [])) == sorted(plain)
    wanted = {"train": 50, "train:10-": 40, "train:-33": 33, "train:5-6": 1, "train:7": 1, "train:60-": 0}
    assert len(plain) == wanted[splits]


@pytest.mark.parametrize("stored", [MADE, None], ids=["by number", "by block"])
def test_one_seed_is_one_order(stored, tmp_path):
    stored = stored or blocks(tmp_path)
    source = Mapped(stored, {"text": "text"}, {"train": "train"}, reading=Reading(str(tmp_path)))
    first, other = texts(source, seed=1), texts(source, seed=2)
    assert first == texts(source, seed=1) != other
    assert first != texts(source, shuffle=False)
    assert texts(source, shuffle=False) == [f"made train {index}" for index in range(50)]


def test_a_shuffled_million_is_at_hand_at_once():
    stored = Made("made", made, {"train": 10**12})
    source = Mapped(stored, {"text": "text"}, {"train": "train"})
    rows = source.get_dataset("train", seed=0).take(3)
    first = [int(row["id"].decode().split()[-1]) for row in rows.as_numpy_iterator()]
    assert len(set(first)) == 3 and max(first) > 10**9


@pytest.mark.parametrize("name", ["train:a", "train:-", "train:1-b", "train:1--2"])
def test_a_part_of_a_split_that_can_not_be_read_is_named(name):
    source = Mapped(MADE, {"text": "text"}, {"train": name})
    with pytest.raises(ConfigError, match="train:100-200"):
        source.get_dataset("train")
