import jax
import numpy as np

from unified_io.loss import TargetOutput, is_maximum, merged, token_loss, total_loss


def numpy_loss(logits, tokens, z_loss):
    logits = logits.astype(np.float64)
    shift = logits.max(-1, keepdims=True)
    log_z = np.log(np.exp(logits - shift).sum(-1)) + shift[..., 0]
    return log_z - np.take_along_axis(logits, tokens[..., None], -1)[..., 0], z_loss * log_z**2


def test_token_loss_equals_float64():
    rng = np.random.default_rng(0)
    logits, tokens = rng.normal(0, 5, (4, 7, 11)).astype(np.float32), rng.integers(0, 11, (4, 7))
    for got, expected in zip(token_loss(logits, tokens, 1e-2), numpy_loss(logits, tokens, 1e-2), strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-5)


def test_gradient_is_softmax_minus_one_hot():
    rng = np.random.default_rng(1)
    logits, tokens = rng.normal(size=(5, 6)).astype(np.float32), rng.integers(0, 6, 5)
    grad = jax.grad(lambda x: token_loss(x, tokens, 0.0)[0].sum())(logits)
    expected = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True) - np.eye(6)[tokens]
    np.testing.assert_allclose(grad, expected, atol=1e-6)


def test_every_target_counts_the_same_and_padding_not_at_all():
    rng = np.random.default_rng(2)

    def output(real: int, total: int) -> TargetOutput:
        weights = np.zeros((1, total), np.float32)
        weights[:, :real] = 1.0
        return TargetOutput(
            rng.normal(size=(1, total, 5)).astype(np.float32), rng.integers(0, 5, (1, total)), weights
        )

    outputs = {"text": output(2, 6), "image": output(4, 4), "audio": output(0, 3)}
    loss, metrics = total_loss(outputs, 0.0)
    means = []
    for name, real in (("text", 2), ("image", 4)):
        out = outputs[name]
        mean = numpy_loss(out.logits, out.tokens, 0.0)[0][0, :real].mean()
        np.testing.assert_allclose(metrics[f"{name}/loss"], mean, rtol=1e-5)
        means.append(mean)
    np.testing.assert_allclose(loss, sum(means), rtol=1e-5)
    assert metrics["audio/loss"] == 0 and metrics["audio/tokens"] == 0


def test_metrics_of_several_batches_are_those_of_one():
    rng = np.random.default_rng(3)

    def outputs(counts: dict[str, int]) -> dict[str, TargetOutput]:
        return {
            name: TargetOutput(
                rng.normal(size=(1, 8, 5)).astype(np.float32),
                rng.integers(0, 5, (1, 8)),
                (np.arange(8) < count).astype(np.float32)[None],
            )
            for name, count in counts.items()
        }

    parts = [
        outputs({"text": 7, "image": 2}),
        outputs({"text": 1, "image": 0}),
        outputs({"text": 3, "image": 8}),
    ]
    whole = jax.tree.map(lambda *leaves: np.concatenate(leaves, axis=1), *parts)
    found = merged([{k: float(v) for k, v in total_loss(part, 1e-2)[1].items()} for part in parts])
    expected = total_loss(whole, 1e-2)[1]
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-5, err_msg=name)
    assert merged([{"examples": 3.0}, {"examples": 5.0}]) == {"examples": 4.0}


def test_parts_of_a_batch_add_up_to_it():
    rng = np.random.default_rng(4)
    weights = np.array([[1, 1, 0.5, 0], [1, 0, 0, 0]], np.float32)
    whole = TargetOutput(rng.normal(size=(2, 4, 5)).astype(np.float32), rng.integers(0, 5, (2, 4)), weights)
    parts = [jax.tree.map(lambda leaf, i=i: leaf[i : i + 1], whole) for i in range(2)]
    total, metrics = total_loss({"text": whole}, 1e-2)
    found = [total_loss({"text": part}, 1e-2, counts={"text": weights.sum()}) for part in parts]
    np.testing.assert_allclose(sum(loss for loss, _ in found), total, rtol=1e-6)
    assert {name for name in metrics if is_maximum(name)} == {"text/logit_max"}
    for name, value in metrics.items():
        put_together = max if is_maximum(name) else sum
        np.testing.assert_allclose(
            put_together(part[name] for _, part in found), value, rtol=1e-6, err_msg=name
        )


def test_a_target_counts_as_much_as_it_is_weighted():
    rng = np.random.default_rng(5)
    out = TargetOutput(
        rng.normal(size=(1, 4, 5)).astype(np.float32), rng.integers(0, 5, (1, 4)), np.ones((1, 4), np.float32)
    )
    text, audio = (total_loss({name: out}, 1e-2)[0] for name in ("text", "audio"))
    total, metrics = total_loss({"text": out, "audio": out}, 1e-2, target_weights={"audio": 0.25})
    np.testing.assert_allclose(total, text + 0.25 * audio, rtol=1e-6)
    assert metrics["audio/loss"] == metrics["text/loss"], "metrics are not weighted"


def test_the_largest_logit_is_that_of_real_tokens():
    logits = np.array([[[1.0, -2.0], [9.0, 0.0], [3.0, 2.5]]], np.float32)
    weights = np.array([[1.0, 0.0, 0.5]], np.float32)
    out = TargetOutput(logits, np.zeros((1, 3), int), weights)
    _, metrics = total_loss({"text": out, "none": out.replace(weights=np.zeros_like(weights))})
    assert metrics["text/logit_max"] == 3.0 and metrics["none/logit_max"] == -np.inf
