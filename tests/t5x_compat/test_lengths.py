"""TASK_FEATURE_LENGTHS means on our configurations what it means in the released ones."""

import jax
import pytest
from tiny import tiny_config

from unified_io.errors import ConfigError
from unified_io.model import parameter_shapes
from unified_io.t5x_compat.lengths import limited

CONFIG = tiny_config()


def named(config):
    return {m.name: m for m in config.inputs}, {m.name: m for m in config.targets}


@pytest.mark.parametrize(
    ("lengths", "read"),
    [
        ({"text_inputs": 7}, lambda inputs, targets: inputs["text"].max_items == 7),
        ({"text_targets": 5}, lambda inputs, targets: targets["text"].length == 5),
        ({"image_input_samples": 2}, lambda inputs, targets: inputs["image"].slot_size == 2),
        ({"image_input_samples": 0.5}, lambda inputs, targets: inputs["image"].slot_size == 2),
        ({"audio_history_input_samples": 3}, lambda inputs, _: inputs["audio_history"].media.slot_size == 3),
        ({"num_frames": 1}, lambda inputs, _: inputs["image_history"].max_items == 1),
    ],
    ids=["text in", "text out", "patches", "part of the patches", "history", "frames"],
)
def test_a_length_is_set_where_it_belongs_and_nowhere_else(lengths, read):
    changed = limited(CONFIG, lengths)
    assert read(*named(changed)) and not read(*named(CONFIG))
    assert limited(CONFIG, dict.fromkeys(lengths)) == limited(CONFIG, {"is_training": True}) == CONFIG
    assert jax.tree.map(lambda x: x.shape, parameter_shapes(changed)) == jax.tree.map(
        lambda x: x.shape, parameter_shapes(CONFIG)
    )


@pytest.mark.parametrize(
    ("key", "near"), [("text_input", "text_inputs"), ("image_inputs_samples", "image_input_samples")]
)
def test_another_key_is_named_with_the_nearest(key, near):
    with pytest.raises(ConfigError, match=f"'{key}'; did you mean .*'{near}'"):
        limited(CONFIG, {key: 3})
