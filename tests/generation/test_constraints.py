"""Constraints: what may be written is written, and nothing else."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified_io.errors import ConfigError
from unified_io.generation import constraints
from unified_io.generation.decode import decode
from unified_io.generation.sampling import Sampler

V, EOS = 20, 1
MEMBERS = np.isin(np.arange(V), [10, 11, 12, 13])


def mask(*ids):
    return np.isin(np.arange(V), ids)


UNWRITTEN = jnp.zeros((2, 9), jnp.int32)


def allowed(constraint, index, logits=None):
    logits = jnp.zeros((2, V)) if logits is None else logits
    return np.isfinite(jax.jit(constraint)(logits, jnp.asarray(index), UNWRITTEN))


def test_allow_and_below():
    for index in (0, 7):
        np.testing.assert_array_equal(allowed(constraints.allow(MEMBERS), index), np.stack([MEMBERS] * 2))
        np.testing.assert_array_equal(allowed(constraints.below(6), index)[0], np.arange(V) < 6)


def test_what_is_allowed_keeps_its_logit():
    logits = jnp.asarray(np.random.default_rng(0).normal(size=(3, V)), jnp.float32)
    out = np.asarray(constraints.allow(MEMBERS)(logits, jnp.asarray(0), UNWRITTEN))
    np.testing.assert_array_equal(out[:, MEMBERS], logits[:, MEMBERS])
    assert np.all(out[:, ~MEMBERS] == -np.inf)


def test_schedule_ends_or_repeats():
    masks = np.stack([mask(3), mask(4, 5)])
    once, again = constraints.schedule(masks), constraints.schedule(masks, repeat=True)
    for constraint in (once, again):
        np.testing.assert_array_equal(allowed(constraint, 0)[0], masks[0])
        np.testing.assert_array_equal(allowed(constraint, 1)[1], masks[1])
    assert allowed(once, 2).all()
    np.testing.assert_array_equal(allowed(again, 2)[0], masks[0])


def test_chain_is_the_intersection():
    both = constraints.chain(constraints.allow(mask(2, 3, 4)), constraints.below(4))
    np.testing.assert_array_equal(allowed(both, 0)[0], mask(2, 3))
    assert allowed(constraints.chain(), 0).all()


def test_forbid_before():
    constraint = constraints.forbid_before(2, EOS)
    for index, may_end in enumerate([False, False, True]):
        row = allowed(constraint, index)[0]
        assert row[EOS] == may_end and row.sum() == V - 1 + may_end


@pytest.mark.parametrize("size", [1, 2, 3])
def test_no_run_of_tokens_comes_twice(size):
    """Every token that is allowed, and none that is not, leaves the row without a run that stands in it twice."""
    rule, rng = constraints.no_repeat(size), np.random.default_rng(size)
    for length in range(9):
        tokens = np.zeros((6, 10), np.int32)
        tokens[:, :length] = rng.integers(3, 6, (6, length))
        tokens[:, length:] = rng.integers(3, 6, (6, 10 - length))  # not written yet, so it must not count
        found = np.asarray(rule(jnp.zeros((6, V)), jnp.int32(length), jnp.asarray(tokens))) > -jnp.inf
        for row, may in zip(tokens[:, :length].tolist(), found, strict=True):
            runs = {tuple(row[i : i + size]) for i in range(length - size + 1)}
            tail = row[length - size + 1 :] if size > 1 else []
            expected = [len(tail) < size - 1 or (*tail, v) not in runs for v in range(V)]
            np.testing.assert_array_equal(may, expected)


def test_prefer_is_decided_row_by_row():
    logits = jnp.zeros((2, V)).at[1, 10].set(5.0)  # members hold 0.2 of the first row, 0.91 of the second
    constraint = constraints.prefer(MEMBERS, 0.5)
    rows = allowed(constraint, 0, logits)
    assert rows[0].all()
    np.testing.assert_array_equal(rows[1], MEMBERS)


def test_groups_are_whole_and_nothing_else_is_written():
    def step(state, ids, index):
        return state, state

    state = jnp.asarray(np.random.default_rng(1).normal(size=(50, V)), jnp.float32).at[:, EOS].add(1)
    tokens, _ = decode(
        step,
        state,
        batch_size=50,
        length=30,
        sampler=Sampler(),
        rng=jax.random.key(0),
        eos_id=EOS,
        constraint=constraints.groups(MEMBERS, 3, EOS),
    )
    lengths = set()
    for row in np.asarray(tokens):
        end = np.flatnonzero(row == EOS)[0] if (row == EOS).any() else len(row)
        assert end % 3 == 0 and MEMBERS[row[:end]].all()
        lengths.add(int(end))
    assert len(lengths) > 3


def test_repetition_lowers_what_this_row_has_written():
    logits = np.random.default_rng(2).normal(size=(3, V)).astype(np.float32)
    tokens = np.array([[4, 7, 9, 0], [4, 4, 7, 0], [0, 5, 9, 0]])  # the last two places are not written yet
    expected = logits.copy()
    for row, id in ((0, 4), (0, 7), (1, 4), (2, 0), (2, 5)):
        expected[row, id] *= 1 / 1.5 if logits[row, id] > 0 else 1.5
    out = jax.jit(constraints.repetition(1.5))(logits, jnp.asarray(2), tokens)
    np.testing.assert_allclose(out, expected, rtol=1e-6)
    np.testing.assert_array_equal(constraints.repetition(1.0)(logits, 2, tokens), logits)
    forbidden = constraints.chain(constraints.allow(MEMBERS), constraints.repetition(1.5))(logits, 2, tokens)
    assert np.all(np.asarray(forbidden)[:, ~MEMBERS] == -np.inf)


def test_repetition_is_told_what_was_written():
    """Of nearly flat logits, a penalty writes every token once before it writes one again."""

    def step(state, ids, index):
        return state, state

    state = jnp.asarray(np.random.default_rng(3).uniform(1, 1.1, size=(4, V)), jnp.float32)

    def write(constraint):
        return decode(
            step,
            state,
            batch_size=4,
            length=V + 1,
            sampler=Sampler(temperature=0.0),
            rng=jax.random.key(0),
            constraint=constraint,
        )

    free, _ = write(None)
    tokens, log_probs = write(constraints.repetition(1.5))
    best = np.argsort(-np.asarray(state), axis=1)
    np.testing.assert_array_equal(free, np.repeat(best[:, :1], V + 1, axis=1))
    np.testing.assert_array_equal(tokens, np.concatenate([best, best[:, :1]], axis=1))
    unpenalised = np.take_along_axis(np.asarray(jax.nn.log_softmax(state)), np.asarray(tokens), axis=1)
    np.testing.assert_allclose(log_probs, unpenalised.sum(axis=1), rtol=1e-5)


def test_mistakes_are_named():
    for penalty in (0.5, 0, -1, np.inf, np.nan):
        with pytest.raises(ConfigError, match="repetition penalty"):
            constraints.repetition(penalty)
    with pytest.raises(ConfigError, match="wanted a bool mask"):
        constraints.allow(np.array([3, 4]))
    with pytest.raises(ConfigError, match="mask 1 of the schedule allows no token"):
        constraints.schedule(np.stack([mask(3), mask()]))


def test_the_released_penalty_looks_at_the_last_token_only():
    tokens = jnp.array([[2, 1, 0]])
    logits = jnp.array([[4.0, 4.0, 4.0]])
    np.testing.assert_allclose(constraints.repetition(2.0)(logits, 2, tokens), [[4, 2, 2]])
    np.testing.assert_allclose(constraints.repetition(2.0, last_only=True)(logits, 2, tokens), [[4, 2, 4]])


def test_an_automaton_is_followed_row_by_row():
    following = np.full((3, 5), -1)
    following[0, [1, 2]] = 1, 2
    following[1, [3]] = 0
    following[2, [4]] = 2
    form = constraints.automaton(following)
    tokens = jnp.array([[1, 3, 2, 0], [2, 4, 4, 0]])
    allowed = [
        np.isfinite(np.asarray(form(jnp.zeros((2, 5)), jnp.int32(i), tokens))).astype(int).tolist()
        for i in range(4)
    ]
    assert [row[0] for row in allowed] == [[0, 1, 1, 0, 0], [0, 0, 0, 1, 0], [0, 1, 1, 0, 0], [0, 0, 0, 0, 1]]
    assert [row[1] for row in allowed] == [[0, 1, 1, 0, 0], *[[0, 0, 0, 0, 1]] * 3]
    with pytest.raises(ConfigError, match="state 1"):
        constraints.automaton(np.array([[1, 0], [-1, -1]]))
