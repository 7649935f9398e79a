"""Flat names and nested ones say the same."""

import numpy as np
from tiny import tiny_config, tiny_examples

from tests.t5x_compat.alone import alone
from unified_io import pytree
from unified_io.t5x_compat import batches


def test_flat_and_back_is_the_same_batch():
    batch = alone(tiny_config(), tiny_examples())
    flat = batches.flatten(batch)
    again = pytree.named_leaves(batches.unflatten(flat))
    wanted = pytree.named_leaves(batch)
    assert len(flat) == len(wanted) and again.keys() == wanted.keys()
    for name, leaf in wanted.items():
        assert again[name] is leaf, name


def test_names_are_those_of_the_released_batches_where_these_have_one():
    flat = batches.flatten(alone(tiny_config(), tiny_examples()))
    released = {
        *(f"inputs/text/{name}" for name in ("tokens", "pos_ids")),
        *(f"inputs/image/{name}" for name in ("input", "mask", "pos_ids")),
        *(f"inputs/image_history/{name}" for name in ("input", "mask", "pos_ids")),
        *(f"inputs/audio/{name}" for name in ("input", "mask", "pos_ids")),
        *(f"targets/text/{name}" for name in ("inputs", "targets", "pos_ids")),
        *("targets/image/image", "targets/image/mask", "targets/image/loss_mask", "targets/audio/audio"),
    }
    assert released <= flat.keys()
    assert {"encoder/slots", "heads/text/positions", "decoder/example_ids"} <= flat.keys()
    assert {np.shape(leaf)[0] for leaf in flat.values()} == {len(tiny_examples())}
