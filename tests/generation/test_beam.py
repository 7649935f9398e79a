"""Beam search on a toy decoder whose cache remembers every token it was given."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unified_io.errors import ConfigError
from unified_io.generation import constraints
from unified_io.generation.beam import beam_search, take_rows
from unified_io.generation.decode import decode
from unified_io.generation.sampling import Sampler

EOS = 1
CONSTRAINTS = (None, constraints.below(7), constraints.no_repeat(2))


def weights(size):
    return np.random.default_rng(0).normal(size=(size, size)).astype(np.float32) * 2


def toy_step(state, ids, index):
    """Logits depend on a running sum over all tokens so far and on a vector a row: a cache in small."""
    memory = 0.5 * state["memory"] + jnp.asarray(weights(state["memory"].shape[1]))[ids]
    return memory + state["row"] + 0.1 * index, {"memory": memory, "row": state["row"]}


def toy_state(rows, size, seed=1):
    row = np.random.default_rng(seed).normal(size=(rows, size)).astype(np.float32)
    return {"memory": jnp.zeros((rows, size)), "row": jnp.asarray(row)}


@functools.partial(
    jax.jit,
    static_argnames=("beams", "length", "eos_id", "length_penalty", "length_offset", "constraint"),
)
def search(state, *, beams, length, eos_id=EOS, length_penalty=0.0, length_offset=5, constraint=None):
    return beam_search(
        toy_step,
        jax.tree.map(lambda x: jnp.repeat(x, beams, axis=0), state),
        batch_size=len(state["row"]),
        beams=beams,
        length=length,
        eos_id=eos_id,
        length_penalty=length_penalty,
        length_offset=length_offset,
        constraint=constraint,
    )


def continuations(row, tokens):
    """Log-probabilities of what may follow `tokens`, in NumPy and double precision."""
    size, memory = len(row), np.zeros(len(row))
    for id in (0, *tokens):
        memory = 0.5 * memory + weights(size)[id]
    logits = memory + row + 0.1 * len(tokens)
    return logits - np.log(np.exp(logits).sum())


def score(row, tokens, length_penalty, offset=5):
    total = sum(continuations(row, tokens[:i])[id] for i, id in enumerate(tokens))
    return total / ((offset + len(tokens)) / (offset + 1)) ** length_penalty


def every_answer(size, length, eos_id):
    """All token tuples that end by EOS, or have `length` tokens and none."""
    others = [id for id in range(size) if id != eos_id]
    for n in range(length if eos_id is not None else 0):
        yield from ((*ids, eos_id) for ids in itertools.product(others, repeat=n))
    yield from itertools.product(others, repeat=length)


@pytest.mark.parametrize("length_penalty", [0.0, 0.8, -1.5])
@pytest.mark.parametrize("eos_id", [EOS, None])
def test_with_enough_beams_it_finds_the_best_of_all_answers(eos_id, length_penalty):
    size, length = 3, 4
    state = toy_state(4, size)
    tokens, scores = search(
        state, beams=size**length, length=length, eos_id=eos_id, length_penalty=length_penalty
    )
    for r, row in enumerate(np.asarray(state["row"], np.float64)):
        answers = list(every_answer(size, length, eos_id))
        order = sorted(((score(row, answer, length_penalty), answer) for answer in answers), reverse=True)
        np.testing.assert_allclose(scores[r, : len(order)], [s for s, _ in order], rtol=1e-5)
        for found, (_, answer) in zip(np.asarray(tokens[r]), order, strict=False):
            assert tuple(found[: len(answer)]) == answer and not found[len(answer) :].any()
        assert np.all(scores[r, len(order) :] == -np.inf) and not tokens[r, len(order) :].any()


def slow_search(row, beams, length, length_penalty, offset):
    """One row, lists of tuples."""
    live, finished = [(0.0, ())], []
    for _ in range(length):
        longer = [
            (total + gained, (*tokens, id))
            for total, tokens in live
            for id, gained in enumerate(continuations(row, tokens))
        ]
        longer = sorted(longer, reverse=True)
        ended = [tokens for _, tokens in longer[:beams] if tokens[-1] == EOS]
        finished += [(score(row, tokens, length_penalty, offset), tokens) for tokens in ended]
        live = [(total, tokens) for total, tokens in longer if tokens[-1] != EOS][:beams]
    finished += [(score(row, tokens, length_penalty, offset), tokens) for _, tokens in live]
    return sorted(finished, reverse=True)[:beams]


@pytest.mark.parametrize("length_penalty", [0.0, 0.6, 2.0, -2.0])
@pytest.mark.parametrize("offset", [0, 5])
def test_it_equals_a_slow_search(offset, length_penalty):
    state = toy_state(8, 9, seed=2)
    tokens, scores = search(state, beams=3, length=7, length_penalty=length_penalty, length_offset=offset)
    lengths = set()
    for r, row in enumerate(np.asarray(state["row"], np.float64)):
        expected = slow_search(row, 3, 7, length_penalty, offset)
        np.testing.assert_allclose(scores[r], [s for s, _ in expected], rtol=1e-5)
        for found, (_, answer) in zip(np.asarray(tokens[r]), expected, strict=True):
            np.testing.assert_array_equal(found, np.pad(answer, (0, 7 - len(answer))))
            lengths.add((len(answer), answer[-1] == EOS))
    assert len(lengths) > 1


@pytest.mark.parametrize("eos_id", [EOS, None])
@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_a_beam_of_one_is_greedy(eos_id, constraint):
    state = toy_state(16, 13, seed=3)
    expected, log_probs = decode(
        toy_step,
        state,
        batch_size=16,
        length=10,
        sampler=Sampler(temperature=0.0),
        rng=jax.random.key(0),
        eos_id=eos_id,
        constraint=constraint,
    )
    tokens, scores = search(state, beams=1, length=10, eos_id=eos_id, constraint=constraint)
    np.testing.assert_array_equal(tokens[:, 0], expected)
    if constraint != CONSTRAINTS[-1]:
        np.testing.assert_allclose(scores[:, 0], log_probs, rtol=1e-5)


def test_after_eos_comes_padding_and_the_best_comes_first():
    tokens, scores = search(toy_state(32, 9), beams=4, length=8)
    assert np.all(np.diff(scores, axis=1) <= 0) and np.isfinite(scores).all()
    ended = 0
    for answer in np.asarray(tokens).reshape(-1, 8):
        where = np.flatnonzero(answer == EOS)
        if len(where):
            ended += 1
            assert not answer[where[0] + 1 :].any()
    assert ended > 0
    assert len(np.unique(tokens[0], axis=0)) == 4


@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
def test_a_row_does_not_depend_on_its_batch(length_penalty):
    state = toy_state(6, 9, seed=4)
    tokens, scores = search(state, beams=3, length=8, length_penalty=length_penalty)
    for r in range(6):
        alone = jax.tree.map(lambda x, r=r: x[r : r + 1], state)
        alone_tokens, alone_scores = search(alone, beams=3, length=8, length_penalty=length_penalty)
        np.testing.assert_array_equal(tokens[r], alone_tokens[0])
        np.testing.assert_allclose(scores[r], alone_scores[0], rtol=1e-6)


def test_it_stops_when_no_answer_can_get_better():
    """EOS is nearly certain from the second token on: two beams, two answers, one more step to rule the others out."""
    seen = []

    def step(state, ids, index):
        jax.debug.callback(lambda i: seen.append(int(i)), index)
        return jnp.where(index > 0, 50.0 * jax.nn.one_hot(EOS, 6), jnp.arange(6.0))[None] * jnp.ones(
            (2, 1)
        ), state

    tokens, _ = beam_search(step, None, batch_size=1, beams=2, length=50, eos_id=EOS)
    jax.effects_barrier()
    assert max(seen) == 1
    np.testing.assert_array_equal(tokens[0, :, :3], [[5, EOS, 0], [4, EOS, 0]])


def test_it_goes_on_while_a_longer_answer_may_still_win():
    """EOS at once has probability 0.55; the other answer 0.45, but eight tokens to spread it over."""
    first = jnp.log(jnp.array([0.0, 0.55, 0.45]))
    then = jnp.log(jnp.array([0.0, 0.0, 1.0]))

    def step(state, ids, index):
        return jnp.where(index == 0, first, then)[None], state

    for length_penalty, best, score in ((0.0, [EOS] + [0] * 7, 0.55), (2.0, [2] * 8, 0.45 ** (36 / 13**2))):
        tokens, scores = beam_search(
            step, None, batch_size=1, beams=1, length=8, eos_id=EOS, length_penalty=length_penalty
        )
        np.testing.assert_array_equal(tokens[0, 0], best)
        np.testing.assert_allclose(scores[0, 0], np.log(score), rtol=1e-5)


def test_it_goes_on_while_a_short_answer_may_still_be_among_the_best():
    """Token 2 then EOS has probability 0.04; 2, 2 and EOS 0.36, more even where every token costs."""
    probabilities = jnp.array([[0.0, 0.6, 0.4], [0.0, 0.1, 0.9], [0.0, 1.0, 0.0]])

    def step(state, ids, index):
        return jnp.log(probabilities[jnp.minimum(index, 2)])[None] * jnp.ones((2, 1)), state

    tokens, scores = beam_search(
        step, None, batch_size=1, beams=2, length=8, eos_id=EOS, length_penalty=-1.0, length_offset=0
    )
    np.testing.assert_array_equal(tokens[0, :, :4], [[EOS, 0, 0, 0], [2, 2, EOS, 0]])
    np.testing.assert_allclose(scores[0], [np.log(0.6), 3 * np.log(0.36)], rtol=1e-5)


def test_the_state_follows_its_beam_along_the_axis_that_is_told():
    """The rows of this cache are on its second axis, and half of it is the same for all beams of a row."""

    def step(state, ids, index):
        logits, new = toy_step({"memory": state["memory"][0], "row": state["row"]}, ids, index)
        return logits, {"memory": new["memory"][None], "row": state["row"]}

    def reorder(state, rows):
        return state | {"memory": take_rows(state["memory"], rows, axis=1)}

    plain = toy_state(5, 9, seed=5)
    state = jax.tree.map(lambda x: jnp.repeat(x, 4, axis=0), plain)
    state["memory"] = state["memory"][None]
    tokens, scores = beam_search(step, state, batch_size=5, beams=4, length=6, eos_id=EOS, reorder=reorder)
    expected, expected_scores = search(plain, beams=4, length=6)
    np.testing.assert_array_equal(tokens, expected)
    np.testing.assert_allclose(scores, expected_scores, rtol=1e-6)


def test_what_is_forbidden_is_in_no_answer():
    members = np.isin(np.arange(9), [3, 4, 5])
    tokens, scores = search(
        toy_state(6, 9), beams=4, length=9, constraint=constraints.groups(members, 2, EOS)
    )
    for answer in np.asarray(tokens).reshape(-1, 9):
        end = np.flatnonzero(answer == EOS)[0] if (answer == EOS).any() else len(answer)
        assert members[answer[:end]].all() and (end % 2 == 0 or end == 9)
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("wrong", [{"beams": 0}, {"length_penalty": np.inf}, {"length_penalty": np.nan}])
def test_mistakes_are_named(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        search(toy_state(1, 4), **{"beams": 2, "length": 3, **wrong})
