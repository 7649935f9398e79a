"""Beam search: the best few answers of every row instead of one that was drawn. Knows logits and ids only."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from unified_io.errors import ConfigError
from unified_io.generation.constraints import Constraint
from unified_io.generation.decode import PAD_ID, StepFn

Reorder = Callable[[Any, Int[Array, " B*beams"]], Any]
"""(state, rows) -> the state whose row i is row `rows[i]` of the one given."""


class _Answers(NamedTuple):
    """Some answers a row, best first; those that do not exist score -inf."""

    scores: Float[Array, "B n"]
    tokens: Int[Array, "B n length"]

    def best(self, n: int) -> "_Answers":
        """Returns the best `n`; of equals the first."""
        scores, order = jax.lax.top_k(self.scores, n)
        return _Answers(scores, jnp.take_along_axis(self.tokens, order[:, :, None], axis=1))

    def joined(self, other: "_Answers") -> "_Answers":
        return _Answers(*(jnp.concatenate(pair, axis=1) for pair in zip(self, other, strict=True)))


class _Loop(NamedTuple):
    index: Int[Array, ""]
    ids: Int[Array, " B*beams"]
    live: _Answers
    finished: _Answers
    state: Any


def take_rows(state: Any, rows: Int[Array, " n"], axis: int = 0) -> Any:
    """Returns a state with other rows: row i is row `rows[i]` along `axis` of every array."""
    return jax.tree.map(lambda x: jnp.take(x, rows, axis=axis, mode="clip"), state)


def beam_search(
    step_fn: StepFn,
    state: Any,
    *,
    batch_size: int,
    beams: int,
    length: int,
    eos_id: int | None = None,
    start_id: int = 0,
    length_penalty: float = 0.0,
    length_offset: int = 5,
    constraint: Constraint | None = None,
    reorder: Reorder = take_rows,
) -> tuple[Int[Array, "B beams length"], Float[Array, "B beams"]]:
    """Finds the likeliest answers, `beams` of them a row, by continuing the best unfinished ones at every step.

    An answer scores log p / ((k + n) / (k + 1)) ** length_penalty, n its tokens, EOS included, and k the offset. It
    ends by EOS, if that is among the best `beams` continuations of its row, or by having `length` tokens. A row is
    done when none of its unfinished answers can beat the worst of `beams` finished ones. A beam of one without
    penalties is greedy decoding.

    Args:
      step_fn: One step of the decoder on `batch_size * beams` rows, of which row `b * beams + k` is beam k of row b.
      state: The state before the first step, of as many rows: every row of the inputs `beams` times in succession.
      batch_size: Rows of the result.
      beams: Answers kept at every step.
      length: Tokens to produce at most; exactly as many where `eos_id` is None, as the released JAX code does.
      eos_id: The token that ends an answer.
      start_id: The token given to the first step.
      length_penalty: 0 prefers short answers, 1 about those with the best mean log-probability a token; below 0 it
        prefers short ones still more, as published captioners do.
      length_offset: 5 is the penalty of Wu et al., 0 that of Hugging Face: the power of the length itself.
      constraint: Which tokens are allowed, see `constraints`. It is given log-probabilities, and what it
        takes off one it takes off the score too.
      reorder: How the state follows the beams that are kept. A state whose rows are on another axis, or part of
        which is the same for all beams of a row, wants its own: `functools.partial(take_rows, axis=1)`.

    Returns:
      Tokens, 0 after EOS, and scores, best first. Where there are fewer answers than `beams`, tokens are 0 and
      the score is -inf.

    Raises:
      ConfigError: `beams` or `length_penalty` is out of range.

    Source: Wu et al. 2016 (GNMT), section 7, for the penalty; `transformers` for the other one, whose search ends by
    the same rule if its `early_stopping` is "never".
    """
    if beams < 1:
        raise ConfigError(f"a search needs beams, got {beams}; 1 is greedy decoding")
    if not math.isfinite(length_penalty):
        raise ConfigError(f"length_penalty {length_penalty} is not a number")
    first_rows = beams * jnp.arange(batch_size)[:, None]

    def normalised(live: _Answers, size: int | Array) -> _Answers:
        longer = (length_offset + size) / (length_offset + 1)
        return live._replace(scores=live.scores / longer**length_penalty)

    def running(loop: _Loop) -> Array:
        # Scores are negative: what is still to come is best at one end or the other.
        reachable = normalised(loop.live, length if length_penalty >= 0 else loop.index + 1).scores[:, 0]
        return (loop.index < length) & jnp.any(reachable > loop.finished.scores[:, -1])

    def step(loop: _Loop) -> _Loop:
        logits, state = step_fn(loop.state, loop.ids, loop.index)
        gained = jax.nn.log_softmax(logits.astype(jnp.float32))
        if constraint is not None:
            gained = constraint(gained, loop.index, loop.live.tokens.reshape(-1, length))

        # An EOS a beam at most: among twice as many continuations are enough that go on.
        totals = (loop.live.scores.reshape(-1, 1) + gained).reshape(batch_size, -1)
        scores, places = jax.lax.top_k(totals, min(2 * beams, totals.shape[1]))
        parents, ids = places // logits.shape[1], places % logits.shape[1]
        tokens = jnp.take_along_axis(loop.live.tokens, parents[:, :, None], axis=1)
        found = _Answers(scores, tokens.at[:, :, loop.index].set(ids))

        ends = jnp.zeros_like(ids, bool) if eos_id is None else ids == eos_id
        counts = ends & (jnp.arange(ids.shape[1])[None] < beams)
        ended = normalised(found._replace(scores=jnp.where(counts, scores, -jnp.inf)), loop.index + 1)
        scores, kept = jax.lax.top_k(jnp.where(ends, -jnp.inf, scores), beams)
        kept_of = lambda x: jnp.take_along_axis(x, kept, axis=1)  # noqa: E731
        return _Loop(
            index=loop.index + 1,
            ids=kept_of(ids).reshape(-1),
            live=_Answers(scores, jnp.take_along_axis(found.tokens, kept[:, :, None], axis=1)),
            finished=loop.finished.joined(ended).best(beams),
            state=reorder(state, (first_rows + kept_of(parents)).reshape(-1)),
        )

    nothing = _Answers(
        jnp.full((batch_size, beams), -jnp.inf), jnp.full((batch_size, beams, length), PAD_ID, jnp.int32)
    )
    start = _Loop(
        index=jnp.zeros((), jnp.int32),
        ids=jnp.full(batch_size * beams, start_id, jnp.int32),
        # All beams of a row start equal: one of them stands for all.
        live=nothing._replace(scores=nothing.scores.at[:, 0].set(0.0)),
        finished=nothing,
        state=state,
    )
    end = jax.lax.while_loop(running, step, start)
    answers = end.finished.joined(normalised(end.live, length)).best(beams)
    exists = jnp.isfinite(answers.scores)[:, :, None]
    return jnp.where(exists, answers.tokens, PAD_ID), answers.scores
