"""The five steps: every branch as often as it says, nothing empty, the same seed the same example."""

import dataclasses
import re
from collections import Counter

import numpy as np
import pytest

from unified_io.data.packer import prepare
from unified_io.errors import ConfigError, DataError
from unified_io.gin_edge import session
from unified_io.modalities.base import FIELDS
from unified_io.preprocess import denoise
from unified_io.preprocess.denoisers import clip
from unified_io.preprocess.denoisers.clip import Clip, Segment
from unified_io.preprocess.denoisers.objective import Objective
from unified_io.preprocess.denoisers.text import TextDenoiser

DRAWS = 10_000
LONG = "a small brown dog runs over the green field"
PARTS = ("text", "image", "audio", "image_history", "audio_history")


def asked(example: dict) -> tuple[str, str]:
    target, paradigm = re.match(r"\[(\w+)\] \[(\w)\]", example["text_inputs"]).groups()
    return target.lower(), paradigm


def given(example: dict) -> set[str]:
    """The parts beside the target."""
    target, _ = asked(example)
    found = {name for name in PARTS[1:] if f"{name}_inputs" in example}
    found |= {"text"} if len(example["text_inputs"].split()) > 2 else set()
    return found - {target}


def everything(small, words: str = LONG) -> Clip:
    return Clip((Segment("", small.picture(), small.sound()), Segment(words, small.picture(), small.sound())))


def test_every_branch_is_taken_as_often_as_it_says(small, binomial):
    record = everything(small)
    drawn = [clip.sample(record, small.objective, seed) for seed in range(DRAWS)]
    branches = Counter(map(asked, drawn))
    assert branches.keys() == {(target, p) for target in ("text", "image", "audio") for p in "RS"}
    for branch, count in branches.items():
        assert binomial(count, 1 / 3 / 2, DRAWS), branch
    for target in ("text", "image", "audio"):
        for paradigm, chance in (("R", 0.5), ("S", 0.5 + 0.5**4 / 4)):  # of [S] one is always given
            kept = [given(example) for example in drawn if asked(example) == (target, paradigm)]
            assert paradigm == "R" or all(kept)
            for part in {*PARTS} - {target}:
                assert binomial(sum(part in names for names in kept), chance, len(kept)), (target, part)


def test_every_branch_of_text_alone_is_taken_as_often_as_ul2_says(small, binomial):
    record = Clip((Segment(LONG),))
    drawn = Counter(asked(clip.sample(record, small.objective, seed)) for seed in range(DRAWS))
    for paradigm, chance in (("R", 2 / 7), ("S", 1 / 7), ("X", 4 / 7)):
        assert binomial(drawn["text", paradigm], chance, DRAWS)
    short = Counter(
        asked(clip.sample(Clip((Segment("a dog"),)), small.objective, seed)) for seed in range(99)
    )
    assert short.keys() == {("text", "S")}


def test_a_source_is_asked_only_for_what_it_allows(small, binomial):
    record = everything(small)
    objective = dataclasses.replace(
        small.objective, targets={"text": 1.0, "image": 3.0}, inputs=("text", "image_history"), keep=0.2
    )
    drawn = [clip.sample(record, objective, seed) for seed in range(DRAWS)]
    branches = Counter(map(asked, drawn))
    assert branches.keys() == {("text", "R"), ("text", "S"), ("image", "S")}  # pictures may not be read
    assert binomial(branches["image", "S"], 0.75, DRAWS)
    assert {name for example in drawn for name in given(example)} == {"text", "image_history"}
    restored = [given(example) for example in drawn if asked(example) == ("text", "R")]
    assert binomial(sum(map(bool, restored)), 0.2, len(restored))


RECORDS = {
    "text": lambda s: Clip((Segment(LONG),)),
    "short text": lambda s: Clip((Segment("two words"),)),
    "captioned picture": lambda s: Clip((Segment("cat", s.picture()),)),
    "picture": lambda s: Clip((Segment(image=s.picture(3, 40)),)),
    "one pixel with a caption": lambda s: Clip((Segment("cat", s.picture(1, 1)),)),
    "a thin picture": lambda s: Clip((Segment(LONG, s.picture(1, 60)),)),
    "captioned sound": lambda s: Clip((Segment(LONG, audio=s.sound(9)),)),
    "sound": lambda s: Clip((Segment(audio=s.sound()),)),
    "a sound too long": lambda s: Clip((Segment(audio=s.sound(40), image=s.picture()),)),
    "video": lambda s: Clip(tuple(Segment(LONG[: 9 * i], s.picture(), s.sound()) for i in range(5))),
    "video with a caption": lambda s: Clip(tuple(Segment("", s.picture()) for _ in range(5)), LONG),
    "silent end": lambda s: Clip((Segment("", None, s.sound()), Segment("a b c d e f g h i"))),
}


@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize("only_hidden", [False, True])
def test_no_branch_yields_an_empty_target(small, name, only_hidden):
    record = RECORDS[name](small)
    small.targets = (
        small.targets[0],
        *(dataclasses.replace(m, only_hidden=only_hidden) for m in small.targets[1:]),
    )
    for seed in range(150):
        example = clip.sample(record, small.objective, seed)
        target, paradigm = asked(example)
        assert [*small.written(example)] == [target], (example["text_inputs"], target)
        prepared = prepare(example, small.inputs, small.targets, seed=seed, training=True)
        assert prepared.lengths.encoder > 1 and prepared.lengths.decoder > 0
        if paradigm == "R" and target != "text":
            assert small.features(example)[0][target]["mask"].any()


@pytest.mark.parametrize("name", RECORDS)
def test_fields_are_those_of_the_pipeline(small, name):
    record = RECORDS[name](small)
    for seed in range(40):
        example = clip.sample(record, small.objective, seed)
        assert example.keys() <= {*small.objective.fields} <= FIELDS.keys()
        for key, value in example.items():
            field = FIELDS[key]
            assert np.asarray(value).ndim == len(field.shape), key
            assert field.dtype == ("string" if isinstance(value, str) else value.dtype), key


def test_the_same_seed_gives_the_same_example_and_leaves_the_record_alone(small):
    record = everything(small)
    before = record.segments[1].image.copy()
    for seed in range(30):
        first, second, generator = (
            clip.sample(record, small.objective, s) for s in (seed, seed, np.random.default_rng(seed))
        )
        assert first.keys() == second.keys() == generator.keys()
        for key in first:
            np.testing.assert_array_equal(first[key], second[key])
            np.testing.assert_array_equal(first[key], generator[key])
    np.testing.assert_array_equal(record.segments[1].image, before)


def test_what_can_not_be_asked_is_an_error(small):
    for record in (
        Clip((Segment("word"),)),
        Clip((Segment(),)),
        Clip((Segment(image=small.picture(1, 1)),)),
    ):
        with pytest.raises(DataError, match="nothing can be asked"):
            clip.sample(record, small.objective, 0)
    with pytest.raises(DataError, match="nothing can be asked"):
        clip.sample(Clip((Segment(LONG),)), dataclasses.replace(small.objective, inputs=("image",)), 0)


@pytest.mark.parametrize(
    "wrong, word",
    [
        ({"keep": -0.1}, "keep is -0.1"),
        ({"keep": 1.5}, "keep is 1.5"),
        ({"targets": {"image": -1.0}}, "give 0 or more"),
        ({"targets": {"images": 1.0}}, "did you mean 'image'"),
        ({"targets": {"text": 0.0}}, "raise one"),
        ({"inputs": ("image_histories",)}, "did you mean 'image_history'"),
        ({"interleaved": {"none": 1.0}}, "'none'"),
        ({"history": 0}, "history is 0"),
    ],
)
def test_an_impossible_objective_is_an_error(small, wrong, word):
    with pytest.raises(ConfigError, match=word):
        dataclasses.replace(small.objective, **wrong)


def test_a_medium_nobody_denoises_is_given_and_never_asked_for(small):
    objective = dataclasses.replace(small.objective, media=small.objective.media[:1], targets=None)
    drawn = Counter(asked(clip.sample(everything(small), objective, seed))[0] for seed in range(200))
    assert drawn.keys() == {"text", "image"}
    with pytest.raises(ConfigError, match="denoised medium 'audio'"):
        objective.denoiser("audio")


def test_the_gin_file_spells_out_the_defaults():
    reading = session.parse(["model/tiny.gin", "objective/denoisers.gin"], ["MODEL_DIR='unused'"])
    model = session.build_macro(reading, "MODEL")
    objective = session.build_macro(reading, "OBJECTIVE")
    default = Objective(media=objective.media)
    text = dataclasses.replace(
        TextDenoiser(), length=64, regular=list(denoise.R), extreme=list(denoise.X)
    )  # gin hands lists over
    assert objective == dataclasses.replace(default, text=text)
    by_name = {m.name: m for m in model.inputs}
    for denoiser in objective.media:
        assert denoiser.media == by_name[denoiser.name]
        assert (denoiser.low, denoiser.high, denoiser.paradigms) == (0.5, 0.9, {"R": 0.5, "S": 0.5})
    assert [denoiser.stretches for denoiser in objective.media] == [0.0, 0.5]
