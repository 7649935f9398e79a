"""Examples of tasks become T5X's features: one a group in order, or packed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import seqio
import tensorflow as tf

from tests.t5x_compat.alone import flat, small_config, small_examples
from tests.t5x_compat.stand_in import computed
from unified_io.data import pipeline
from unified_io.data.budgets import Budgets
from unified_io.errors import ConfigError
from unified_io.t5x_compat import batches
from unified_io.t5x_compat.lengths import limited
from unified_io.t5x_compat.model import T5XModel
from unified_io.t5x_compat.tasks import Spelling, registered

CONFIG = small_config()
EXAMPLES = small_examples()
WRITES = ("text_inputs", "text_targets", "image_inputs", "image_targets", "meta/id")
LENGTHS = {"text_inputs": 20, "text_targets": 6}
BUDGETS = Budgets(
    1,
    64,
    48,
    {m.name: 64 if m.slot_size == 1 else 4 for m in CONFIG.inputs},
    {m.name: 48 if m.slot_size == 1 else 3 for m in CONFIG.targets},
)


def asked(raw, rng):
    """The first of the small examples, told apart by their numbers."""
    n = int(raw["number"])
    return {"text_inputs": f"[Text] [S] {n}", "image_inputs": EXAMPLES[0]["image_inputs"]} | {
        "text_targets": f"it is {n}",
        "meta/id": str(n),
    }


def drawn(raw, rng):
    return {"text_inputs": "[Image] [S] draw", "image_targets": EXAMPLES[1]["image_targets"], "meta/id": "0"}


@pytest.fixture(scope="module", autouse=True)
def tasks():
    def numbers(split, shuffle_files, seed=None):
        return tf.data.Dataset.range(6).map(lambda i: {"number": i})

    for name, form in {"t5x_asked": asked, "t5x_drawn": drawn}.items():
        seqio.TaskRegistry.add(
            name,
            source=seqio.FunctionDataSource(numbers, splits=("train", "validation")),
            preprocessors=[pipeline.numpy_map(form, WRITES, name)],
            output_features=pipeline.output_features(("text_inputs",)),
            metric_fns=[],
        )
    seqio.MixtureRegistry.add("t5x_mixed", [("t5x_asked", 2.0), ("t5x_drawn", 1.0)])
    before = {*seqio.TaskRegistry.names()}, {*seqio.MixtureRegistry.names()}
    yield
    for registry, names in zip((seqio.TaskRegistry, seqio.MixtureRegistry), before, strict=True):
        for name in {*registry.names()} - names:
            registry.remove(name)
    seqio.MixtureRegistry.remove("t5x_mixed")
    for name in ("t5x_asked", "t5x_drawn"):
        seqio.TaskRegistry.remove(name)


def read(name, model=T5XModel(CONFIG), *, pack=False, lengths=LENGTHS, split="train", batch_size=None):
    """What T5X's `get_dataset` does with a task."""
    converter = model.FEATURE_CONVERTER_CLS(pack=pack, use_custom_packing_ops=False)
    return seqio.get_dataset(
        mixture_or_task_name=registered(name, CONFIG),
        task_feature_lengths=lengths,
        dataset_split=split,
        shuffle=False,
        num_epochs=1,
        feature_converter=converter,
        shard_info=seqio.ShardInfo(index=0, num_shards=1),
        seed=0,
        batch_size=batch_size,
    )


def test_an_example_is_what_our_own_preprocessing_makes_of_it():
    config = limited(CONFIG, LENGTHS)
    rows = [asked({"number": n}, None) for n in range(6)]
    wanted = flat(config, rows)
    (found,) = read("t5x_asked", batch_size=6).as_numpy_iterator()
    assert found.keys() == wanted.keys()
    for name, leaf in wanted.items():
        np.testing.assert_array_equal(found[name], leaf, err_msg=name)
        assert found[name].dtype == leaf.dtype, name


def test_shapes_are_known_before_anything_is_read():
    dataset = read("t5x_mixed")
    assert all(spec.shape.is_fully_defined() for spec in dataset.element_spec.values())
    assert dataset.element_spec["inputs/text/tokens"].shape == (20,)
    assert dataset.element_spec["targets/text/targets"].shape == (6,)
    assert read("t5x_mixed", lengths=None).element_spec["inputs/text/tokens"].shape == (24,)


def test_the_model_reads_what_a_mixture_gives():
    model = T5XModel(CONFIG)
    steps = list(read("t5x_mixed", model, batch_size=4).as_numpy_iterator())[:2]
    variables = jax.eval_shape(lambda: model.get_initial_variables(jax.random.PRNGKey(0), steps[0]))
    params = jax.tree.map(lambda leaf: jnp.full(leaf.shape, 0.01), variables["params"])
    evaluate = jax.jit(model.eval_fn)
    metrics = [computed(evaluate(params, batch)[1]) for batch in steps]
    assert all(np.isfinite(each["loss"]) for each in metrics)
    assert any(each["image/tokens"] > 0 for each in metrics) and metrics[0]["text/tokens"] > 0


def test_packing_puts_all_examples_into_fewer_groups():
    model = T5XModel(CONFIG, budgets=BUDGETS)
    groups = list(read("t5x_asked", model, pack=True).as_numpy_iterator())
    assert len(groups) < 6
    per_group = [int(group["encoder/segment_ids"].max()) for group in groups]
    assert sum(per_group) == 6 and max(per_group) > 1
    found = sorted(token for group in groups for token in group["targets/text/targets"].tolist() if token)
    alone = list(read("t5x_asked").as_numpy_iterator())
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


def test_an_unknown_length_is_named():
    with pytest.raises(ConfigError, match="'text_input'; did you mean 'text_inputs'"):
        read("t5x_asked", lengths={"text_input": 3})


def test_a_registered_task_is_bound_once_and_leaves_the_declared_one_alone():
    declared = seqio.TaskRegistry.get("t5x_asked")
    name = registered("t5x_mixed", CONFIG)
    assert name == registered("t5x_mixed", CONFIG) != registered("t5x_mixed", small_config(mlp_dim=48))
    mixture = seqio.get_mixture_or_task(name)
    # T5X asks for the tasks of a mixture by name, one by one
    assert {seqio.TaskRegistry.get(task.name) for task in mixture.tasks} == {*mixture.tasks}
    rates = [mixture.get_rate(task) for task in sorted(mixture.tasks, key=lambda task: task.name)]
    assert rates == [2.0, 1.0]
    assert seqio.TaskRegistry.get("t5x_asked") is declared


def test_predicted_tokens_are_read_as_text():
    name = registered("t5x_asked", CONFIG)
    vocabulary = seqio.TaskRegistry.get(name).output_features["text_targets"].vocabulary
    target = CONFIG.target("text")
    rows = [
        target.preprocess({"text_targets": t}, seed=0, training=False)["tokens"] for t in ("a box", "seven")
    ]
    padded = np.stack([np.pad(row, (0, 12 - len(row))) for row in rows])
    assert vocabulary.decode_tf(tf.constant(padded[0])).numpy() == b"a box"
    assert vocabulary.decode_tf(tf.constant(padded)).numpy().tolist() == [b"a box", b"seven"]
    assert vocabulary == Spelling(target) != seqio.PassThroughVocabulary(size=1)


def test_the_flat_names_of_a_dataset_are_those_of_a_batch():
    assert batches.unflatten(read("t5x_asked").element_spec).keys() == {
        "inputs",
        "targets",
        "encoder",
        "decoder",
        "heads",
    }
