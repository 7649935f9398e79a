"""Examples of tasks become T5X's features: one a group in order, or packed."""

import numpy as np
import pytest
import tensorflow as tf

from tests.t5x_compat.alone import flat
from tests.t5x_compat.small_tasks import CONFIG, LENGTHS, asked, dataset_config, declared, read
from tests.t5x_compat.stand_in import partitioner
from tests.t5x_compat.upstream.t5x import utils
from unified_io.data.budgets import Budgets
from unified_io.errors import ConfigError
from unified_io.t5x_compat import batches
from unified_io.t5x_compat.converter import for_training
from unified_io.t5x_compat.lengths import limited
from unified_io.t5x_compat.model import T5XModel

BUDGETS = Budgets(
    1,
    64,
    48,
    {m.name: 64 if m.slot_size == 1 else 4 for m in CONFIG.inputs},
    {m.name: 48 if m.slot_size == 1 else 3 for m in CONFIG.targets},
)


@pytest.fixture(scope="module", autouse=True)
def tasks():
    with declared():
        yield


def test_an_example_is_what_our_own_preprocessing_makes_of_it():
    rows = [asked({"number": n}, None) for n in range(6)]
    wanted = flat(limited(CONFIG, LENGTHS), rows)
    batches = utils.prepare_train_iter(read("t5x_asked", batch_size=6), partitioner())
    assert batches.peek_async().result() is next(batches) is not None
    (found,) = read("t5x_asked", batch_size=6).as_numpy_iterator()
    assert found.keys() == wanted.keys() == batches.element_spec.keys()
    for name, leaf in wanted.items():
        np.testing.assert_array_equal(found[name], leaf, err_msg=name)
        assert found[name].dtype == leaf.dtype == batches.element_spec[name].dtype, name
        assert leaf.shape == batches.element_spec[name].shape, name


def test_shapes_are_known_before_anything_is_read():
    specs = read("t5x_mixed").element_spec
    assert all(spec.shape.is_fully_defined() for spec in specs.values())
    assert specs["inputs/text/tokens"].shape == (1, 20) and specs["targets/text/targets"].shape == (1, 10)
    assert read("t5x_mixed", lengths=None).element_spec["inputs/text/tokens"].shape == (1, 24)


def test_every_task_of_a_mixture_is_evaluated_on_batches_of_its_own():
    model = T5XModel(CONFIG, budgets=BUDGETS)
    cfg = dataset_config("t5x_mixed", split="validation", batch_size=4)
    found = utils.get_training_eval_datasets(cfg, 0, 1, 3, model.FEATURE_CONVERTER_CLS)
    assert [name.split(".")[0] for name in sorted(found)] == ["t5x_asked", "t5x_drawn", "t5x_mixed"]
    for name, dataset in found.items():
        steps = list(dataset.as_numpy_iterator())
        zeros = utils.get_zeros_batch_like_dataset(dataset)
        assert len(steps) == 3 and zeros.keys() == steps[0].keys()
        tokens = sum((step["targets/text/targets"] > 0).sum() for step in steps)
        assert (tokens > 0) is not name.startswith("t5x_drawn")
        assert all(zeros[key].shape == leaf.shape for key, leaf in steps[0].items())


def test_packing_puts_all_examples_into_fewer_groups():
    model = T5XModel(CONFIG, budgets=BUDGETS)
    groups = list(read("t5x_asked", model, pack=True).unbatch().as_numpy_iterator())
    assert len(groups) < 6
    per_group = [int(group["encoder/segment_ids"].max()) for group in groups]
    assert sum(per_group) == 6 and max(per_group) > 1
    found = sorted(token for group in groups for token in group["targets/text/targets"].tolist() if token)
    alone = list(read("t5x_asked").unbatch().as_numpy_iterator())
    assert found == sorted(token for one in alone for token in one["targets/text/targets"].tolist() if token)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"pack": True}, "no budgets; bind T5XModel.budgets"),
        ({"pack": False, "use_custom_packing_ops": True}, "use_custom_packing_ops = False"),
    ],
)
def test_what_can_not_be_converted_is_said(options, words):
    with pytest.raises(ConfigError, match=words):
        T5XModel(CONFIG).FEATURE_CONVERTER_CLS(**options)


def test_an_example_that_does_not_fit_is_left_out_of_training_and_of_nothing_else(caplog):
    short = {"text_targets": 5}
    with pytest.raises(tf.errors.OpError, match="t5x_asked 0: .* need 8 text target items"):
        next(read("t5x_asked", lengths=short).as_numpy_iterator())
    groups = list(read("t5x_mixed", lengths=for_training(short)).unbatch().as_numpy_iterator())
    filled = {bool(group["encoder/segment_ids"].any()) for group in groups}
    assert filled == {True, False} and len(groups) == 12
    assert "left out t5x_asked" in caplog.text and "left out t5x_drawn" not in caplog.text


def test_an_unknown_length_is_named():
    with pytest.raises(ConfigError, match="'text_input'; did you mean 'text_inputs'"):
        read("t5x_asked", lengths={"text_input": 3})


def test_the_flat_names_of_a_dataset_are_those_of_a_batch():
    nested = batches.unflatten(read("t5x_asked").element_spec)
    assert nested.keys() == {"inputs", "targets", "encoder", "decoder", "heads"}
