"""Pictures made from pictures: both are framed alike."""

import numpy as np
import pytest

from data_tasks.formats.edit import Edit
from data_tasks.formats.legend import COLOURS, FromLegend
from tests.data_tasks.formats.painting import best, check_laws, gradient, oracle, square
from tests.data_tasks.formats.wording import SEEDS, made, raw
from unified_io.errors import ConfigError, DataError

ORDER = "paint it  blue"
FORMS = {
    "image": (Edit("edit"), raw(image=gradient(), image_target=1 - gradient(), instruction=ORDER)),
    "map": (Edit("edit_map", "map"), raw(image=gradient(), image_target=1 - gradient(), instruction=ORDER)),
    "history": (
        Edit("edit_history", "history"),
        raw(images=[gradient() / 2, gradient()], image_target=1 - gradient(), instruction=ORDER),
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_laws(name):
    check_laws(*FORMS[name])


@pytest.mark.parametrize("name", FORMS)
def test_oracle(name):
    form, example = FORMS[name]
    assert oracle(form, [example] * 3) == pytest.approx(best(form))


@pytest.mark.parametrize("name", FORMS)
def test_the_target_is_framed_as_the_picture(name):
    form, example = FORMS[name]
    for seed in SEEDS:
        fields = made(form, example, seed)
        real = fields["image_input_masks"]
        np.testing.assert_array_equal(fields["image_target_masks"], real)
        np.testing.assert_allclose(fields["image_inputs"][real], 1 - fields["image_targets"][real], atol=1e-6)
        if name == "history":
            np.testing.assert_array_equal(fields["image_history_inputs"][0], fields["image_inputs"] / 2)


def test_copying_the_picture_does_not_score():
    form, example = FORMS["image"]
    fields = made(form, example, training=False)
    copied = [form.parse(fields["image_inputs"], fields)]
    scores = {m.name: m.total(copied, [form.truth(fields)]) for m in form.metrics}
    assert scores["psnr"] < 10 and scores["ssim"] < 0.5


def test_the_instruction_is_in_the_prompt():
    for form, example in FORMS.values():
        assert "paint it blue" in made(form, example)["text_inputs"]


def test_refuses_what_does_not_fit():
    with pytest.raises(DataError, match="field image_target is 5x6"):
        made(Edit("edit"), raw(image=gradient(), image_target=gradient(5, 6), instruction=ORDER))
    with pytest.raises(DataError, match="instruction"):
        made(Edit("edit"), raw(image=gradient(), image_target=gradient(), instruction="  "))
    with pytest.raises(DataError, match="images"):
        made(Edit("edit_history", "history"), raw(images=[], image_target=gradient(), instruction=ORDER))
    with pytest.raises(ConfigError, match="did you mean 'image'"):
        Edit("edit", "images")


LEGEND = FromLegend("from_legend")
PLAN = raw(
    image=gradient(),
    masks=np.stack([square(2, 3, 20), square(8, 8, 6), square(4, 26, 5)]),
    names=["sky", "kite", "sky"],
)


def test_a_picture_of_a_plan():
    check_laws(LEGEND, PLAN)
    assert oracle(LEGEND, [PLAN] * 2) == pytest.approx(best(LEGEND))


def test_the_legend_says_what_the_colours_mean():
    for seed in SEEDS:
        fields = made(LEGEND, PLAN, seed, training=False)
        meant = dict(part.split(": ")[::-1] for part in fields["meta/truth"].strip('"').split(", "))
        plan = fields["image_inputs"][4:-4]
        assert plan[2, 3] == pytest.approx(COLOURS[meant["sky"]]) and plan[4, 26] == pytest.approx(plan[2, 3])
        assert plan[9, 9] == pytest.approx(COLOURS[meant["kite"]])  # the smaller lies on top
        assert not plan[23, 0].any()
        np.testing.assert_array_equal(LEGEND.truth(fields), gradient())


def test_many_classes_leave_the_largest():
    masks = np.stack([square(0, 2 * n, n + 1, (24, 32)) for n in range(12)])
    fields = made(
        LEGEND, raw(image=gradient(), masks=masks, names=[f"thing {n}" for n in range(12)]), training=False
    )
    assert fields["meta/truth"].count(":") == len(COLOURS)
    assert "thing 11" in fields["meta/truth"] and "thing 0" not in fields["meta/truth"]
