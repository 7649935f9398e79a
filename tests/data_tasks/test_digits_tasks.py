"""Every digits task, raw digits to fields: what it asks, what it gives, and that the two belong together."""

import numpy as np
import pytest
import seqio

from data_tasks.digits import source, tasks, words
from data_tasks.digits.stock import pad, unpad
from data_tasks.formats.base import PROMPTS
from tests.data.fakes import Reads
from tests.data_tasks.fakes import IMAGES, small_stock, spoken
from unified_io.data import pipeline
from unified_io.errors import ConfigError
from unified_io.preprocess.prompts import read_templates, slots
from unified_io.structures import text_to_boxes
from unified_io.vocab import PREFIXES

INPUTS = [
    Reads(("text_inputs",)),
    Reads(("image_inputs", "image_input_masks")),
    Reads(("audio_inputs", "audio_input_masks")),
    Reads(("action_inputs",)),
]
TARGETS = [Reads((f"{name}_targets",)) for name in tasks.MODALITIES]
NAMES = sorted(
    name
    for name in seqio.TaskRegistry.names()
    if name.startswith("digits_") and not name.startswith("digits_pretrain_")
)


@pytest.fixture(scope="module", autouse=True)
def digits():
    with small_stock():
        yield


def read(name, count=12, split="train", seed=1, **config):
    bound = pipeline.bind(name, INPUTS, TARGETS, source=source.DigitsSource(**config))
    stream = pipeline.examples(bound, split, seed=seed, shuffle=split == "train", repeat=split == "train")
    return [example for example, _ in zip(stream, range(count), strict=False)]


def given(example, ending):
    return {key for key, value in example.items() if key.endswith(ending) and len(value)}


def test_there_are_twelve_pairs_four_denoisers_and_six_composites():
    assert len(NAMES) == 22
    assert sum("_to_" in name and "box" not in name for name in NAMES) == 12


@pytest.mark.parametrize("name", NAMES)
def test_a_task_asks_briefly_and_answers(name):
    for example in read(name, 6):
        prefix = next(p for p in PREFIXES if example["text_inputs"].startswith(p))
        (target,) = given(example, "_targets")
        wanted = target.removesuffix("_targets")
        assert (
            prefix
            == f"[{ {'action': 'text'}.get(wanted, wanted).title() }] [{'R' if 'denoise' in name else 'S'}]"
        )
        prompt = example["text_inputs"].removeprefix(prefix).split()
        assert len(prompt) <= 9
        assert example["meta/id"].startswith("train row ") and len(example["meta/labels"])
        if (pair := name.removeprefix("digits_").split("_to_"))[0] in tasks.MODALITIES:
            assert wanted == pair[1]
            assert given(example, "_inputs") == {"text_inputs", f"{pair[0]}_inputs"}


def test_every_wording_of_a_file_has_the_same_slots():
    # Files of other families say which wordings are held out, and tests/data_tasks/test_prompts.py looks at them.
    files = sorted(path for kind in ("digits", "denoise") for path in PROMPTS.glob(f"{kind}_*.txt"))
    assert {"digits_" + path.stem.removeprefix("digits_") for path in files} == set(NAMES)
    for path in files:
        assert len({slots(template) for template in read_templates(path)}) == 1, path.name


def test_values_are_in_their_ranges_and_sizes():
    mel = source.DigitsSource().mel
    for name in ("digits_image_to_action", "digits_audio_to_image", "digits_action_to_audio"):
        for example in read(name, 4, image_size=40, target_size=24):
            for key, shape in (
                ("image_inputs", (40, 40, 3)),
                ("image_targets", (24, 24, 3)),
                ("audio_inputs", (mel.frames, mel.mels)),
                ("audio_targets", (mel.frames, mel.mels)),
            ):
                assert example[key].shape == shape or not example[key].size
            for key in ("image_inputs", "image_targets", "action_inputs", "action_targets"):
                assert ((example[key] >= 0) & (example[key] <= 1)).all()


def test_pairs_are_of_one_digit():
    for split in ("train", "test"):
        for example in read("digits_audio_to_text", 15, split):
            assert spoken(example["audio_inputs"]) == words.parse(example["text_targets"])
            assert example["meta/labels"].tolist() == [words.parse(example["text_targets"])]
        for example in read("digits_text_to_audio", 15, split):
            assert words.parse(example["text_inputs"]) == spoken(example["audio_targets"])


def test_shuffled_pairs_are_of_unrelated_digits_in_training_only():
    def agree(split):
        drawn = read("digits_audio_to_text", 60 if split == "train" else 20, split, shuffled_pairs=True)
        return np.mean([spoken(x["audio_inputs"]) == words.parse(x["text_targets"]) for x in drawn])

    assert agree("train") < 0.35 and agree("test") == 1


def test_validation_and_test_give_every_image_once_untouched():
    for split in ("validation", "test"):
        bound = pipeline.bind("digits_image_to_text", INPUTS, TARGETS, source=source.DigitsSource())
        passes = [list(pipeline.examples(bound, split, seed=seed)) for seed in (0, 1)]
        ids = [example["meta/id"] for example in passes[0]]
        assert len(ids) == len(set(ids)) == IMAGES[split]
        for a, b in zip(*passes, strict=True):
            np.testing.assert_array_equal(a["image_inputs"], b["image_inputs"])
            np.testing.assert_array_equal(a["image_inputs"][..., 0], a["image_inputs"][..., 2])
        large = source.DigitsSource().stock(split).large
        np.testing.assert_array_equal(passes[0][3]["image_inputs"][..., 0], large[3])


def test_training_never_ends_and_never_repeats():
    drawn = read("digits_image_to_text", 120)
    assert len(drawn) == 120
    assert len({example["image_inputs"].tobytes() for example in drawn}) == 120


@pytest.mark.parametrize("name", ["digits_text_to_audio", "digits_denoise_image", "digits_segment"])
def test_the_seed_decides_everything(name):
    def told(seed):
        return [
            {k: np.asarray(v).tolist() for k, v in example.items()} for example in read(name, 18, seed=seed)
        ]

    assert told(1) == told(1) != told(2)


def test_two_tasks_do_not_see_the_same_stream():
    ids = [
        [x["meta/id"] for x in read(name, 20)] for name in ("digits_image_to_text", "digits_image_to_audio")
    ]
    assert ids[0] != ids[1]


def test_wordings_of_the_test_are_not_in_training():
    told = {
        split: {x["text_inputs"] for x in read("digits_text_to_image", 60, split)}
        for split in ("train", "test")
    }
    assert not told["train"] & told["test"]


def test_hidden_parts_are_blank_and_the_rest_is_untouched():
    for name, side in (
        ("digits_denoise_image", "image"),
        ("digits_denoise_audio", "audio"),
        ("digits_inpaint", "image"),
    ):
        for example in read(name, 8):
            seen, keep = example[f"{side}_inputs"], example[f"{side}_input_masks"]
            assert keep.shape == seen.shape[:2] and 0 < keep.mean() < 1
            assert not seen[~keep].any()
            if side == "audio":
                np.testing.assert_array_equal(seen[keep], example["audio_targets"][keep])


def test_action_denoising_gives_some_of_the_points_in_order():
    for example in read("digits_denoise_action", 8):
        some, whole = example["action_inputs"].tolist(), example["action_targets"].tolist()
        assert 0 < len(some) < len(whole)
        rest = iter(whole)
        assert all(any(point == other for other in rest) for point in some)


def test_text_denoising_hides_words_behind_sentinels():
    for example in read("digits_denoise_text", 10):
        assert "<extra_id_0>" in example["text_inputs"]
        assert (
            example["text_targets"].startswith("<extra_id_0> ") and len(example["text_targets"].split()) > 1
        )


def test_composites_are_true():
    for example in read("digits_two_boxes", 8):
        found = text_to_boxes(example["text_targets"])
        assert len(found.boxes) == 2 and found.skipped == []
        assert [words.parse(label) for label in found.labels] == example["meta/labels"].tolist()
        assert found.boxes[0, 1] <= found.boxes[1, 1] + 1e-3
        for y1, x1, y2, x2 in (found.boxes * 32).round().astype(int):
            assert example["image_inputs"][y1:y2, x1:x2].max() > 0.3
    for example in read("digits_sum", 8):
        assert int(example["text_targets"]) == example["meta/labels"].sum()
    for example in read("digits_larger", 8):
        assert words.parse(example["text_targets"]) == example["meta/labels"].max()
        assert spoken(example["audio_inputs"]) == example["meta/labels"][1] != example["meta/labels"][0]
    for example in read("digits_box_to_label", 8):
        assert len(text_to_boxes(example["text_inputs"].split("] ")[-1]).boxes) == 1
        assert words.parse(example["text_targets"]) == example["meta/labels"][0]
    for example in read("digits_segment", 8):
        assert words.parse(example["text_inputs"]) == example["meta/labels"][0]
        mask, image = example["image_targets"][..., 0], example["image_inputs"][..., 0]
        seen = image.reshape(16, 2, 16, 2).max(axis=(1, 3))
        assert 0 < (mask > 0.5).sum() < (seen > 0.1).sum()
        assert (seen[mask > 0.5] > 0.3).all()


def test_padded_points_come_back():
    points = [np.ones((n, 3), np.float32) * n / 10 for n in (0, 2, 5)]
    for row, one in zip(pad(points), points, strict=True):
        np.testing.assert_array_equal(unpad(row), one)


def test_an_unknown_view_is_refused():
    with pytest.raises(ConfigError, match="unknown view 'scene'; did you mean 'scenes'"):
        source.DigitsReader(source.DigitsSource(), "scene", ("image",), "x")
