"""Binding leaves the registry alone, gives every task the same fields, and reads the same for the same seed."""

import functools
import importlib.util
import sys

import numpy as np
import pytest
import seqio
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.fakes import Reads
from unified_io.data import pipeline, values
from unified_io.errors import ConfigError, DataError

TEXT = Reads(("text_inputs",))
IMAGE = Reads(("image_inputs", "image_input_masks"))
ANSWER = Reads(("text_targets",))
SOUND = Reads(("audio_targets",))


def numbers(split, shuffle_files, seed=None, *, start=0):
    return tf.data.Dataset.range(start, start + 6).map(lambda i: {"number": i, "id": tf.strings.as_string(i)})


def write_text(raw, rng):
    if raw["number"] == 13:
        raise DataError("thirteen is unlucky")
    return {
        "text_inputs": f"say {raw['number']} {{é}} {rng.integers(1000)}",
        "text_targets": [str(raw["number"]), "also"] if raw["number"] == 2 else str(raw["number"]),
        "meta/id": raw["id"],
        "meta/labels": [raw["number"]],
    }


def write_image(raw, rng):
    return {
        "image_inputs": np.full((4, 5, 3), raw["number"], np.float32),
        "text_targets": "seen",
        "meta/id": raw["id"],
    }


def add(name, function, writes, source=numbers):
    seqio.TaskRegistry.add(
        name,
        source=seqio.FunctionDataSource(source, splits=("train", "test")),
        preprocessors=[pipeline.numpy_map(function, writes, name)],
        output_features=pipeline.output_features(("text_targets",)),
        shuffle_buffer_size=6,
    )


@pytest.fixture(scope="module", autouse=True)
def tasks():
    names = ["fake_text", "fake_image", "fake_unlucky"]
    add("fake_text", write_text, ("text_inputs", "text_targets", "meta/id", "meta/labels"))
    add("fake_image", write_image, ("image_inputs", "text_targets", "meta/id"))
    add("fake_unlucky", write_text, ("text_inputs", "text_targets"), functools.partial(numbers, start=11))
    seqio.MixtureRegistry.add("fake_mixture", [("fake_text", 3.0), ("fake_image", 1.0)])
    yield
    seqio.MixtureRegistry.remove("fake_mixture")
    for name in names:
        seqio.TaskRegistry.remove(name)


def test_two_bindings_live_side_by_side_and_the_registry_stays():
    registered = seqio.TaskRegistry.get("fake_text")
    before = (dict(registered.output_features), registered.preprocessors, set(seqio.TaskRegistry.names()))
    narrow = pipeline.bind("fake_text", [TEXT], [ANSWER])
    wide = pipeline.bind("fake_text", [TEXT, IMAGE], [ANSWER, SOUND])
    first, second = (next(pipeline.examples(bound, "test")) for bound in (narrow, wide))
    again = next(pipeline.examples(narrow, "test"))
    assert set(second) - set(first) == {"image_inputs", "image_input_masks", "audio_targets"}
    assert first["text_targets"] == second["text_targets"] == again["text_targets"] == "0"
    assert seqio.TaskRegistry.get("fake_text") is registered
    assert (
        dict(registered.output_features),
        registered.preprocessors,
        set(seqio.TaskRegistry.names()),
    ) == before


def test_absent_fields_are_blank_and_others_are_dropped():
    example = next(pipeline.examples(pipeline.bind("fake_image", [TEXT, IMAGE], [ANSWER, SOUND]), "test"))
    assert example["text_inputs"] == "" and example["text_targets"] == "seen"
    assert example["image_inputs"].shape == (4, 5, 3)
    assert example["image_input_masks"].shape == (0, 0) and example["image_input_masks"].dtype == bool
    assert example["audio_targets"].shape == (0, 0) and example["audio_targets"].dtype == np.float32
    assert example["meta/task"] == "fake_image" and example["meta/labels"].shape == (0,)
    without_image = next(pipeline.examples(pipeline.bind("fake_image", [TEXT], [ANSWER]), "test"))
    assert "image_inputs" not in without_image


def test_several_answers_are_a_list():
    bound = pipeline.bind("fake_text", [TEXT], [ANSWER])
    answers = [example["text_targets"] for example in pipeline.examples(bound, "test")]
    assert answers == ["0", "1", ["2", "also"], "3", "4", "5"]


def test_text_survives_as_it_is():
    example = next(pipeline.examples(pipeline.bind("fake_text", [TEXT], [ANSWER]), "test"))
    assert example["text_inputs"].startswith("say 0 {é} ")


def test_a_mixture_mixes_at_its_rates_with_equal_specs():
    bound = pipeline.bind("fake_mixture", [TEXT, IMAGE], [ANSWER])
    assert {task.name: bound.get_rate(task) for task in bound.tasks} == {"fake_text": 3.0, "fake_image": 1.0}
    stream = pipeline.examples(bound, "train", seed=3, shuffle=True, repeat=True)
    drawn = [next(stream) for _ in range(400)]
    assert np.mean([example["meta/task"] == "fake_text" for example in drawn]) == pytest.approx(
        0.75, abs=0.08
    )
    assert len({tuple(sorted(example)) for example in drawn}) == 1


def test_the_seed_decides_everything():
    bound = pipeline.bind("fake_mixture", [TEXT, IMAGE], [ANSWER])

    def read(seed):
        stream = pipeline.examples(bound, "train", seed=seed, shuffle=True, repeat=True)
        return [
            (x["meta/task"], x["meta/id"], x["text_inputs"]) for x, _ in zip(stream, range(40), strict=False)
        ]

    assert read(1) == read(1) != read(2)


def test_unknown_names_get_the_nearest():
    with pytest.raises(
        ConfigError, match="unknown task or mixture 'fake_mixtur'; did you mean 'fake_mixture'"
    ):
        pipeline.bind("fake_mixtur", [TEXT], [ANSWER])
    with pytest.raises(ConfigError, match="unknown split 'tset'; did you mean 'test'"):
        pipeline.examples(pipeline.bind("fake_text", [TEXT], [ANSWER]), "tset")


def test_a_task_that_the_model_can_not_answer_is_refused():
    with pytest.raises(
        ConfigError, match="task 'fake_image' writes \\['text_targets'\\], the configuration writes"
    ):
        pipeline.examples(pipeline.bind("fake_image", [IMAGE], [SOUND]), "test")


def test_a_field_of_the_wrong_shape_is_refused():
    task = seqio.TaskRegistry.get("fake_text")
    flat = task.replace(
        preprocessors=[lambda ds: ds.map(lambda x: {"text_targets": "a", "image_inputs": [1.0]})]
    )
    complete = functools.partial(pipeline._complete, task="flat", answers={"text_targets"}, keep_meta=False)
    fields = {key: pipeline.FIELDS[key] for key in ("text_targets", "image_inputs")}
    with pytest.raises(ConfigError, match="task 'flat' gives image_inputs as float32 .*wanted float32"):
        complete(flat.preprocessors[0](tf.data.Dataset.range(2)), fields=fields)


def test_an_example_that_fails_is_named_and_the_next_one_comes():
    stream = pipeline.examples(pipeline.bind("fake_unlucky", [TEXT], [ANSWER]), "test")
    seen = [next(stream)["text_targets"], next(stream)["text_targets"]]
    with pytest.raises(DataError, match="fake_unlucky failed on example 13: .*thirteen is unlucky"):
        next(stream)
    assert seen == ["11", "12"] and next(stream)["text_targets"] == "14"


def test_a_format_that_gives_the_wrong_shape_is_told_which():
    mapped = pipeline.numpy_map(
        lambda raw, rng: {"image_inputs": np.zeros((4, 4))}, ("image_inputs",), "flat"
    )
    with pytest.raises(
        tf.errors.OpError, match="flat failed on example .*image_inputs has shape \\(4, 4\\), wanted"
    ):
        next(iter(mapped(tf.data.Dataset.range(1).map(lambda i: {"number": i}))))
    with pytest.raises(ConfigError, match="unknown field 'image_input'; did you mean 'image_inputs'"):
        pipeline.numpy_map(write_image, ("image_input",), "typo")


def _one_raw(example, **options):
    """What a format is given of one raw example."""
    given = {}

    def note(raw, rng):
        given.update(raw)
        return {}

    raws = tf.data.Dataset.from_tensors(example)
    next(iter(pipeline.numpy_map(note, ("text_inputs",), "note", **options)(raws)))
    return given


def test_content_of_files_stays_bytes_and_text_becomes_text():
    jpeg, words = b"\xff\xd8\xff\xe0 no text", "ein Wort: é"
    example = {
        "image": jpeg,
        "clips": [jpeg, b"plain"],
        "word": words.encode(),
        "list": [b"a", b"b"],
        "id": b"7",
    }
    given = _one_raw(example, files=("image", "clips"))
    assert given["image"] == jpeg and given["clips"].tolist() == [jpeg, b"plain"]
    assert given["word"] == words and given["list"] == ["a", "b"]


def test_bytes_that_are_no_text_are_named_with_the_way_out():
    with pytest.raises(
        tf.errors.OpError, match=r"note failed on example \ufffdx: .*image is no text in UTF-8.*files="
    ):
        _one_raw({"image": b"\xff\xd8", "id": b"\xffx"})


def test_tensorflow_is_kept_off_the_gpus_when_it_is_first_imported(monkeypatch):
    hidden = []
    monkeypatch.setattr(tf.config, "set_visible_devices", lambda *asked: hidden.append(asked))
    spec = importlib.util.spec_from_file_location("pipeline_again", pipeline.__file__)
    monkeypatch.setitem(sys.modules, "pipeline_again", module := importlib.util.module_from_spec(spec))
    spec.loader.exec_module(module)
    assert hidden == [([], "GPU")]


sizes = st.tuples(st.integers(1, 5), st.integers(1, 5))


@settings(deadline=None, max_examples=60)
@given(st.lists(sizes, max_size=5), st.sampled_from(["image_history_inputs", "audio_history_inputs"]))
def test_frames_of_any_sizes_are_laid_together_and_taken_apart(shapes, key):
    ending = pipeline.FIELDS[key].shape[3:]
    frames = [np.full((*shape, *ending), place, np.float32) for place, shape in enumerate(shapes)]
    back = values.own_frames(key, values.to_tensor(key, frames, pipeline.FIELDS[key]))
    assert isinstance(back, list) == (len(set(shapes)) > 1)
    assert len(back) == len(frames)
    for frame, whole in zip(back, frames, strict=True):
        np.testing.assert_array_equal(frame, whole)


@pytest.mark.parametrize(
    "frames, words",
    [
        ([np.full((2, 2, 3), np.nan)], "image_history_inputs holds NaN or infinity"),
        ([np.ones((2, 2, 3)), np.full((3, 2, 3), np.inf)], "holds NaN or infinity"),
        ([np.ones((2, 2, 3)), np.ones((2, 2))], r"has a frame of shape \(2, 2\), wanted"),
        ([np.ones((2, 2))], r"has shape \(1, 2, 2\), wanted"),
    ],
)
def test_frames_that_are_none_are_told(frames, words):
    mapped = pipeline.numpy_map(
        lambda raw, rng: {"image_history_inputs": frames}, ("image_history_inputs",), "frames"
    )
    with pytest.raises(tf.errors.OpError, match=words):
        next(iter(mapped(tf.data.Dataset.range(1).map(lambda i: {"number": i}))))


def test_frames_of_several_sizes_reach_the_next_preprocessor():
    key, frames = "image_history_inputs", [np.ones((2, 3, 3)), np.ones((4, 1, 3))]
    first = pipeline.numpy_map(lambda raw, rng: {key: frames}, (key,), "first")
    second = pipeline.numpy_map(
        lambda raw, rng: {"meta/labels": [n for frame in raw[key] for n in frame.shape]},
        ("meta/labels",),
        "second",
    )
    made = next(iter(second(first(tf.data.Dataset.range(1).map(lambda i: {"number": i})))))
    assert made["meta/labels"].numpy().tolist() == [2, 3, 3, 4, 1, 3]


@pytest.mark.parametrize("place", [(0, 0, 0), (1, 1, 2), slice(None)])
def test_broken_frames_are_not_taken_for_smaller_ones(place):
    broken = np.ones((2, 3, 4, 3), np.float32)
    broken[0][place] = np.nan
    assert values.own_frames("image_history_inputs", broken) is broken


def test_a_source_can_be_replaced():
    class Later:
        def in_place_of(self, declared):
            assert "train" in declared.splits
            return seqio.FunctionDataSource(functools.partial(numbers, start=70), splits=("train", "test"))

    bound = pipeline.bind("fake_text", [TEXT], [ANSWER], source=Later())
    assert next(pipeline.examples(bound, "test"))["text_targets"] == "70"
    assert (
        next(pipeline.examples(pipeline.bind("fake_text", [TEXT], [ANSWER]), "test"))["text_targets"] == "0"
    )


def test_folded_seeds_are_stable_and_differ():
    assert pipeline.fold(1, 2, "a") == pipeline.fold(1, 2, "a")
    folded = {pipeline.fold(seed, index) for seed in range(20) for index in range(20)}
    assert len(folded) == 400 and all(0 <= seed < 2**31 for seed in folded)
