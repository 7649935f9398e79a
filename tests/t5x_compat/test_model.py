"""The stand-in for T5X trains, evaluates, predicts with and scores by our model; the numbers are our engine's."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny import featurize, tiny_batch

from tests.t5x_compat import stand_in
from tests.t5x_compat.alone import alone, flat, small_config, small_examples
from tests.t5x_compat.upstream.t5x import states as t5x_states
from tests.t5x_compat.upstream.t5x import trainer as t5x_trainer
from unified_io import pytree
from unified_io.api.model import UnifiedIO
from unified_io.errors import ConfigError
from unified_io.loss import merged, total_loss
from unified_io.model import Network
from unified_io.t5x_compat import batches
from unified_io.t5x_compat.model import T5XModel
from unified_io.train import optimizer as optimizers
from unified_io.train.optimizer import OptimizerConfig, ScheduleConfig
from unified_io.train.state import TrainState
from unified_io.train.step import make_train_step

CONFIG = small_config()
RATE = ScheduleConfig("constant * linear_warmup", base=3e-3, warmup_steps=2)
OPTIMIZER = OptimizerConfig("adamw", RATE, weight_decay=0.1, frozen=("^shared_image_encoder/",))
SEEDS = range(3)


@pytest.fixture(scope="module")
def trained():
    """The trainer after three steps, its parameters before them, and the metrics of every step."""
    model = T5XModel(CONFIG, OPTIMIZER)
    steps = [flat(CONFIG, small_examples(seed)) for seed in SEEDS]
    trainer = stand_in.Trainer(model, steps[0], optimizers.schedule(RATE))
    start = jax.tree.map(np.array, trainer.state.params)
    return trainer, start, [trainer.train(batch) for batch in steps]


def test_three_steps_are_those_of_our_train_step(trained):
    trainer, start, found = trained
    network, optimizer = Network(CONFIG), optimizers.build(OPTIMIZER, start)

    def loss_fn(params, batch, rng):
        return total_loss(network.apply({"params": params}, batch))

    step = make_train_step(loss_fn, optimizer, seed=0)
    state = TrainState.create(jax.tree.map(jnp.array, start), optimizer)
    for seed, metrics in zip(SEEDS, found, strict=True):
        state, wanted = step(state, alone(CONFIG, small_examples(seed)))
        for name in metrics.keys() & wanted.keys():
            assert metrics[name] == pytest.approx(float(wanted[name]), rel=2e-4), name
    assert {
        "loss",
        "text/loss",
        "action/accuracy",
        "action/tokens",
        "loss_per_nonpadding_target_token",
    } <= found[0].keys()
    assert [metrics["learning_rate"] for metrics in found] == pytest.approx([1e-8, 1.5e-3, 3e-3])
    theirs = pytree.named_leaves(trainer.state.params)
    assert len({metrics["loss"] for metrics in found}) == 3
    for name, leaf in pytree.named_leaves(state.params).items():
        np.testing.assert_allclose(theirs[name], leaf, rtol=2e-3, atol=2e-5, err_msg=name)


def test_every_array_has_a_place_on_the_mesh_and_a_line_in_the_model_info(trained, tmp_path):
    trainer, *_ = trained
    places = pytree.named_leaves(trainer.initializer.train_state_axes.params)
    assert places.keys() == pytree.named_leaves(trainer.state.params).keys()
    assert tuple(places["shared_text_token_embedder/embedding"]) == ("model", None)
    shapes = trainer.initializer.global_train_state_shape
    t5x_states.log_model_info(tmp_path / "model-info.txt", shapes, trainer.partitioner)
    lines = (tmp_path / "model-info.txt").read_text().splitlines()
    assert len(lines) == len(jax.tree.leaves(shapes.state_dict())) + 1
    assert any("state/step" in line or line.startswith("Variable step ") for line in lines)


def test_metrics_of_two_batches_merge_to_those_of_both(trained):
    trainer, *_ = trained
    parts = [flat(CONFIG, small_examples()[:2]), flat(CONFIG, small_examples()[2:])]
    found = trainer.evaluate(parts)
    plain = [
        {key: float(value) for key, value in _losses(trainer.state.params, part).items()} for part in parts
    ]
    wanted = merged(plain)
    for name in ("text/loss", "text/accuracy", "action/loss", "action/z_loss"):
        assert found[name] == pytest.approx(wanted[name], rel=1e-4), name


@jax.jit
def _losses(params, part):
    return total_loss(Network(CONFIG).apply({"params": params}, batches.unflatten(part)))[1]


def test_microbatches_give_gradients_and_metrics_of_the_same_types(trained):
    trainer, *_ = trained
    batch = flat(CONFIG, small_examples())
    both = [
        jax.eval_shape(
            functools.partial(t5x_trainer.accumulated, T5XModel(CONFIG, OPTIMIZER), microbatches=parts),
            trainer.state,
            batch,
            rng=jax.random.PRNGKey(0),
        )
        for parts in (None, 2)
    ]
    assert both[0] == both[1]
    weights = t5x_trainer.WeightMetricsComputer().compute_metrics
    named = jax.eval_shape(weights, both[0][0], trainer.state, trainer.state)
    assert len(named) == 3 * len(jax.tree.leaves(trainer.state.params))


def test_losses_of_microbatches_add_up_as_t5x_adds_their_gradients(trained):
    _, start, _ = trained
    evaluate = jax.jit(T5XModel(CONFIG, loss_normalizing_factor=50.0).eval_fn)
    blank = {"text_inputs": ""}
    first, second = small_examples()[:2], small_examples()[2:]
    whole, *parts = (
        float(evaluate(start, flat(CONFIG, examples))[0])
        for examples in ([*first, *second], [*first, blank, blank], [blank, blank, *second])
    )
    assert whole == pytest.approx(sum(parts), rel=1e-4)


def test_predictions_are_those_of_our_api(trained):
    _, start, _ = trained
    asked = {"text_inputs": "[Text] [S] which digit?", "image_inputs": small_examples()[0]["image_inputs"]}
    model = T5XModel(CONFIG)
    # T5X hands over keys as plain numbers.
    key = jax.random.PRNGKey(0)
    tokens, aux = jax.jit(model.predict_batch_with_aux)(start, flat(CONFIG, [asked, asked]), key)
    assert tokens.shape == (2, CONFIG.target("text").length) and aux["scores"].shape == (2,)
    np.testing.assert_array_equal(tokens[0], tokens[1])
    said = CONFIG.target("text").detokenize(np.asarray(tokens[0]))
    api = UnifiedIO(CONFIG, start)
    assert said == api.generate("text", text=asked["text_inputs"], image=asked["image_inputs"])


def test_scores_are_those_of_our_api(trained):
    _, start, _ = trained
    asked = {"text_inputs": "[Text] [S] which digit?"}
    answers = ["seven", "a box"]
    batch = flat(CONFIG, [{**asked, "text_targets": answer} for answer in answers])
    found = jax.jit(T5XModel(CONFIG).score_batch)(start, batch)
    wanted = UnifiedIO(CONFIG, start).score(answers, text=asked["text_inputs"])
    np.testing.assert_allclose(found, wanted, rtol=1e-4)


def test_packed_rows_are_trained_on_and_not_predicted():
    packed = batches.flatten(tiny_batch(CONFIG, featurize(CONFIG, small_examples()), packed=True))
    variables = jax.eval_shape(
        lambda: T5XModel(CONFIG).get_initial_variables(jax.random.PRNGKey(0), packed, None)
    )
    with pytest.raises(ConfigError, match="pack = False"):
        jax.eval_shape(T5XModel(CONFIG).predict_batch, variables["params"], packed)
    loss, _ = jax.eval_shape(T5XModel(CONFIG).eval_fn, variables["params"], packed)
    assert loss.shape == ()


def test_features_of_another_model_are_named():
    batch = flat(CONFIG, small_examples()[:1])
    batch.pop("inputs/image/input")
    with pytest.raises(ConfigError, match="no inputs/image/input .*FEATURE_CONVERTER_CLS"):
        T5XModel(CONFIG).get_initial_variables(jax.random.PRNGKey(0), batch)
