import dataclasses
import re
from collections import Counter

import numpy as np
import pytest

from unified_io.errors import DataError
from unified_io.preprocess.denoise import Spans
from unified_io.preprocess.denoisers import document
from unified_io.preprocess.denoisers.document import Document

TARGET = re.compile(r"\[(\w+)\] \[(\w)\](.*)", re.S)


def test_every_item_is_asked_for_as_often_as_another_of_its_kind(small, binomial):
    pictures = [small.picture() for _ in range(2)]
    record = Document(("a first paragraph of words", pictures[0], "then another one of words", pictures[1]))
    drawn = [document.sample(record, small.objective, seed) for seed in range(10_000)]
    kinds = Counter(TARGET.match(example["text_inputs"])[1] for example in drawn)
    assert binomial(kinds["Text"], 0.5, 10_000) and kinds["Text"] + kinds["Image"] == 10_000
    firsts = sum(
        np.array_equal(example["image_targets"], pictures[0])
        for example in drawn
        if "image_targets" in example
    )
    assert binomial(firsts, 0.5, kinds["Image"])
    alone = [
        e for e in drawn if e.get("text_targets", "").startswith("a first") and "[S]" in e["text_inputs"]
    ]
    assert alone == []  # the first paragraph stands alone: it is continued or corrupted
    restored = sum("image_input_masks" in e for e in drawn)
    assert binomial(restored, 0.5, kinds["Image"])


def test_a_picture_has_four_earlier_ones_and_a_paragraph_five(small):
    pictures = [small.picture() for _ in range(8)]
    items = [item for index, image in enumerate(pictures) for item in (f"text{index} here", image)]
    record = Document((*items, "the very last paragraph of it"))
    sizes = {"Image": Counter(), "Text": Counter()}
    for seed in range(2000):
        example = document.sample(record, small.objective, seed)
        assert small.fits(example)
        target, paradigm, body = TARGET.match(example["text_inputs"]).groups()
        history = example.get("image_history_inputs", ())
        frames = [next(i for i, p in enumerate(pictures) if np.array_equal(p, f)) for f in history]
        if target == "Image":
            here = next(i for i, p in enumerate(pictures) if np.array_equal(p, example["image_targets"]))
            assert not frames or frames == [*range(max(0, here - 4), here)]
            sizes[target][len(frames)] += 1
            assert ("<image_input>" in body) <= (paradigm == "R")
            if f"text{here} here" in body and frames:
                assert body.index(f"<image_history_{len(frames)}>") < body.index(f"text{here} here")
        else:
            shown = "image_inputs" in example
            if shown and frames:
                assert np.array_equal(example["image_inputs"], pictures[frames[-1] + 1])
            sizes[target][len(frames) + shown] += 1
        for place in re.findall(r"<image_history_(\d)>", body):
            assert int(place) <= len(frames)
    assert max(sizes["Image"]) == 4 and max(sizes["Text"]) == 5


def test_the_nearest_words_are_given_and_everything_fits(small):
    long = " ".join(f"w{index}" for index in range(300))
    record = Document((long, small.picture(), long, "the last paragraph has these nine words in it"))
    objective = dataclasses.replace(small.objective, targets={"text": 1.0})
    found = 0
    for seed in range(300):
        example = document.sample(record, objective, seed)
        assert small.fits(example)
        if example["text_targets"].startswith("the last") and "w299" in example["text_inputs"]:
            assert re.search(r"w298 w299$", example["text_inputs"])
            found += 1
    assert found > 5


def test_a_long_paragraph_leaves_room_for_the_marks(small):
    """Also where next to nothing of it is hidden."""
    long = " ".join(f"w{index}" for index in range(300))
    record = Document((*(small.picture() for _ in range(6)), "a few words", long))
    text = dataclasses.replace(small.objective.text, regular=(Spans(0.01, 3),))
    objective = dataclasses.replace(small.objective, text=text, targets={"text": 1.0}, keep=1.0)
    examples = [document.sample(record, objective, seed) for seed in range(40)]
    assert all(small.fits(example) for example in examples)
    assert any(re.match(r".*\[R\] <.*<image_input>.*w0 w1", e["text_inputs"], re.S) for e in examples)


def test_the_example_of_the_docstring(small):
    first, second = small.picture(), small.picture()
    record = Document((first, "a dog runs", second, "it jumps over the fence"))
    texts = {
        (example["text_inputs"], example.get("text_targets"))
        for example in (document.sample(record, small.objective, seed) for seed in range(600))
    }
    wanted = "[Text] [S] <image_history_1> a dog runs <image_input>", "it jumps over the fence"
    assert wanted in texts


def test_paragraphs_stand_on_lines_of_their_own(small):
    record = Document((small.picture(), "one two", "three four", "five six"))
    inputs = {document.sample(record, small.objective, seed)["text_inputs"] for seed in range(400)}
    assert "[Text] [S] one two\nthree four" in inputs and "[Text] [S] one two" in inputs


def test_what_can_not_be_asked_for_is_passed_over(small):
    picture = small.picture()
    for seed in range(50):
        example = document.sample(Document(("word", picture)), small.objective, seed)
        np.testing.assert_array_equal(example["image_targets"], picture)
    with pytest.raises(DataError, match="nothing can be asked"):
        document.sample(Document(("word",)), small.objective, 0)
    with pytest.raises(DataError, match="nothing can be asked"):
        document.sample(Document((small.picture(1, 1),)), small.objective, 0)


def test_no_branch_yields_an_empty_target(small):
    record = Document(
        ("a b", small.picture(5, 9), " ", "c d e f g h i j k", small.picture(), small.picture())
    )
    assert len(record.items) == 5
    for seed in range(300):
        example = document.sample(record, small.objective, seed)
        again = document.sample(record, small.objective, seed)
        assert len(small.written(example)) == 1
        assert example.keys() == again.keys() and example["text_inputs"] == again["text_inputs"]


@pytest.mark.parametrize("items", [(), (" ",), (np.zeros((0, 0, 3)),)])
def test_an_empty_document_is_an_error(items):
    with pytest.raises(DataError, match="neither paragraphs nor pictures"):
        Document(items)


def test_bad_pixels_are_an_error():
    with pytest.raises(DataError, match="0, 1"):
        Document(("a", np.full((3, 3, 3), np.nan)))
