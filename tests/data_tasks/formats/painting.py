"""What tests of formats share whose answer is a picture: their laws, and the oracle's way through the modality."""

import numpy as np

from data_tasks.formats.base import PREFIXES
from tests.data_tasks.formats.wording import SEEDS, made, piped, worded_by
from unified_io.modalities.image import ImageTarget
from unified_io.tokenizers.vqgan import VQGANConfig

SIDE = 32
"""Of the window of `gradient` in evaluation."""
# Nothing is lost on the way to its square and back. A picture that no input picture places is resized with smooth
# edges, so its tokenizer has its size.
BESIDE_AN_INPUT = ImageTarget(vqgan=VQGANConfig(resolution=2 * SIDE), input_resolution=2 * SIDE)
ALONE = ImageTarget(vqgan=VQGANConfig(resolution=SIDE))
JUNK = [
    None,
    "no picture",
    np.zeros(0, np.float32),
    np.full((8, 8, 3), np.nan),
    np.zeros((5, 7, 1)),
    [[1, 2], [3]],
    np.full((4, 9, 3), 7.0),
]


def gradient(height=24, width=SIDE):
    """A picture no two pixels of which are alike: red says the row, green the column."""
    rows, columns = np.indices((height, width), np.float32)
    return np.stack([rows / height, columns / width, np.full((height, width), 0.5, np.float32)], axis=2)


def square(top, left, side, size=(24, SIDE)):
    """A mask of a square."""
    mask = np.zeros(size, bool)
    mask[top : top + side, left : left + side] = True
    return mask


def box_of(top, left, side, size=(24, SIDE)):
    """The box of that square."""
    return [top / size[0], left / size[1], (top + side) / size[0], (left + side) / size[1]]


def drawn(fields):
    """The true target as a model that makes no mistake gives it: through the modality, its square and back."""
    target = BESIDE_AN_INPUT if np.size(fields.get("image_inputs", ())) else ALONE
    return target.detokenize(target.preprocess(fields, seed=0, training=False)["pixels"][0])


def oracle(form, examples):
    """Scores of the true targets in evaluation, by metric, and of answers that are no pictures."""
    fields = [made(form, example, seed, training=False) for seed, example in enumerate(examples)]
    truths = [form.truth(one) for one in fields]
    score = lambda found: {m.name: m.total(found, truths) for m in form.metrics}  # noqa: E731
    exact = score([form.parse(drawn(one), one) for one in fields])
    for answer in JUNK:
        for name, value in score([form.parse(answer, one) for one in fields]).items():
            assert value != exact[name], (name, answer)
    return exact


def best(form):
    """What the oracle should score."""
    return {metric.name: metric.best for metric in form.metrics}


def check_laws(form, example):
    """Fields are within `writes`, a seed gives one example, held-out wordings are met in evaluation alone.

    A target is framed as what is shown, and all of it passes the pipeline.
    """
    for training in (True, False):
        prompts = set()
        for seed in SEEDS:
            fields = made(form, example, seed, training=training)
            again = made(form, example, seed, training=training)
            assert fields.keys() <= set(form.writes)
            for key, value in fields.items():
                np.testing.assert_equal(again[key], value)
            prompts.add(fields["text_inputs"])
            assert worded_by(form, fields["text_inputs"]) == training
            side = len(fields["image_targets"])
            for key in ("image_targets", "image_inputs"):
                if key in fields:
                    assert fields[key].shape == (side, side, 3) and fields[key].dtype == np.float32
                    assert fields[key].min() >= 0.0 and fields[key].max() <= 1.0
            assert fields["image_target_masks"].shape == (side, side)
            assert fields["image_target_masks"].any()
        assert len(prompts) > 1, "every seed gives the same prompt"
    read = piped(form, example)
    assert read["text_inputs"].startswith(PREFIXES["image"] + " [S] ")
    form.parse(drawn(read), read), form.truth(read)
