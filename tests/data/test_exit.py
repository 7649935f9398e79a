"""A process that dies of an unreadable record ends at once, though a thread of TensorFlow is still reading."""

import subprocess
import sys

PROGRAM = """
import numpy as np, seqio, tensorflow as tf
from unified_io.data import pipeline

def slow(raw, rng):
    sum(range(300_000))
    if raw["number"] == 1:
        raise ValueError("torn")
    return {"text_inputs": "a", "text_targets": "b", "meta/id": "c"}

fields = ("text_inputs", "text_targets", "meta/id")
seqio.TaskRegistry.add("exit", source=seqio.FunctionDataSource(
    lambda split, shuffle_files, seed=None: tf.data.Dataset.range(1000).map(lambda i: {"number": i}), ["train"]),
    preprocessors=[pipeline.numpy_map(slow, fields, "exit")], output_features=pipeline.output_features(fields))
for _ in pipeline.examples(seqio.TaskRegistry.get("exit"), "train"):
    pass
"""


def test_an_uncaught_error_of_a_record_ends_the_process():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "DataError" in done.stderr and "torn" in done.stderr
