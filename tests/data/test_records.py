"""What can not be read is named with the file it was to come from."""

import itertools

import pytest
import seqio
import tensorflow as tf

from tests.data.fakes import INPUTS, TARGETS
from unified_io.data import pipeline
from unified_io.data.position import Place
from unified_io.data.records import Records
from unified_io.errors import DataError


def said(raw, rng):
    return {"text_inputs": "x", "text_targets": raw["letter"], "meta/id": f"letter {raw['letter']}"}


@pytest.fixture
def letters(tmp_path):
    """A task of two files with two records each; in the second file a bit is flipped."""
    for file, texts in (("sound", "ab"), ("torn", "cd")):
        with tf.io.TFRecordWriter(str(tmp_path / f"{file}.tfrecord")) as writer:
            for text in texts:
                feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[text.encode()]))
                features = tf.train.Features(feature={"letter": feature})
                writer.write(tf.train.Example(features=features).SerializeToString())
    torn = tmp_path / "torn.tfrecord"
    content = bytearray(torn.read_bytes())
    content[20] ^= 1
    torn.write_bytes(content)
    seqio.TaskRegistry.add(
        "records_letters",
        source=seqio.TFExampleDataSource(
            {"train": str(tmp_path / "*.tfrecord")}, {"letter": tf.io.FixedLenFeature([], tf.string)}
        ),
        preprocessors=[
            pipeline.numpy_map(said, ("text_inputs", "text_targets", "meta/id"), "records_letters")
        ],
        output_features=pipeline.output_features(("text_inputs",)),
    )
    yield pipeline.bind("records_letters", INPUTS, TARGETS)
    seqio.TaskRegistry.remove("records_letters")


def read(records, count):
    names, errors = [], []
    for _ in itertools.islice(itertools.count(), count):
        try:
            names.append(next(records)[0]["text_targets"])
        except DataError as error:
            errors.append(str(error))
    return names, errors


def test_a_corrupted_file_is_named_and_the_sound_one_read(letters):
    names, errors = read(Records(letters, "train", seed=0, draw=0), 6)
    assert {"a", "b"} <= set(names) and errors
    for error in errors:
        assert "corrupted record" in error and error.endswith("torn.tfrecord") and "sound" not in error


def test_so_is_one_from_which_an_example_is_read_again(letters):
    found = []
    for part in range(2):
        records = Records(letters, "train", seed=0, draw=0, waiting=[Place(0, part, 0)])
        try:
            found.append(records.again()[0]["text_targets"])
        except DataError as error:
            found.append(str(error).rpartition("/")[2])
    assert "torn.tfrecord" in found and not {"a", "b"}.isdisjoint(found)
