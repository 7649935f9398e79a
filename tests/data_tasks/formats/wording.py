"""What tests of formats share: raw examples, the laws every format obeys, and the way an oracle takes."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import seqio
import tensorflow as tf

from data_tasks.formats.base import PREFIXES, PROMPTS, Format, preprocessor
from data_tasks.sources.record import checked, pack
from unified_io.data.values import as_read
from unified_io.preprocess.prompts import read_wordings

SEEDS = range(12)
_SLOT = re.compile(r"\{\w+\}")


def picture(height=24, width=36, seed=0):
    return np.random.default_rng(seed).random((height, width, 3)).astype(np.float32)


def sound(seed=0, frames=32):
    return np.random.default_rng(seed).normal(-5, 1, (frames, 16)).astype(np.float32)


def raw(**fields: Any) -> dict[str, Any]:
    """A raw example as sources give it: checked, and trained on unless it says otherwise."""
    return checked({"id": "made up 3", "training": True, **fields})


def made(form: Format, example: Mapping[str, Any], seed: int = 0, **other: Any) -> dict[str, Any]:
    """The fields that a format makes."""
    return form({**example, **other}, np.random.default_rng(seed))


def check_laws(form: Format, example: Mapping[str, Any]) -> None:
    """Fields are within `writes`, a seed gives one example, wordings for evaluation are met in evaluation alone.

    And what is made passes the pipeline: it is read back as it was written.
    """
    for training in (True, False):
        prompts = set()
        for seed in SEEDS:
            fields = made(form, example, seed, training=training)
            assert fields.keys() <= set(form.writes)
            again = made(form, example, seed, training=training)
            for key, value in fields.items():
                np.testing.assert_equal(again[key], value)
            assert fields["meta/id"] == "made up 3"
            prompts.add(fields["text_inputs"])
            assert worded_by(form, fields["text_inputs"]) == training
        assert len(prompts) > 1, "every seed gives the same prompt"
    read = piped(form, example)
    assert read["text_inputs"].startswith(PREFIXES[form.output] + " [S] ")
    assert read["text_targets"]


def worded_by(form: Format, prompt: str) -> bool:
    """Whether a prompt is one of the wordings for training; else it must be one of those for evaluation."""
    text = prompt.removeprefix(f"{PREFIXES[form.output]} [S] ")
    fitting = {}
    for path in PROMPTS.glob(f"{form.prompts}*.txt"):
        for training, side in zip((True, False), read_wordings(path), strict=True):
            fitting |= {template: training for template in side if _fits(text, template)}
    assert fitting, f"no template of {form.prompts} gives {text!r}"
    # "{question}" alone fits any prompt: the one that says most itself is meant.
    return fitting[max(fitting, key=lambda template: len(_SLOT.sub("", template)))]


def _fits(text: str, template: str) -> bool:
    return re.fullmatch("(.+)".join(map(re.escape, _SLOT.split(template))), text, re.DOTALL) is not None


def piped(form: Format, example: Mapping[str, Any], seed: int = 0) -> dict[str, Any]:
    """The fields of a packed example behind the real preprocessor, as an evaluator reads them."""
    row = {"id": tf.constant("made up 3"), "record": tf.constant(pack(example))}
    with seqio.map_seed_manager(seed):
        dataset = preprocessor(form, "made_up")(tf.data.Dataset.from_tensors(row))
    return {key: as_read(key, value) for key, value in next(dataset.as_numpy_iterator()).items()}


def oracle(form: Format, examples: Sequence[Mapping[str, Any]], answer: Any = None) -> dict[str, float]:
    """Scores of the true targets in evaluation, by metric; or of one answer to everything."""
    fields = [made(form, {**example, "id": str(n)}, n, training=False) for n, example in enumerate(examples)]
    assert all(isinstance(one["text_targets"], str) for one in fields), "one target in evaluation"
    answers = [one["text_targets"] if answer is None else answer for one in fields]
    predictions = [form.parse(said, one) for said, one in zip(answers, fields, strict=True)]
    truths = [form.truth(one) for one in fields]
    return {metric.name: metric.total(predictions, truths) for metric in form.metrics}


def best(form: Format) -> dict[str, float]:
    """What the oracle of a format should score."""
    return {metric.name: metric.best for metric in form.metrics}
