"""What must be true of the model whatever its numbers."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny import featurize, tiny_batch, tiny_config, tiny_examples

from unified_io.loss import total_loss
from unified_io.model import Network
from unified_io.nn import masks
from unified_io.nn.transformer import stack_layers


@pytest.fixture(scope="module")
def model():
    config = tiny_config()
    module = Network(config)
    features = featurize(config, tiny_examples())
    batch = tiny_batch(config, features)
    params = nn.unbox(jax.jit(module.init)(jax.random.key(0), batch))["params"]
    apply = jax.jit(lambda params, batch: module.apply({"params": params}, batch))
    return config, module, params, features, apply


def target_log_probs(outputs, batch) -> dict[str, list[float]]:
    """Log-probability of every real target token by modality, in bank order."""
    found = {}
    for name, out in outputs.items():
        logp = jax.nn.log_softmax(out.logits, axis=-1)
        chosen = np.take_along_axis(np.asarray(logp), np.asarray(out.tokens)[..., None], axis=-1)[..., 0]
        found[name] = chosen[np.asarray(batch["heads"][name]["weights"]) > 0]
    return found


def test_an_example_does_not_see_its_row_mates(model):
    config, _, params, features, apply = model
    packed = tiny_batch(config, features, packed=True, rows=2)
    other = featurize(config, [{**tiny_examples()[0], "image_inputs": np.zeros((16, 16, 3), np.float32)}])
    changed = tiny_batch(config, [*other, *features[1:]], packed=True, rows=2)
    before, after = (apply(params, batch) for batch in (packed, changed))
    for name in ("image", "audio", "action"):
        weights = packed["heads"][name]["weights"] > 0
        np.testing.assert_array_equal(
            np.asarray(before[name].logits)[weights], np.asarray(after[name].logits)[weights]
        )
    assert not np.allclose(before["text"].logits, after["text"].logits)


def test_masked_patches_change_nothing(model):
    config, _, params, _, apply = model
    keep = np.ones((16, 16), bool)
    keep[8:, :] = False
    example = {**tiny_examples()[0], "image_input_masks": keep}
    hidden = {**example, "image_inputs": example["image_inputs"] * keep[:, :, None]}
    outputs = [
        apply(params, tiny_batch(config, featurize(config, [x])))["text"].logits for x in (example, hidden)
    ]
    np.testing.assert_allclose(*outputs, atol=1e-5)


def test_absent_modality_changes_nothing_and_gets_no_gradient(model):
    config, module, params, features, _ = model
    batch = tiny_batch(config, features[:2])
    garbage = jax.tree.map(np.copy, batch)
    for side, absent in (
        ("inputs", ("audio", "image_history", "audio_history", "action")),
        ("targets", ("audio", "action")),
    ):
        for name in absent:
            for key, bank in garbage[side][name].items():
                bank[:] = 1 if key == "mask" else 7
    loss = jax.jit(jax.value_and_grad(lambda p, batch: total_loss(module.apply({"params": p}, batch))[0]))
    value, grads = loss(params, batch)
    assert value == loss(params, garbage)[0]
    for absent in ("shared_audio_encoder", "input_embedders_audio", "input_embedders_action"):
        assert all(not np.any(leaf) for leaf in jax.tree.leaves(grads[absent])), absent
    for present in ("shared_image_encoder", "input_embedders_image", "input_embedders_text"):
        assert any(np.any(leaf) for leaf in jax.tree.leaves(grads[present])), present
    assert np.any(grads["target_embedders_image"]["table"]["embedding"])
    frozen = grads["target_embedders_image"]["tokenizer"]
    assert all(not np.any(leaf) for leaf in jax.tree.leaves(frozen)), "the tokenizer must stay as it is"


@pytest.mark.parametrize("target", ["text", "image", "audio", "action"])
@pytest.mark.parametrize(
    "switches",
    [
        {},
        {"sparse_patterns": True},
        {"dynamic_masking": True},
        {"sparse_patterns": True, "dynamic_masking": True},
    ],
)
def test_cached_decoding_equals_the_full_forward(model, target, switches):
    _, _, params, _, _ = model
    config = tiny_config(**switches)
    module = Network(config)
    example = {"text": 0, "image": 1, "audio": 2, "action": 3}[target]
    features = featurize(config, [tiny_examples()[example]])
    shown = None
    if "hidden" in (bank := features[0]["targets"][target]):
        bank["hidden"] = np.random.default_rng(0).random(bank["hidden"].shape) < 0.4
        shown = masks.shown(jnp.asarray(bank["hidden"]))
    batch = tiny_batch(config, features)
    full = jax.jit(lambda: module.apply({"params": params}, batch)[target])()
    count = int((batch["heads"][target]["weights"] > 0).sum())
    tokens = np.asarray(full.tokens)[0, :count]

    @jax.jit
    def stepwise():
        encoded = module.apply({"params": params}, batch, method="encode")
        cache = module.apply({"params": params}, encoded, count, method="start")

        def step(cache, given):
            token, index = given
            row = jnp.broadcast_to(token, encoded.segment_ids.shape[:1])
            logits, cache = module.apply({"params": params}, cache, row, index, target, shown, method="step")
            return cache, logits[0]

        inputs = jnp.concatenate([jnp.zeros(1, jnp.int32), tokens[:-1]])
        return jax.lax.scan(step, cache, (inputs, jnp.arange(count)))[1]

    np.testing.assert_allclose(stepwise(), full.logits[0, :count], atol=5e-5)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("target", ["image", "audio"])
def test_a_hidden_token_tells_only_its_own_step(model, target, sparse):
    """How much every score moves with every decoder input: not at all where the input holds a hidden token."""
    _, _, params, _, _ = model
    module = Network(tiny_config(dynamic_masking=True, sparse_patterns=sparse))
    features = featurize(module.config, [tiny_examples()[{"image": 1, "audio": 2}[target]]])
    bank = features[0]["targets"][target]
    bank["hidden"] = np.random.default_rng(1).random(bank["hidden"].shape) < 0.4
    batch = tiny_batch(module.config, features)
    count = bank["hidden"].size

    def scores(nudges):
        def nudged(embed, args, kwargs, context):
            sequence = embed(*args, **kwargs)
            if context.module.name != f"target_embedders_{target}" or context.method_name != "__call__":
                return sequence
            moved = sequence.embeddings.at[0, :count].add(nudges[:, None] * jnp.sin(jnp.arange(16.0)))
            return sequence.replace(embeddings=moved)

        with nn.intercept_methods(nudged):
            logits = module.apply({"params": params}, batch)[target].logits[0, :count]
        return logits @ jnp.sin(jnp.arange(float(logits.shape[-1])))

    @jax.jit
    def slopes(steps):
        pull = jax.vjp(scores, jnp.zeros(count))[1]
        # One step after the other: of so many at once XLA's CPU backend gets the last ones wrong (jax 0.10.2).
        return jax.lax.map(lambda step: pull(step)[0], steps)

    moves = np.asarray(slopes(jnp.eye(count))) != 0
    shown = np.asarray(masks.shown(jnp.asarray(bank["hidden"][0])))
    assert 1 < shown.sum() < count
    np.testing.assert_array_equal(moves[:, ~shown], np.eye(count, dtype=bool)[:, ~shown])
    np.testing.assert_array_equal(moves[~shown], np.eye(count, dtype=bool)[~shown])
    earlier = np.tril(np.ones((count, count), bool))[np.ix_(shown, shown)]
    reached = moves[np.ix_(shown, shown)]
    assert not (reached & ~earlier).any() and reached.diagonal().all()
    assert (reached == earlier).all() or sparse


def test_scanned_layers_and_remat_equal_unrolled(model):
    config, _, params, features, apply = model
    batch = tiny_batch(config, features)
    expected = apply(params, batch)
    scanned = {
        **params,
        **{stack: stack_layers(params[stack]) for stack in ("encoder", "decoder")},
    }
    for changes, tree in (
        ({"scan_layers": True, "remat": "full"}, scanned),
        ({"remat": "full"}, params),
    ):
        module = Network(tiny_config(**changes))
        got = jax.jit(lambda p, module=module: module.apply({"params": p}, batch))(tree)
        for name in expected:
            np.testing.assert_allclose(got[name].logits, expected[name].logits, atol=2e-5)


def test_parallel_answers_do_not_see_each_other(model):
    config, _, params, _, apply = model
    base = tiny_examples()[4]
    together = tiny_batch(config, featurize(config, [base]))
    alone = [
        tiny_batch(config, featurize(config, [{**base, "text_targets": answer}]))
        for answer in base["text_targets"]
    ]
    expected = np.concatenate([target_log_probs(apply(params, b), b)["text"] for b in alone])
    np.testing.assert_allclose(
        target_log_probs(apply(params, together), together)["text"], expected, atol=2e-5
    )


def test_bfloat16_is_close_and_dropout_does_something(model):
    config, module, params, features, apply = model
    batch = tiny_batch(config, features)
    expected = apply(params, batch)["text"].logits
    half = Network(tiny_config(dtype="bfloat16"))
    got = jax.jit(lambda: half.apply({"params": params}, batch)["text"].logits)()
    assert got.dtype == jnp.float32
    real = batch["heads"]["text"]["weights"] > 0
    assert np.abs(np.asarray(got - expected))[real].max() < 0.3
    noisy = Network(tiny_config(dropout_rate=0.5))
    rngs = {"dropout": jax.random.key(1)}
    dropped = jax.jit(
        lambda: noisy.apply({"params": params}, batch, deterministic=False, rngs=rngs)["text"].logits
    )()
    assert not np.allclose(dropped, expected, atol=1e-2)
