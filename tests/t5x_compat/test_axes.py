"""Boxes with names become the two trees T5X reads."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import traverse_util
from flax.linen import partitioning
from tiny import tiny_config

from unified_io import pytree
from unified_io.model import parameter_shapes
from unified_io.t5x_compat import axes
from unified_io.train import mesh


def test_every_parameter_has_a_name_for_each_axis():
    boxed = parameter_shapes(tiny_config(scan_layers=True))
    both = axes.variables(boxed)
    params = pytree.named_leaves(both["params"])
    assert params.keys() == pytree.named_leaves(nn.unbox(boxed)).keys()
    names = traverse_util.flatten_dict(
        dict(partitioning.get_axis_names(both["params_axes"]).unfreeze()), sep="/"
    )
    assert names.keys() == params.keys()
    for name, leaf in params.items():
        assert len(names[name]) == len(leaf.shape), name
    scanned = [name for name in names if name.startswith("encoder/layers/")]
    assert scanned and all(names[name][0] == "layers" for name in scanned)


def test_a_parameter_without_a_box_has_nameless_axes():
    both = axes.variables({"a": jnp.zeros((2, 3))})
    assert both["params_axes"]["a_axes"].names == (None, None)


def test_all_our_names_have_a_rule_of_t5x_or_of_ours():
    rules = dict(axes.additional_rules())
    used = {
        name
        for leaf in axes.named_boxes(parameter_shapes(tiny_config(scan_layers=True))).values()
        for name in axes.names(leaf)
    }
    assert used - {None} <= {*rules, *axes.STANDARD}
    assert rules.keys() <= dict(mesh.RULES).keys() and rules["image_patch"] == "model"
    assert jax.tree.leaves(rules) == ["model"], "T5X has no other axis to give to a name of ours"
