"""Two small tasks and their mixture, declared for as long as a test module runs."""

import contextlib

import seqio
import tensorflow as tf

from tests.t5x_compat.alone import small_config, small_examples
from tests.t5x_compat.upstream.t5x import utils
from unified_io.data import pipeline
from unified_io.t5x_compat.model import T5XModel
from unified_io.t5x_compat.tasks import registered

CONFIG = small_config()
EXAMPLES = small_examples()
WRITES = ("text_inputs", "text_targets", "image_inputs", "action_targets", "meta/id")
LENGTHS = {"text_inputs": 20, "text_targets": 10}


def asked(raw, rng):
    """The first of the small examples, told apart by their numbers; the answer may be a word or a number."""
    n = int(raw["number"])
    return {"text_inputs": f"[Text] [S] {n}", "image_inputs": EXAMPLES[0]["image_inputs"]} | {
        "text_targets": [f"it is {n}", str(n)],
        "meta/id": str(n),
    }


def drawn(raw, rng):
    """Asks for strokes, not for text."""
    return {
        "text_inputs": "[Action] [S] draw",
        "action_targets": EXAMPLES[1]["action_targets"],
        "meta/id": "0",
    }


@contextlib.contextmanager
def declared():
    """Declares `t5x_asked`, `t5x_drawn` and `t5x_mixed`; forgets them and their bound copies in the end."""

    def numbers(split, shuffle_files, seed=None):
        return tf.data.Dataset.range(6).map(lambda i: {"number": i})

    before = {*seqio.TaskRegistry.names()}, {*seqio.MixtureRegistry.names()}
    for name, form in {"t5x_asked": asked, "t5x_drawn": drawn}.items():
        seqio.TaskRegistry.add(
            name,
            source=seqio.FunctionDataSource(numbers, splits=("train", "validation")),
            preprocessors=[pipeline.numpy_map(form, WRITES, name)],
            output_features=pipeline.output_features(("text_inputs",)),
            metric_fns=[],
        )
    seqio.MixtureRegistry.add("t5x_mixed", [("t5x_asked", 2.0), ("t5x_drawn", 1.0)])
    yield
    for registry, names in zip((seqio.TaskRegistry, seqio.MixtureRegistry), before, strict=True):
        for name in {*registry.names()} - names:
            registry.remove(name)


def dataset_config(name, lengths=LENGTHS, split="train", batch_size=1, **options):
    """What a gin file says of a dataset."""
    return utils.DatasetConfig(
        registered(name, CONFIG), lengths, split, batch_size, shuffle=False, seed=0, **options
    )


def read(name, model=T5XModel(CONFIG), **options):
    """What T5X reads to train on; the first axis is that of the batch."""
    return utils.get_dataset(dataset_config(name, **options), 0, 1, model.FEATURE_CONVERTER_CLS, num_epochs=1)
