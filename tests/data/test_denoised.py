"""Records meet the objective of a run: what is asked is what both allow and the model has."""

import dataclasses
import importlib.resources
import json
import re

import numpy as np
import pytest
import seqio
import tensorflow as tf

from tests.tiny import MEL, tiny_config
from unified_io.data import pipeline
from unified_io.data.budgets import Budgets
from unified_io.data.denoised import Denoised
from unified_io.data.loader import Loader
from unified_io.data.packer import prepare
from unified_io.errors import ConfigError, DataError
from unified_io.modalities.text import TextInput, TextTarget
from unified_io.preprocess.denoisers import clip
from unified_io.preprocess.denoisers.clip import Clip, Segment
from unified_io.preprocess.denoisers.document import Document
from unified_io.preprocess.denoisers.media import MediaDenoiser
from unified_io.preprocess.denoisers.objective import Objective
from unified_io.preprocess.denoisers.text import TextDenoiser
from unified_io.preprocess.denoisers.views import Views
from unified_io.vocab import Vocabulary

_, IMAGE, IMAGE_HISTORY, AUDIO, AUDIO_HISTORY, _ = tiny_config().inputs
INPUTS = (TextInput(max_length=64), IMAGE, IMAGE_HISTORY, AUDIO, AUDIO_HISTORY)
TARGETS = (TextTarget(max_length=64), *tiny_config().targets[1:3])
OBJECTIVE = Objective(TextDenoiser(length=64), (MediaDenoiser(IMAGE), MediaDenoiser(AUDIO)))
COUNT = 40


def raws(split, shuffle_files, seed=None):
    return tf.data.Dataset.range(COUNT).map(
        lambda i: {"number": i, "id": tf.strings.as_string(i), "label": i[None]}
    )


def picture(number, height=16, width=16):
    return np.random.default_rng(number).random((height, width, 3), np.float32)


def sound(number):
    return np.random.default_rng(number).normal(-4, 1, (MEL.frames, MEL.mels)).astype(np.float32)


def make_clip(raw):
    number = int(raw["number"])
    words = "two small brown dogs jump over the fence"
    return Clip(
        (Segment(words, picture(number)), Segment(f"number {number}", picture(number + 99), sound(number)))
    )


def make_document(raw):
    """Four pictures of as many sizes, and the paragraph that is asked for."""
    number = int(raw["number"])
    return Document((*(picture(number, 6 + 3 * k, 20 - 4 * k) for k in range(4)), "a dog and a cat"))


def make_views(raw):
    return Views((picture(0), picture(1)))


RECORDS = {
    "clip": Denoised(make_clip, "denoised_clip"),
    "text": Denoised(make_clip, "denoised_text", targets=("text",), inputs=("image_history", "text")),
    "document": Denoised(make_document, "denoised_document", targets=("text",)),
    "views": Denoised(make_views, "denoised_views"),
    "nothing": Denoised(lambda raw: raw, "denoised_nothing"),
}


@pytest.fixture(scope="module", autouse=True)
def tasks():
    for name, step in RECORDS.items():
        seqio.TaskRegistry.add(
            f"denoised_{name}",
            source=seqio.FunctionDataSource(raws, splits=("train", "test")),
            preprocessors=[step],
            output_features=pipeline.output_features(("text_targets",)),
        )
    asks = {"text_inputs": "[Text] [S] which?", "text_targets": "this", "meta/id": "x"}
    seqio.TaskRegistry.add(
        "denoised_not",
        source=seqio.FunctionDataSource(raws, splits=("train", "test")),
        preprocessors=[pipeline.numpy_map(lambda raw, rng: asks, tuple(asks), "denoised_not")],
        output_features=pipeline.output_features(("text_targets",)),
    )
    seqio.MixtureRegistry.add("denoised_mixture", [("denoised_clip", 1.0), ("denoised_not", 1.0)])
    yield
    seqio.MixtureRegistry.remove("denoised_mixture")
    for name in (*RECORDS, "not"):
        seqio.TaskRegistry.remove(f"denoised_{name}")


def read(name, objective=OBJECTIVE, inputs=INPUTS, targets=TARGETS, seed=0):
    bound = pipeline.bind(f"denoised_{name}", inputs, targets, objective=objective)
    return list(pipeline.examples(bound, "test", seed=seed))


def asked(example):
    return re.match(r"\[(\w+)\] \[\w\]", example["text_inputs"])[1].lower()


def given(example):
    return {key.removesuffix("_inputs") for key in example if key.endswith("_inputs") and len(example[key])}


@pytest.mark.parametrize("name", ["clip", "mixture"])
def test_records_without_an_objective_are_refused(name):
    with pytest.raises(ConfigError, match="'denoised_clip' holds records .* TrainJob.objective = %OBJECTIVE"):
        pipeline.bind(f"denoised_{name}", INPUTS, TARGETS)
    with pytest.raises(ConfigError, match="TrainJob.objective"):
        seqio.TaskRegistry.get("denoised_clip").get_dataset(split="test", sequence_length=None)


def test_an_example_is_what_the_objective_asks_of_its_record():
    examples = read("clip")
    assert [example["meta/id"] for example in examples] == [str(number) for number in range(COUNT)]
    assert [example["meta/labels"].tolist() for example in examples] == [[number] for number in range(COUNT)]
    assert {asked(example) for example in examples} == {"text", "image", "audio"}
    for number, example in enumerate(examples):
        last = make_clip({"number": number}).segments[-1]
        if asked(example) == "image":
            np.testing.assert_array_equal(example["image_targets"], last.image)
        if len(keep := example["image_input_masks"]):
            np.testing.assert_array_equal(example["image_target_hidden_masks"], ~keep)
            np.testing.assert_array_equal(example["image_inputs"], last.image * keep[:, :, None])


def test_the_seed_decides_what_is_asked():
    first, again, other = (read("clip", seed=seed) for seed in (1, 1, 2))
    for one, two in zip(first, again, strict=True):
        for key, value in one.items():
            np.testing.assert_array_equal(value, two[key])
    assert [x["text_inputs"] for x in first] != [x["text_inputs"] for x in other]


def test_two_objectives_live_side_by_side():
    rarely = dataclasses.replace(OBJECTIVE, targets={"audio": 1.0}, keep=0.0)
    before = seqio.TaskRegistry.get("denoised_clip").preprocessors
    assert {asked(example) for example in read("clip", rarely)} == {"audio"}
    assert {asked(example) for example in read("clip")} == {"text", "image", "audio"}
    assert seqio.TaskRegistry.get("denoised_clip").preprocessors == before


def test_a_source_allows_less():
    examples = read("text")
    assert {asked(example) for example in examples} == {"text"}
    assert set().union(*map(given, examples)) == {"text", "image_history"}


def test_a_model_without_histories_is_given_none():
    examples = read("clip", inputs=(INPUTS[0], IMAGE, AUDIO))
    assert set().union(*map(given, examples)) == {"text", "image", "audio"}
    assert not any("_history_" in x["text_inputs"] + x["text_targets"] for x in examples)


def test_records_and_formats_mix():
    bound = pipeline.bind("denoised_mixture", INPUTS, TARGETS, objective=OBJECTIVE)
    stream = pipeline.examples(bound, "train", seed=0, shuffle=True, repeat=True)
    drawn = [next(stream) for _ in range(40)]
    assert {example["meta/task"] for example in drawn} == {"denoised_clip", "denoised_not"}
    assert len({tuple(sorted(example)) for example in drawn}) == 1


def test_frames_of_several_sizes_come_through():
    lists = 0
    for number, example in enumerate(read("document")):
        history = example["image_history_inputs"]
        if len(history):
            lists += isinstance(history, list)
            pictures = make_document({"number": number}).items[:3]
            for frame, whole in zip(history, pictures, strict=True):
                np.testing.assert_array_equal(frame, whole)
            assert prepare(example, INPUTS, TARGETS).lengths.inputs["image_history"] == 3
    assert lists > COUNT // 4


@pytest.mark.parametrize(
    ("name", "changes", "inputs", "targets", "words"),
    [
        ("clip", {}, INPUTS, TARGETS[:2], r"has the targets \['audio'\], the model has \['text', 'image'\]"),
        (
            "clip",
            {"inputs": ("text", "audio")},
            INPUTS[:3],
            TARGETS,
            r"has the inputs \['audio'\], the model",
        ),
        (
            "clip",
            {"history": 5},
            INPUTS,
            TARGETS,
            "image_history of the model takes 4; set Objective.history",
        ),
        (
            "text",
            {"targets": {"image": 1.0}},
            INPUTS,
            TARGETS,
            r"may be asked for \['text'\], the objective asks",
        ),
    ],
)
def test_an_objective_that_does_not_fit_is_an_error(name, changes, inputs, targets, words):
    with pytest.raises(ConfigError, match=words):
        read(name, dataclasses.replace(OBJECTIVE, **changes), inputs, targets)


def test_a_target_nobody_knows_gets_the_nearest():
    with pytest.raises(ConfigError, match="targets of x: 'imge'; did you mean 'image'"):
        Denoised(make_clip, "x", targets=("imge",))


def test_a_record_that_can_not_be_asked_is_named():
    with pytest.raises(DataError, match="denoised_nothing failed on example 0: .*a dict; make one of Clip"):
        read("nothing")
    with pytest.raises(DataError, match="a Views needs image_history_inputs, which the model does not have"):
        read(
            "views",
            inputs=(INPUTS[0], IMAGE),
            objective=dataclasses.replace(OBJECTIVE, media=(MediaDenoiser(IMAGE),), targets=None),
        )


def test_the_draw_is_that_of_the_record():
    record = RECORDS["clip"].under(OBJECTIVE, INPUTS, TARGETS)
    raw = {"number": 3, "id": "three", "label": [3]}
    made = record(raw, np.random.default_rng(7))
    drawn = clip.sample(make_clip(raw), record.objective, 7)
    assert made.keys() == drawn.keys() | {"meta/id", "meta/labels"} <= {*record.writes}
    for key, value in drawn.items():
        np.testing.assert_array_equal(made[key], value)


def _loader(objective, inputs=INPUTS, **options):
    bound = pipeline.bind("denoised_mixture", inputs, TARGETS, objective=objective)
    room = {"text": 200, "image": 8, "image_history": 8, "audio": 8, "audio_history": 8}
    budgets = Budgets(2, 160, 96, room, {"text": 100, "image": 8, "audio": 8})
    return Loader(bound, inputs, TARGETS, budgets, **options)


@pytest.mark.parametrize(
    "change, said",
    [
        ({"keep": 0.25}, ["objective.keep was 0.5 and is 0.25"]),
        ({"targets": {"text": 1.0}}, ["objective.targets.audio was 1.0 and is None"]),
        ({"text": TextDenoiser(length=64, short=4)}, ["objective.text.short was 8 and is 4"]),
        (
            {"media": (MediaDenoiser(IMAGE, low=0.1, high=0.2, stretches=0.5), MediaDenoiser(AUDIO))},
            ["media.0.low"],
        ),
        (
            {"text": TextDenoiser(length=64, alone={"R": 1.0}, beside={"S": 1.0})},
            ["alone.R", "more settings"],
        ),
    ],
)
def test_a_run_goes_on_under_another_objective_only_when_told(change, said):
    loader = _loader(OBJECTIVE)
    batches = loader.batches()
    next(batches)
    batches.close()
    state = json.loads(json.dumps(loader.state(1)))
    _loader(OBJECTIVE).restore(state, 1)
    other = dataclasses.replace(OBJECTIVE, **change)
    with pytest.raises(DataError, match="(?s)denoised_clip changed: .*accept_changed_data") as error:
        _loader(other).restore(state, 1)
    assert all(words in str(error.value) for words in said), error.value
    assert "denoised_not" not in str(error.value), "its questions do not come from the objective"
    accepted = _loader(other, accept_changed=True)
    accepted.restore(state, 1)
    batches = accepted.batches(1)
    assert next(batches)["decoder"]["segment_ids"].any()
    batches.close()


def test_where_a_vocabulary_lies_is_no_part_of_the_objective(tmp_path):
    copy = tmp_path / "copy.model"
    copy.write_bytes(
        importlib.resources.files("unified_io.vocabularies").joinpath("small.model").read_bytes()
    )
    moved = TextDenoiser(vocabulary=Vocabulary(str(copy)), length=64)
    loader = _loader(OBJECTIVE)
    _loader(dataclasses.replace(OBJECTIVE, text=moved)).restore(loader.state(0), 0)


def test_lists_of_a_gin_file_are_the_same_objective_as_tuples():
    loader = _loader(OBJECTIVE)
    text = dataclasses.replace(
        OBJECTIVE.text, regular=[*OBJECTIVE.text.regular], extreme=[*OBJECTIVE.text.extreme]
    )
    state = json.loads(json.dumps(_loader(dataclasses.replace(OBJECTIVE, text=text)).state(0)))
    loader.restore(state, 0)
