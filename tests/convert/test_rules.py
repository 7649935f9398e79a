"""Names and layouts there and back."""

import numpy as np
import pytest

from unified_io.convert import stream, uio2
from unified_io.convert.rules import (
    CONVOLUTION,
    SAME,
    TRANSPOSED,
    TRANSPOSED_CONVOLUTION,
    Rule,
    Table,
)
from unified_io.errors import CheckpointError
from unified_io.gin_edge import session

TABLE = Table(
    "theirs",
    (
        Rule("a.{i}.{name:x|y}.weight", "b_{i}/{name:x|y}/kernel", TRANSPOSED),
        Rule("c.{rest...}", "d/{rest...}"),
    ),
)


@pytest.mark.parametrize(("theirs", "ours"), [("a.3.x.weight", "b_3/x/kernel"), ("c.p.q.r", "d/p/q/r")])
def test_a_name_goes_there_and_back(theirs, ours):
    assert TABLE.to_ours(theirs)[0] == ours
    assert TABLE.to_theirs(ours)[0] == theirs


@pytest.mark.parametrize("name", ["a.3.z.weight", "a.3.4.x.weight", "e", "a.3.x.weight.more"])
def test_what_no_rule_fits_is_unknown(name):
    assert TABLE.to_ours(name) is None
    with pytest.raises(CheckpointError, match="theirs has no place for parameter e/f"):
        TABLE.to_theirs("e/f")


@pytest.mark.parametrize("layout", [SAME, TRANSPOSED, CONVOLUTION, TRANSPOSED_CONVOLUTION])
def test_a_layout_is_undone_by_its_inverse(layout):
    array = np.arange(2 * 3 * 4 * 5).reshape((2, 3, 4, 5))
    array = array[..., 0, 0] if layout is TRANSPOSED else array
    np.testing.assert_array_equal(layout.theirs(layout.ours(array)), array)


def test_a_transposed_convolution_is_turned_around():
    """Scattering a kernel equals gathering it backwards."""
    theirs = np.arange(4.0).reshape(1, 1, 2, 2)
    np.testing.assert_array_equal(TRANSPOSED_CONVOLUTION.ours(theirs)[:, :, 0, 0], [[3, 2], [1, 0]])


# Tensors of the released models, as the official code makes them.
@pytest.mark.parametrize(("size", "tensors"), [("large", 1625), ("xl", 1625), ("xxl", 1621)])
@pytest.mark.parametrize("table", [uio2.PORT, uio2.T5X], ids=lambda table: table.family)
def test_every_parameter_of_a_released_size_has_one_name(size, tensors, table):
    config = session.build_macro(session.parse([f"gin_configs/model/{size}.gin"], []), "MODEL")
    ours = stream.shapes_of(config)
    theirs = {table.to_theirs(name)[0]: name for name in ours}
    assert len(ours) == len(theirs) == tensors
    assert all(table.to_ours(their)[0] == name for their, name in theirs.items())


def test_a_part_takes_names_relative_to_its_module():
    part = uio2.part({"quantize.embedding.weight": np.zeros((3, 2))}, "target_embedders.image.vqgan")
    assert part["quantize"]["embedding"].shape == (3, 2)
    with pytest.raises(CheckpointError, match=r"target_embedders\.audio\.vqgan\.nothing"):
        uio2.part({"nothing": np.zeros(2)}, "target_embedders.audio.vqgan")
