"""tfds builders without their data, with data of our own in their form, and episodes in RLDS folders."""

import io

import numpy as np
import pytest
import seqio
import tensorflow_datasets as tfds
from PIL import Image

from data_tasks.sources import mapping
from data_tasks.sources.nested import as_records
from data_tasks.sources.order import Span
from data_tasks.sources.rlds import EpisodeFolder
from data_tasks.sources.stored import Mapped, Reading, find
from data_tasks.sources.tfds import Tfds
from unified_io.errors import DataError

NOWHERE = Reading("/nowhere")


def read(source, split="train"):
    context = source.context(split)
    rows = source.stored.rows(context)
    return [source.stored.at(context, row) for row in rows.as_numpy_iterator()]


@pytest.mark.parametrize(
    ("builder", "fields"),
    [
        ("imagenet2012", {"image": mapping.Picture("image"), "text": "file_name"}),
        ("ljspeech", {"text": "text", "id": "id"}),
        ("lvis", {"image": mapping.Picture("image"), "id": "image/id"}),
    ],
)
def test_builders_are_read_without_their_data(builder, fields):
    with tfds.testing.mock_data(num_examples=3):
        source = Mapped(
            Tfds("a", builder), fields, {"train": "train", "validation": "train:1-"}, reading=NOWHERE
        )
        assert source.num_input_examples("train") is None
        rows = list(source.get_dataset("train", seed=1).as_numpy_iterator())
        assert len(rows) == 3
        assert len(list(source.get_dataset("validation", shuffle=False).as_numpy_iterator())) == 2


def test_lists_of_dictionaries_are_lists_however_deep():
    with tfds.testing.mock_data(num_examples=1):
        record = read(Mapped(Tfds("a", "ref_coco/refcoco_unc"), {}, {"train": "train"}, reading=NOWHERE))[0]
    assert isinstance(record["objects"], list) and isinstance(record["objects"][0]["refexp"], list)
    assert isinstance(record["objects"][0]["refexp"][0]["raw"], str)
    boxes = find(record, "objects/bbox")
    assert len(boxes) == len(record["objects"]) and boxes[0].shape == (4,)
    assert find(record, "image/id") == record["image/id"]


def test_what_to_do_without_data_or_builder(tmp_path):
    with pytest.raises(DataError, match=r"no data of coco/2017.*tfds build coco/2017 --data_dir"):
        Tfds("a", "coco/2017").length(tmp_path, "train")
    with pytest.raises(DataError, match="no data of"):
        Tfds("a", "coco/2017").rows(Mapped(Tfds("a", "coco/2017"), {}, {"train": "train"}).context("train"))
    with pytest.raises(DataError, match="can not make the builder 'cocoo'"):
        Tfds("a", "cocoo").length(tmp_path, "train")
    with pytest.raises(DataError, match="can not make the builder 'coco/2017:9.9.9'"):
        Tfds("a", "coco/2017", "9.9.9").length(tmp_path, "train")


def jpeg(seed):
    file = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 255, (8, 9, 3), np.uint8)
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()


def scene(number):
    box = np.array([0.1, 0.2, 0.5, 0.6], np.float32)
    thing = {"area": 3, "bbox": box, "id": 7, "is_crowd": False, "label": 3}
    return {
        "image": jpeg(number),
        "image/filename": f"{number}.jpg",
        "image/id": number,
        "objects": [thing] * number,
    }


@pytest.fixture(scope="module")
def coco(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    stored = Tfds("c", "coco/2017")
    stored.write(folder / "c", "train", [scene(number) for number in range(7)])
    stored.write(folder / "c", "validation", [scene(9) | {"image": b"\xff\xd8 broken"}, scene(8)])
    splits = {"train": "train", "some": "train:2-5", "none": "train:9-", "validation": "validation"}
    fields = {
        "image": mapping.Picture("image"),
        "id": "image/filename",
        "boxes": mapping.Boxes("objects/bbox", "yxyx"),
    }
    return Mapped(stored, fields, splits, reading=Reading(str(folder)))


def test_records_of_a_builder_are_written_and_read(coco):
    for number, record in enumerate(read(coco)):
        wanted = scene(number)
        assert record["image"] == wanted["image"] and record["image/id"] == number
        assert len(record["objects"]) == number
        for thing in record["objects"]:
            np.testing.assert_array_equal(thing.pop("bbox"), wanted["objects"][0]["bbox"])
            assert thing == {"area": 3, "id": 7, "is_crowd": False, "label": 3}
    assert coco.num_input_examples("train") == 7 and coco.num_input_examples("none") == 0


def ids(source, split, **asked):
    return [row["id"].decode() for row in source.get_dataset(split, **asked).as_numpy_iterator()]


def test_parts_and_shards_of_a_builder(coco):
    assert ids(coco, "some", shuffle=False) == ["2.jpg", "3.jpg", "4.jpg"]
    assert ids(coco, "none", seed=1) == []
    assert sorted(ids(coco, "train", seed=1)) == sorted(ids(coco, "train", shuffle=False))
    assert ids(coco, "train", seed=1) == ids(coco, "train", seed=1)
    shards = [ids(coco, "train", seed=1, shard_info=seqio.ShardInfo(shard, 3)) for shard in range(3)]
    assert sorted(sum(shards, [])) == [f"{number}.jpg" for number in range(7)]


def test_a_broken_picture_of_a_builder_is_named_and_skipped(coco):
    rows = coco.get_dataset("validation", shuffle=False).as_numpy_iterator()
    with pytest.raises(
        Exception, match=r"c validation coco-validation.tfrecord-00000-of-00001__0: field image"
    ):
        next(rows)
    assert next(rows)["id"] == b"8.jpg"


def episode(number):
    return {
        "episode_id": f"e{number}",
        "steps": [
            {
                "observation": {"image": np.full((4, 5, 3), step, np.uint8), "state": np.arange(3.0)},
                "action": np.array([step, number], np.float32),
                "language_instruction": "go on",
                "is_first": step == 0,
            }
            for step in range(number + 2)
        ],
    }


def test_episodes_are_lists_of_steps(tmp_path):
    stored = EpisodeFolder("e")
    stored.write(tmp_path / "e", "train", map(episode, range(3)))
    records = read(Mapped(stored, {}, {"train": "train"}, reading=Reading(str(tmp_path))))
    assert [len(record["steps"]) for record in records] == [2, 3, 4]
    last = records[2]["steps"][3]
    assert (last["language_instruction"], last["is_first"]) == ("go on", False)
    np.testing.assert_array_equal(last["action"], [3, 2])
    np.testing.assert_array_equal(last["observation"]["image"], np.full((4, 5, 3), 3))
    assert find(records[0], "steps/language_instruction") == ["go on", "go on"]
    # A folder that was copied, not built: the version's own folder is the dataset's.
    whole = tmp_path / "f"
    (tmp_path / "e/e/1.0.0").rename(whole)
    assert EpisodeFolder("f").length(whole, "train") == 3


def test_a_folder_without_episodes_says_what_to_copy(tmp_path):
    with pytest.raises(DataError, match=r"no dataset_info.json in .*gsutil"):
        EpisodeFolder("e").length(tmp_path, "train")
    with pytest.raises(DataError, match="of no episode"):
        EpisodeFolder("e").write(tmp_path, "train", [])
    (tmp_path / "dataset_info.json").write_text("{")
    with pytest.raises(DataError, match="can not be read by tfds"):
        EpisodeFolder("e").length(tmp_path, "train")


def test_text_that_is_not_utf8_is_an_error():
    features = tfds.features.FeaturesDict({"text": tfds.features.Text()})
    with pytest.raises(DataError, match="not in UTF-8"):
        as_records({"text": b"\xff"}, features)


def test_a_part_of_unknown_length_has_an_end_or_is_an_error():
    assert Span(2, 5).share(None) == (2, 5)
    assert Span(2, 9, shard=1, shards=2).share(5) == (3, 5)
    with pytest.raises(DataError, match="give its split an end"):
        Span(2).share(None)
