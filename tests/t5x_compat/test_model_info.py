"""model-info.txt says what a model is made of."""

import re

import jax
from tiny import tiny_config

from unified_io.model import parameter_shapes
from unified_io.t5x_compat import model_info


def test_a_line_a_variable_and_the_total(tmp_path):
    boxed = parameter_shapes(tiny_config())
    model_info.write(tmp_path / "run", boxed)
    *lines, total = (tmp_path / "run" / "model-info.txt").read_text().splitlines()
    leaves = jax.tree.leaves(boxed)
    assert len(lines) == len(leaves)
    assert total == f"Total number of parameters: {sum(leaf.size for leaf in leaves)}"
    sizes = [int(re.search(r" size (\d+) ", line)[1]) for line in lines]
    assert sum(sizes) == sum(leaf.size for leaf in leaves)
    (table,) = [line for line in lines if line.startswith("Variable shared_text_token_embedder/embedding ")]
    assert re.search(r"shape \(vocab=\d+, embed=16\) partition spec \('model', 'fsdp'\)", table)
