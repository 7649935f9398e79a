"""The decoding loop on a toy decoder whose cache remembers every token it was given."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified_io.generation import constraints
from unified_io.generation.decode import decode, guided
from unified_io.generation.sampling import Sampler

V, EOS = 13, 1
WEIGHTS = np.random.default_rng(0).normal(size=(V, V)).astype(np.float32) * 2


def toy_step(state, ids, index):
    """Logits depend on a running sum over all tokens so far and on a vector a row: a cache in small."""
    memory = 0.5 * state["memory"] + jnp.asarray(WEIGHTS)[ids]
    return memory + state["row"] + 0.1 * index, {"memory": memory, "row": state["row"]}


def toy_state(rows, seed=1):
    row = np.random.default_rng(seed).normal(size=(rows, V)).astype(np.float32)
    return {"memory": jnp.zeros((rows, V)), "row": jnp.asarray(row)}


def slow_greedy(state, length, eos_id):
    """One row at a time, a Python loop."""
    rows = len(state["row"])
    tokens, log_probs = np.zeros((rows, length), np.int32), np.zeros(rows)
    for r in range(rows):
        one, ids = jax.tree.map(lambda x, r=r: x[r : r + 1], state), jnp.zeros(1, jnp.int32)
        for i in range(length):
            logits, one = toy_step(one, ids, i)
            ids = jnp.argmax(logits, -1)
            tokens[r, i] = ids[0]
            log_probs[r] += jax.nn.log_softmax(logits)[0, ids[0]]
            if eos_id is not None and ids[0] == eos_id:
                break
    return tokens, log_probs


GREEDY, SAMPLING = Sampler(temperature=0.0), Sampler()


@functools.partial(jax.jit, static_argnames=("rows", "length", "sampler", "eos_id", "constraint", "step_fn"))
def run(state, rng, *, rows, length=12, sampler=SAMPLING, eos_id=EOS, constraint=None, step_fn=toy_step):
    return decode(
        step_fn,
        state,
        batch_size=rows,
        length=length,
        sampler=sampler,
        rng=rng,
        eos_id=eos_id,
        constraint=constraint,
    )


@pytest.mark.parametrize("eos_id", [EOS, None])
def test_greedy_equals_the_slow_loop(eos_id):
    state = toy_state(6)
    tokens, log_probs = run(state, jax.random.key(0), rows=6, sampler=GREEDY, eos_id=eos_id)
    expected_tokens, expected_log_probs = slow_greedy(state, 12, eos_id)
    np.testing.assert_array_equal(tokens, expected_tokens)
    np.testing.assert_allclose(log_probs, expected_log_probs, rtol=1e-5)
    assert tokens.dtype == jnp.int32


def test_after_eos_comes_padding():
    tokens, _ = run(toy_state(64), jax.random.key(0), rows=64)
    ended = 0
    for row in np.asarray(tokens):
        where = np.flatnonzero(row == EOS)
        if len(where):
            ended += 1
            assert not row[where[0] + 1 :].any()
    assert ended > 0


def test_log_probs_are_the_score_of_the_tokens_whatever_the_sampler():
    state = toy_state(5)
    sampler = Sampler(temperature=2.0, top_p=0.9, top_k=6)
    tokens, log_probs = run(state, jax.random.key(1), rows=5, sampler=sampler, constraint=NO_ZERO)
    score, ids, alive = np.zeros(5), jnp.zeros(5, jnp.int32), np.ones(5, bool)
    for i in range(12):
        logits, state = toy_step(state, ids, i)
        ids = tokens[:, i]
        score += np.where(alive, jax.nn.log_softmax(logits)[jnp.arange(5), ids], 0)
        alive &= np.asarray(ids != EOS)
    np.testing.assert_allclose(log_probs, score, rtol=1e-5)


NO_ZERO = constraints.allow(np.arange(V) != 0)


def test_seeds():
    state = toy_state(4)
    again = [run(state, jax.random.key(seed), rows=4)[0] for seed in (0, 0, 1)]
    np.testing.assert_array_equal(again[0], again[1])
    assert not np.array_equal(again[0], again[2])


def test_every_step_of_every_row_draws_anew():
    """Of flat logits all V ^ 2 pairs of neighbours are as likely."""

    def flat(state, ids, index):
        return jnp.zeros((30, V)), state

    tokens, _ = run(None, jax.random.key(2), rows=30, length=200, eos_id=None, step_fn=flat)
    pairs = np.zeros((V, V))
    np.add.at(pairs, (np.asarray(tokens)[:, :-1], np.asarray(tokens)[:, 1:]), 1)
    assert np.abs(pairs / pairs.mean() - 1).max() < 0.9


def test_a_row_does_not_depend_on_its_batch():
    state, rng = toy_state(6), jax.random.key(3)
    tokens, log_probs = run(state, rng, rows=6)
    fewer = jax.tree.map(lambda x: x[:2], state)
    tokens_2, log_probs_2 = run(fewer, rng, rows=2)
    np.testing.assert_array_equal(tokens[:2], tokens_2)
    np.testing.assert_allclose(log_probs[:2], log_probs_2, rtol=1e-6)


def test_rows_with_their_own_keys_can_be_reordered():
    state, keys = toy_state(5), jax.random.split(jax.random.key(4), 5)
    order = np.array([3, 1, 4, 0, 2])
    tokens, _ = run(state, keys, rows=5)
    shuffled, _ = run(jax.tree.map(lambda x: x[order], state), keys[order], rows=5)
    np.testing.assert_array_equal(tokens[order], shuffled)


def test_it_stops_as_soon_as_every_row_has_ended():
    def step(state, ids, index):
        return jax.nn.one_hot(jnp.where(index + 1 < state["ends"], 5, EOS), V) * 100, state | {
            "steps": state["steps"] + 1
        }

    # The number of steps is told apart by a callback, since the state is not returned.
    seen = []

    def counted(state, ids, index):
        jax.debug.callback(lambda i: seen.append(int(i)), index)
        return step(state, ids, index)

    state = {"ends": jnp.asarray([2, 4, 1]), "steps": 0}
    tokens, _ = decode(
        counted, state, batch_size=3, length=50, sampler=GREEDY, rng=jax.random.key(0), eos_id=EOS
    )
    jax.effects_barrier()
    assert max(seen) == 3
    np.testing.assert_array_equal(tokens[:, :5], [[5, 1, 0, 0, 0], [5, 5, 5, 1, 0], [1, 0, 0, 0, 0]])


def test_start_id_and_index():
    def echo(state, ids, index):
        return jax.nn.one_hot(ids + 1, V) * 100 + jnp.where(index == 2, 1000.0, 0) * jax.nn.one_hot(0, V)[
            None
        ], state

    tokens, _ = decode(echo, None, batch_size=2, length=4, sampler=GREEDY, rng=jax.random.key(0), start_id=6)
    np.testing.assert_array_equal(tokens, [[7, 8, 0, 1]] * 2)


def doubled(state, other):
    return jax.tree.map(lambda a, b: jnp.concatenate([a, b]), state, other)


@pytest.mark.parametrize("sampler", [GREEDY, Sampler(top_p=0.9)])
def test_guidance_at_zero_equals_none(sampler):
    both = doubled(toy_state(4), toy_state(4, seed=9))
    plain, plain_log_probs = run(toy_state(4), jax.random.key(0), rows=4, sampler=sampler)
    tokens, log_probs = run(both, jax.random.key(0), rows=4, sampler=sampler, step_fn=guided(toy_step, 0.0))
    np.testing.assert_array_equal(tokens, plain)
    np.testing.assert_allclose(log_probs, plain_log_probs, rtol=1e-5)


def test_guidance_by_a_blank_that_is_the_prompt_changes_nothing():
    state = toy_state(4)
    plain, _ = run(state, jax.random.key(0), rows=4, sampler=GREEDY)
    tokens, _ = run(
        doubled(state, state), jax.random.key(0), rows=4, sampler=GREEDY, step_fn=guided(toy_step, 3.0)
    )
    np.testing.assert_array_equal(tokens, plain)


def test_guidance_moves_away_from_the_blank():
    both = doubled(toy_state(64), toy_state(64, seed=9))
    index, ids = jnp.zeros((), jnp.int32), jnp.zeros(64, jnp.int32)
    with_prompt, blank = jnp.split(jax.nn.log_softmax(toy_step(both, jnp.zeros(128, jnp.int32), index)[0]), 2)
    logits, state = guided(toy_step, 5.0)(both, ids, index)
    np.testing.assert_allclose(logits, 6 * with_prompt - 5 * blank, atol=1e-4)
    assert state["memory"].shape == (128, V)
