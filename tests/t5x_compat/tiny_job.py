"""A job file and a model file so small that training it costs seconds, and the mixture that it reads.

Importing registers two tasks: one with metrics of its own, of predictions and of scores, and one without.
"""

import numpy as np
import seqio
import tensorflow as tf

from unified_io.data import pipeline

MIXTURE, MEASURED, PLAIN = "engine_mixture", "engine_measured", "engine_plain"
EXAMPLES = {"train": 24, "validation": 7, "test": 5}
DIGITS = ("zero", "one", "two", "three")

MODEL = """
from __gin__ import dynamic_registration

from unified_io import model
from unified_io.backbones import encoder_decoder
from unified_io.encoders import vit
from unified_io.modalities import image
from unified_io.modalities import text

DROPOUT_RATE = 0.0
MODEL = @model.UnifiedIOConfig()
model.UnifiedIOConfig:
  backbone = @encoder_decoder.BackboneConfig()
  inputs = [@text.TextInput(), @image.ImageInput()]
  targets = [@text.TextTarget()]
encoder_decoder.BackboneConfig:
  emb_dim = 16
  num_heads = 2
  head_dim = 8
  mlp_dim = 32
  num_encoder_layers = 1
  num_decoder_layers = 1
  dropout_rate = %DROPOUT_RATE
  scan_layers = False
text.TextInput.max_length = 12
text.TextTarget.max_length = 6
image.ImageInput:
  resolution = 16
  patch = 8
  vit = @vit.VitConfig()
  frozen = False
vit.VitConfig:
  width = 16
  num_heads = 2
  num_layers = 1
  mlp_dim = 32
  grid = (2, 2)
  second_feature = 0
"""

JOB = f"""
from __gin__ import dynamic_registration

from unified_io.train import optimizer

MIXTURE_OR_TASK_NAME = "{MIXTURE}"
TASK_FEATURE_LENGTHS = {{"text_inputs": 10, "text_targets": 5}}
BATCH_SIZE = 4
RANDOM_SEED = 0
OPTIMIZER = @optimizer.OptimizerConfig()
optimizer.OptimizerConfig.learning_rate = @optimizer.ScheduleConfig()
optimizer.ScheduleConfig:
  factors = "constant * rsqrt_decay"
  base = 0.01
  warmup_steps = 1
"""


def accuracy(targets, predictions):
    """How many are right."""
    return {"accuracy": float(np.mean([p in t for t, p in zip(targets, predictions, strict=True)]))}


def likelihood(targets, scores):
    """How likely the right ones are."""
    return {"likelihood": float(np.mean(scores))}


def _numbers(split, shuffle_files, seed=None):
    return tf.data.Dataset.range(EXAMPLES[split]).map(lambda i: {"number": i})


def _write(raw, rng):
    number = int(raw["number"])
    return {
        "text_inputs": f"[Text] [S] digit {number}",
        "image_inputs": np.full((16, 16, 3), number / 30, np.float32),
        "text_targets": DIGITS[number % len(DIGITS)],
        "meta/id": f"row {number}",
    }


_FIELDS = ("text_inputs", "image_inputs", "text_targets", "meta/id")
for _name, _metrics in ((MEASURED, [accuracy, likelihood]), (PLAIN, [])):
    seqio.TaskRegistry.add(
        _name,
        source=seqio.FunctionDataSource(_numbers, splits=tuple(EXAMPLES)),
        preprocessors=[pipeline.numpy_map(_write, _FIELDS, _name)],
        output_features=pipeline.output_features(("text_inputs",)),
        metric_fns=_metrics,
        shuffle_buffer_size=24,
    )
seqio.MixtureRegistry.add(MIXTURE, [(MEASURED, 1.0), (PLAIN, 1.0)])
