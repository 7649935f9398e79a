"""Captions of every medium, plain and under rules."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_tasks.formats.caption import Caption, captions_of, tidy
from data_tasks.formats.caption_augmented import KEPT, KINDS, RuledCaption, keeps
from data_tasks.formats.medium import MEDIA
from tests.data_tasks.formats.wording import best, check_laws, made, oracle, picture, piped, raw, sound
from unified_io.errors import ConfigError, DataError
from unified_io.evaluation.cider import CIDER

TOLD = [
    "A red circle lies above a blue square",
    "one green triangle on a gray floor",
    "two yellow stars at night",
]
FRAMES = [picture(seed=n) for n in range(5)]
ALL = {
    "image": picture(),
    "images": FRAMES,
    "audio": sound(),
    "audio_history": [sound(1), sound(2)],
}


def of(caption, **fields):
    return raw(
        captions=[caption] if isinstance(caption, str) else caption, **(fields or {"image": picture()})
    )


@pytest.mark.parametrize("medium", [*MEDIA])
def test_laws_of_every_medium(medium):
    form = Caption("caption", (medium,))
    check_laws(form, raw(captions=TOLD, **{key: ALL[key] for key in MEDIA[medium].reads}))
    assert set(form.reads) == {*MEDIA[medium].reads, "captions"}


def test_laws_of_a_video_with_sounds():
    check_laws(Caption("caption_video", ("video", "sounds")), raw(captions=TOLD, **ALL))


def test_the_true_caption_scores_best_and_others_less():
    examples = [of(text) for text in TOLD]
    form = Caption("caption_image")
    assert oracle(form, examples) == pytest.approx(best(form))
    assert oracle(form, examples, TOLD[0])[CIDER.name] < 5.0
    assert oracle(form, examples, "")[CIDER.name] == 0.0


def test_training_draws_among_captions_and_evaluation_knows_all():
    example = of(TOLD)
    drawn = {made(Caption("caption"), example, seed)["text_targets"] for seed in range(30)}
    assert drawn == {text.lower() for text in TOLD}
    fields = made(Caption("caption"), example, training=False)
    assert Caption("caption").truth(fields) == [text.lower() for text in TOLD]


def test_all_captions_in_order_are_one_text():
    form = Caption("caption_all", every=True)
    fields = made(form, of(["First THIS", "", "then that"]))
    assert fields["text_targets"] == "first this then that"
    assert form.truth(fields) == ["first this then that"]


def test_captions_are_tidy():
    assert tidy(" <PERSON> at a\nhome\\ match ") == "person at a home match"
    assert captions_of({"captions": ["A", " \n", "b\\"]}) == ["a", "b"]


@pytest.mark.parametrize("captions", [[], ["", "  \n"], ["\\"]])
def test_no_caption_is_refused(captions):
    with pytest.raises(DataError, match="captions"):
        made(Caption("caption"), of(captions, image=picture()))
    with pytest.raises(DataError, match="captions"):
        made(RuledCaption("caption_rules"), of(captions, image=picture()))


def test_an_unknown_medium_is_named():
    with pytest.raises(ConfigError, match="did you mean 'video'"):
        _ = Caption("caption", ("vidio",)).reads


def test_frames_of_a_video_are_framed_alike_and_pictures_each_by_itself():
    same = raw(captions=TOLD, images=[FRAMES[0]] * 4)
    for seed in range(5):
        fields = made(Caption("caption", ("video",)), same, seed)
        assert all((one == fields["image_inputs"]).all() for one in fields["image_history_inputs"])
    mixed = raw(captions=TOLD, images=[picture(20, 30), picture(30, 20), picture(12, 16)])
    with pytest.raises(DataError, match="several sizes"):
        made(Caption("caption", ("video",)), mixed)
    fields = made(Caption("caption", ("pictures",)), mixed, training=False)
    assert [one.shape[0] for one in fields["image_history_inputs"]] == [30, 30]
    assert fields["image_inputs"].shape == (16, 16, 3)
    read = piped(Caption("caption", ("pictures",)), {**mixed, "training": False})
    assert [one.shape[0] for one in read["image_history_inputs"]] == [30, 30]


def test_the_middle_frame_is_current_and_the_others_keep_their_order():
    frames = [np.full((4, 4, 3), n / 10, np.float32) for n in range(5)]
    fields = made(Caption("caption", ("middle",)), raw(captions=TOLD, images=frames), training=False)
    assert fields["image_inputs"].max() == pytest.approx(0.2)
    assert [one.max() for one in fields["image_history_inputs"]] == pytest.approx([0.0, 0.1, 0.3, 0.4])


def test_one_frame_and_no_frame():
    fields = made(Caption("caption", ("video",)), raw(captions=TOLD, images=FRAMES[:1]))
    assert fields["image_history_inputs"] is None
    with pytest.raises(DataError, match="images"):
        made(Caption("caption", ("video",)), raw(captions=TOLD, images=[]))


def test_laws_under_rules():
    check_laws(RuledCaption("caption_rules"), of(TOLD))


@pytest.mark.parametrize("kind", KINDS)
def test_the_target_keeps_its_rules_and_others_do_not(kind):
    form, broken = RuledCaption("caption_rules", kinds=(kind,)), []
    for seed in range(40):
        fields = made(form, of(TOLD), seed)
        (rule,) = form.truth(fields)["rules"]
        assert rule["kind"] == kind
        assert keeps(fields["text_targets"], rule)
        assert fields["text_targets"] in form.truth(fields)["captions"]
        shown = rule.get("prefix") or str(rule.get("count") or rule["words"][0])
        assert shown in fields["text_inputs"]
        broken.append(keeps("so " * 60 if kind == "shorter" else "", rule))
    assert not any(broken)


def test_rules_by_hand():
    assert keeps("a b c", {"kind": "longer", "unit": "words", "count": 2})
    assert not keeps("a b c", {"kind": "longer", "unit": "words", "count": 3})
    assert keeps("abcd", {"kind": "shorter", "unit": "characters", "count": 5})
    assert not keeps("abcde", {"kind": "shorter", "unit": "characters", "count": 5})
    assert keeps("a dog, red", {"kind": "words", "words": ["dog", "red"]})
    assert not keeps("a doghouse", {"kind": "words", "words": ["dog"]})
    assert keeps("a dog runs", {"kind": "prefix", "prefix": "a dog"})
    assert not keeps("a dogged man", {"kind": "prefix", "prefix": "a dog"})


@given(st.text(st.sampled_from("ab,.' é7"), min_size=1, max_size=40), st.integers(0, 2**31))
def test_any_caption_can_be_asked_for_under_rules(text, seed):
    example = {"id": "x", "training": True, "image": picture(2, 2), "captions": [text]}
    if not tidy(text):
        return
    form = RuledCaption("caption_rules", most=4)
    fields = made(form, example, seed)
    rules = form.truth(fields)["rules"]
    assert rules and len({rule["kind"] for rule in rules}) == len(rules)
    assert all(keeps(form.parse(fields["text_targets"], fields), rule) for rule in rules)


def test_the_oracle_under_rules():
    examples, form = [of(text) for text in TOLD], RuledCaption("caption_rules")
    assert oracle(form, examples) == pytest.approx(best(form))
    assert oracle(form, examples, "x")[CIDER.name] == 0.0
    assert oracle(form, examples, "")[KEPT.name] < 1.0
