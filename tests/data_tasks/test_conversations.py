"""Dialogs of files as a task: every answer an example, with its media where they stood, read by a connected model."""

import json

import numpy as np
import pytest
import seqio
from PIL import Image
from tiny_connected import connected_config

from data_tasks import conversations
from data_tasks.sources.stored import Reading
from unified_io.data.packer import prepare
from unified_io.data.pipeline import bind, examples
from unified_io.dialog.turns import Medium
from unified_io.errors import ConfigError
from unified_io.modalities.connected.talk import conversation
from unified_io.preprocess import sound

CONFIG = connected_config()
TURNS = [
    ("user", "image", "red.png"),
    ("user", "text", "what is it?"),
    ("bot", "text", "a red one"),
    ("user", "image", "blue.png"),
    ("user", "audio", "tone.wav"),
    ("user", "text", "and these?"),
    ("bot", "text", "a blue one and a tone"),
]


@pytest.fixture
def reading(tmp_path):
    """S3's folder with one dialog of two pictures and a sound in each split."""
    folder = tmp_path / "s3"
    folder.mkdir()
    for name, colour in (("red", (255, 0, 0)), ("blue", (0, 0, 255))):
        Image.new("RGB", (30, 20), colour).save(folder / f"{name}.png")
    sound.write_wav(folder / "tone.wav", 0.3 * np.sin(np.arange(2000) / 9.0), 8000)
    turns = [{"role": role, "type": kind, "text": text} for role, kind, text in TURNS]
    for split in ("train", "validation"):
        (folder / f"{split}.jsonl").write_text(json.dumps({"id": "7", "messages": turns}) + "\n")
    return Reading(str(tmp_path), CONFIG.inputs[3].front.mel)


def answered(name, reading):
    return list(examples(bind(name, CONFIG.inputs, CONFIG.targets, source=reading), "validation"))


def spoken(example):
    return [(m.role, m.text, [medium.kind for medium in m.media]) for m in conversation(example).messages]


def test_every_answer_is_an_example_with_what_was_said_before(reading):
    first, second = answered("s3_dialogs", reading)
    assert first["text_targets"] == "a red one" and second["text_targets"] == "a blue one and a tone"
    before = [("user", "", ["image"]), ("user", "what is it?", [])]
    assert spoken(first) == before
    media = [("user", "", ["image"]), ("user", "", ["audio"]), ("user", "and these?", [])]
    assert spoken(second) == [*before, ("bot", "a red one", []), *media]


def test_pictures_come_in_the_order_of_their_slots(reading):
    _, second = answered("s3_dialogs", reading)
    assert [m.value for m in conversation(second).media if m.kind == "image"] == [0, 1]
    image = CONFIG.input("image")
    red, blue = image.preprocess(second, seed=0, training=False)["values"][:, 0]
    middle = (slice(6, 10), slice(6, 10))
    assert red[middle][..., 0].min() > red[middle][..., 2].max()
    assert blue[middle][..., 2].min() > blue[middle][..., 0].max()


def test_a_model_reads_them(reading):
    conversations.register("own_dialogs", "s3")
    first, second = answered("own_dialogs", reading)
    assert spoken(first) == [("user", "what is it?", ["image"])]
    assert [role for role, *_ in spoken(second)] == ["user", "bot", "user"]
    lengths = [prepare(example, CONFIG.inputs, CONFIG.targets).lengths for example in (first, second)]
    assert [length.inputs["image"] for length in lengths] == [1, 2]
    assert [length.inputs["audio"] for length in lengths] == [0, 1]
    assert lengths[1].encoder > lengths[0].encoder
    seqio.TaskRegistry.remove("own_dialogs")


def test_what_can_not_be_read_is_named(reading):
    folder = reading.folder / "s3"
    (folder / "blue.png").unlink()
    with pytest.raises(Exception, match="turn 3 names 'blue.png'"):
        answered("s3_dialogs", reading)
    with pytest.raises(ConfigError, match="media of kind 'video'"):
        conversations.register("bad", "s3", kinds=("video",))


def test_media_are_counted_within_their_kind(reading):
    _, second = answered("s3_dialogs", reading)
    assert conversation(second).media == (Medium("image", 0), Medium("image", 1), Medium("audio", 0))
