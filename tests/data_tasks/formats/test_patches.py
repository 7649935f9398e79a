"""Pasted shapes: boxes are those of the pixels that changed, no shape lies over another, none beyond the picture."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_tasks.formats.counting import COUNT as COUNTED
from data_tasks.formats.patches import COLOURS, MOST, SHAPES, PastedPatches, draw_patches, paste
from tests.data_tasks.formats.wording import SEEDS, best, check_laws, made, oracle, picture, raw
from unified_io.errors import ConfigError, DataError
from unified_io.evaluation.boxes import AP, GRIT
from unified_io.structures import text_to_boxes

LIST, COUNT = PastedPatches("patches_list"), PastedPatches("patches_count", "count")
EXAMPLE = raw(image=picture(60, 90))


@pytest.mark.parametrize("form", [LIST, COUNT])
def test_laws(form):
    check_laws(form, EXAMPLE)


def test_oracle():
    # Boxes of 5 pixels of 90 lose a hundredth of their overlap in bins of a thousandth.
    scores = oracle(LIST, [EXAMPLE] * 8)
    assert scores[GRIT.name] > 0.97 and scores[AP.name] > 0.98
    assert oracle(COUNT, [EXAMPLE] * 8) == best(COUNT)


@pytest.mark.parametrize(
    "answer", ["", "red circle", "<extra_id_200>", "<extra_id_900> <extra_id_200> no 12"]
)
def test_nonsense_scores_nothing(answer):
    assert oracle(LIST, [EXAMPLE] * 4, answer) == {AP.name: 0.0, GRIT.name: 0.0}
    assert oracle(COUNT, [EXAMPLE] * 4, answer)[COUNTED.name] == 0.0


@given(st.integers(6, 60), st.integers(6, 60), st.integers(0, 2**32 - 1))
def test_boxes_are_exactly_the_pixels_pasted(height, width, seed):
    side = max(height, width)
    real = np.zeros((side, side), bool)
    top, left = (side - height) // 2, (side - width) // 2
    real[top : top + height, left : left + width] = True
    rng = np.random.default_rng(seed)
    patches = draw_patches(real, rng)
    canvas = np.full((side, side, 3), 0.5, np.float32)
    changed = (paste(canvas, patches, rng) != canvas).any(axis=2)
    assert 1 <= len(patches) <= MOST
    assert (changed <= real).all()
    assert changed.sum() == sum(patch.shape.sum() for patch in patches)  # none lies over another
    for patch in patches:
        y1, x1, y2, x2 = patch.box
        assert (changed[y1:y2, x1:x2] >= patch.shape).all()
        for edge in (patch.shape[0], patch.shape[-1], patch.shape[:, 0], patch.shape[:, -1]):
            assert edge.any()
        colour, shape = patch.name.split()
        assert colour in COLOURS and shape in SHAPES


def test_what_is_pasted_is_what_is_told():
    for seed in SEEDS:
        fields = made(LIST, raw(image=np.full((60, 90, 3), 0.5)), seed)
        found = text_to_boxes(fields["text_targets"])
        counted = made(COUNT, raw(image=np.full((60, 90, 3), 0.5)), seed)
        assert int(counted["text_targets"]) == len(found.boxes)
        assert not found.skipped and len(fields["image_inputs"]) == len(fields["image_input_masks"])
        for box, name in zip(found.boxes, found.labels, strict=True):
            y, x = np.round((box[:2] + box[2:]) / 2 * len(fields["image_inputs"])).astype(int)
            if name.endswith(("square", "circle", "diamond", "cross")):
                colour = np.array(COLOURS[name.split()[0]])
                shown = fields["image_inputs"][y, x]
                assert (shown <= colour + 1e-5).all() and (shown >= colour * 0.84).all()


def test_shapes_can_be_told_apart():
    across = np.linspace(-0.95, 0.95, 20)
    drawn = {name: shape(across[:, None], across[None, :]) for name, shape in SHAPES.items()}
    for name, mask in drawn.items():
        assert mask.shape == (20, 20)
        for other in drawn:
            assert name == other or (mask ^ drawn[other]).mean() > 0.1


def test_refuses():
    with pytest.raises(DataError, match="too|needs"):
        made(LIST, raw(image=picture(3, 60)))
    with pytest.raises(ConfigError, match="did you mean 'count'"):
        PastedPatches("patches_list", "counts")
