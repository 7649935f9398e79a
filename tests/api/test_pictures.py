"""Pictures from words, in holes and out of pictures."""

import numpy as np
import pytest
from api.answers import painted

from unified_io.api.prompts import UNINFORMATIVE
from unified_io.errors import ConfigError


def test_the_best_sample_is_picked(model, told):
    greys = [painted(x, x) for x in (0.25, 0.75, 0.5)]
    told(*greys, *greys)
    best = model.generate_image("a cat", samples=3, rank=lambda pixels, caption: pixels.mean())
    assert best.scores == pytest.approx((0.75, 0.5, 0.25)) and len(best.others) == 2
    assert best.pixels.mean() == pytest.approx(0.75) and best.others[0].mean() == pytest.approx(0.5)
    # without a hook it is the one that its caption is likeliest of
    own = model.generate_image("a cat", samples=3)
    asked = {"text": "Describe this image in one sentence."}
    scores = [model.score(["a cat"], image=np.full((8, 8, 3), x), **asked)[0] for x in (0.25, 0.75, 0.5)]
    np.testing.assert_allclose(own.scores, sorted(scores, reverse=True), rtol=1e-5)


def test_a_picture_is_guided_unless_told(model, told, monkeypatch):
    seen = []
    script = told(*[painted(0, 0)] * 3)

    def run(params, fields, start, target, options):
        seen.append(options)
        return script(params, fields, start, target, options)

    monkeypatch.setattr(model, "_run", run)
    model.generate_image("a cat")
    model.generate_image(["a cat", "a dog"], guidance=0.0)
    assert (seen[0].guidance, seen[0].negative_prompt) == (10.0, UNINFORMATIVE)
    assert seen[1].guidance == 0
    assert [x["text_inputs"] for x in script.asked][1:] == [
        "[Image] [S] An image of a cat",
        "[Image] [S] An image of a dog",
    ]


def test_the_same_seed_draws_the_same(model):
    first, second = model.generate_image(["a cat", "a dog"], seed=2)
    np.testing.assert_allclose(
        first.pixels, model.generate_image(["a cat", "a cow"], seed=2)[0].pixels, atol=1e-5
    )
    assert not np.array_equal(first.pixels, second.pixels)
    assert first.pixels.shape == (8, 8, 3) and first.others == ()


def test_only_the_hole_is_filled(model, picture, told):
    script = told(*[painted(1, 1)] * 2)
    filled = model.inpaint(picture, [1, 2, 5, 9], "a cat").pixels
    hole = np.zeros((9, 21), bool)
    hole[1:5, 2:9] = True
    assert (filled[hole] == 1).all()
    np.testing.assert_array_equal(filled[~hole], picture[~hole])
    masked = model.inpaint(picture, hole).pixels
    np.testing.assert_array_equal(masked, filled)
    box, mask = script.asked
    assert (box["image_inputs"][hole] == 0).all() and not box["image_input_masks"][hole].any()
    assert box["image_input_masks"][~hole].all() and "a cat" in box["text_inputs"]
    assert mask["text_inputs"] == box["text_inputs"].removesuffix(" a cat")


def test_the_network_itself_fills_and_edits(model, picture):
    hole = np.zeros((9, 21), bool)
    hole[:, 15:] = True
    filled = model.inpaint([picture, picture], [hole, hole])[1].pixels
    np.testing.assert_array_equal(filled[:, :15], picture[:, :15])
    assert not np.array_equal(filled[:, 15:], picture[:, 15:])
    assert model.edit(picture, "make it night").pixels.shape == picture.shape


def test_a_hole_that_is_none_is_told(model, picture):
    for region, why in (
        (np.zeros((9, 21), bool), "nothing to fill"),
        (np.zeros((3, 3), bool), "bool mask"),
        (np.ones((9, 21)), "bool mask"),
        ([20, 20, 30, 30], "holds nothing"),
    ):
        with pytest.raises(ConfigError, match=why):
            model.inpaint(picture, region)
