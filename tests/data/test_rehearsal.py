"""A rehearsal tells what the packer will do, without an example."""

import numpy as np
import pytest

from tests.data.fakes import INPUTS, TARGETS, random_features
from unified_io.data.budgets import Budgets
from unified_io.data.packer import Packer, Prepared
from unified_io.data.packing import measure
from unified_io.data.rehearsal import rehearse
from unified_io.errors import DataError

BUDGETS = Budgets(3, 30, 20, {"words": 70, "pictures": 8}, {"answers": 50, "drawings": 6})
ALONE = Budgets(3, 30, 20, {"words": 70, "pictures": 8}, {"answers": 50, "drawings": 6}, examples_per_row=1)


def prepared(count, seed=0):
    rng = np.random.default_rng(seed)
    for index in range(count):
        features = random_features(rng)
        yield Prepared(f"example {index}", "made", features, measure(features, INPUTS, TARGETS))


@pytest.mark.parametrize("budgets", [BUDGETS, ALONE])
@pytest.mark.parametrize("lookahead", [1.5, 2.0, 5.0])
def test_a_rehearsal_is_what_the_packer_does(budgets, lookahead):
    examples = list(prepared(300))
    batches = list(Packer(INPUTS, TARGETS, budgets, lookahead=lookahead).batches(examples))
    # Behind the last full buffer the packer goes on with less to choose from; those batches do not count.
    counted, left = [], list(examples)
    for packed in batches:
        if not (budgets.costs([x.lengths for x in left]).sum(axis=0) >= lookahead * budgets.group_room).any():
            break
        counted.append(packed)
        chosen = {x.name for x in packed.examples}
        left = [x for x in left if x.name not in chosen]
    found = rehearse([x.lengths for x in examples], budgets, lookahead)
    assert 2 < len(counted) < len(batches)
    assert found.fill == pytest.approx(
        {kind: np.mean([one.fill[kind] for one in counted]) for kind in budgets.kinds}
    )
    assert found.examples == np.mean([len(one.examples) for one in counted])
    assert found.ahead == max(len(one.examples) + one.waiting for one in counted)


def test_less_than_a_batch_is_planned_into_one():
    lengths = [x.lengths for x in prepared(2)]
    found = rehearse(lengths, BUDGETS)
    assert found.fill["encoder tokens"] == sum(x.encoder for x in lengths) / 90
    assert found.examples == found.ahead == 2
    with pytest.raises(DataError, match="measure some first"):
        rehearse([], BUDGETS)
