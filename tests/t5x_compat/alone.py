"""A model of few parts, fast to compile, and its flat batches: every example in a group of its own."""

import dataclasses

from tiny import VIT, featurize, tiny_config, tiny_examples

from unified_io.data import proposals
from unified_io.data.batch import assemble
from unified_io.data.packing import measure, one_per_row
from unified_io.t5x_compat import batches

INPUTS, TARGETS = ("text", "image"), ("text", "action")
FIELDS = {f"{name}_inputs" for name in INPUTS} | {f"{name}_targets" for name in TARGETS}


def small_config(**backbone):
    """One layer a part; reads text and images, writes text and pen strokes."""
    config = tiny_config(num_encoder_layers=1, num_decoder_layers=1, **backbone)
    shallow = dataclasses.replace(VIT, num_layers=1, second_feature=0)
    return dataclasses.replace(
        config,
        inputs=tuple(
            dataclasses.replace(m, vit=shallow) if m.name == "image" else m
            for m in config.inputs
            if m.name in INPUTS
        ),
        targets=tuple(m for m in config.targets if m.name in TARGETS),
    )


def small_examples(seed=0):
    """Two that ask for text with an image, one for strokes, and one for text without an image."""
    given = [tiny_examples(seed)[i] for i in (0, 3, 4)]
    given.append({"text_inputs": "[Text] [S] which?", "text_targets": "two"})
    return [{key: value for key, value in example.items() if key in FIELDS} for example in given]


def alone(config, examples):
    """The nested batch of examples, one a group of one row."""
    features = featurize(config, examples)
    lengths = [measure(x, config.inputs, config.targets) for x in features]
    plan = one_per_row(lengths, proposals.padded(config, rows=1), groups=len(examples))
    return assemble(features, plan, config.inputs, config.targets)


def flat(config, examples):
    """The same as T5X holds it."""
    return batches.flatten(alone(config, examples))
