"""The decoding loop: a step function, run until every row has ended. Knows logits and ids only."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from unified_io.generation.constraints import Constraint
from unified_io.generation.sampling import Sampler, row_keys

StepFn = Callable[[Any, Int[Array, " B"], Int[Array, ""]], tuple[Float[Array, "B V"], Any]]
"""(state, ids, index) -> (logits of the token at `index`, state); `ids` is the token before it."""

PAD_ID = 0


class Writing(NamedTuple):
    """Answers in the making.

    Attributes:
      index: The step to come: the same in all rows, or of each row its own.
      ids: The token to be given to it.
      finished: Which rows have ended.
      tokens: What is written; 0 from `index` on, and behind the EOS of a row.
      log_probs: What `step_fn` gives the tokens of each row, summed; in nats.
      keys: One random key a row.
      state: What `step_fn` keeps.
    """

    index: Int[Array, "*B"]
    ids: Int[Array, " B"]
    finished: Bool[Array, " B"]
    tokens: Int[Array, "B length"]
    log_probs: Float[Array, " B"]
    keys: PRNGKeyArray
    state: Any

    @property
    def running(self) -> Bool[Array, " B"]:
        """Which rows have room and have not ended."""
        return (self.index < self.tokens.shape[1]) & ~self.finished


def begin(state: Any, *, batch_size: int, length: int, rng: PRNGKeyArray, start_id: int = 0) -> Writing:
    """Returns answers of which nothing is written; the arguments are those of `decode`."""
    return Writing(
        index=jnp.zeros((), jnp.int32),
        ids=jnp.full(batch_size, start_id, jnp.int32),
        finished=jnp.zeros(batch_size, bool),
        tokens=jnp.full((batch_size, length), PAD_ID, jnp.int32),
        log_probs=jnp.zeros(batch_size, jnp.float32),
        keys=row_keys(rng, batch_size),
        state=state,
    )


def advance(
    step_fn: StepFn,
    writing: Writing,
    *,
    sampler: Sampler,
    eos_id: int | None = None,
    constraint: Constraint | None = None,
) -> Writing:
    """Writes one more token in every row that has not ended; the arguments are those of `decode`."""
    logits, state = step_fn(writing.state, writing.ids, writing.index)
    logits = logits.astype(jnp.float32)
    index = jnp.broadcast_to(writing.index, writing.ids.shape)
    allowed = logits
    if constraint is not None:
        of_a_row = lambda x, i, tokens: constraint(x[None], i, tokens[None])[0]  # noqa: E731
        allowed = jax.vmap(of_a_row)(logits, index, writing.tokens)
    step_keys = jax.vmap(jax.random.fold_in)(writing.keys, index)
    ids = jnp.where(writing.finished, PAD_ID, sampler(allowed, step_keys))
    chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), ids[:, None], axis=-1)[:, 0]
    return Writing(
        index=writing.index + 1,
        ids=ids,
        finished=writing.finished if eos_id is None else writing.finished | (ids == eos_id),
        tokens=writing.tokens.at[jnp.arange(len(ids)), index].set(ids, mode="drop"),
        log_probs=writing.log_probs + jnp.where(writing.finished, 0.0, chosen),
        keys=writing.keys,
        state=state,
    )


def write(step_fn: StepFn, writing: Writing, steps: Int[Array, ""] | int, **how: Any) -> Writing:
    """Writes until every row has ended, at most `steps` tokens a row; `how` are arguments of `advance`."""
    end = writing.index + steps
    return jax.lax.while_loop(
        lambda writing: jnp.any(writing.running & (writing.index < end)),
        lambda writing: advance(step_fn, writing, **how),
        writing,
    )


def decode(
    step_fn: StepFn,
    state: Any,
    *,
    batch_size: int,
    length: int,
    sampler: Sampler,
    rng: PRNGKeyArray,
    eos_id: int | None = None,
    start_id: int = 0,
    constraint: Constraint | None = None,
) -> tuple[Int[Array, "B length"], Float[Array, " B"]]:
    """Produces tokens, one step at a time, and stops early when every row has ended.

        step           0   1   2   3
        ids given      0   7   9   1
        tokens         7   9   1   0        (eos_id 1: what follows it is 0)

    A row depends on its own state and key only, so batching requests does not change their answers: give
    `rng` as a key a row where each request has a seed of its own.

    Args:
      step_fn: One step of the decoder; what it keeps between steps (a cache) is `state`, of constant shapes.
      state: The state before the first step.
      batch_size: Rows.
      length: Tokens to produce at most; exactly as many where `eos_id` is None (images, sound).
      sampler: Chooses from the logits.
      rng: One key, or a key a row.
      eos_id: The token that ends a row.
      start_id: The token given to the first step.
      constraint: Which tokens are allowed, see `constraints`; it does not touch the log-probabilities.

    Returns:
      Tokens, and for each row the summed log-probability that `step_fn` gives them, EOS included: the number
      that scoring the same answer gives, whatever the sampler did.
    """
    start = begin(state, batch_size=batch_size, length=length, rng=rng, start_id=start_id)
    end = write(step_fn, start, length, sampler=sampler, eos_id=eos_id, constraint=constraint)
    return end.tokens, end.log_probs


def guided(step_fn: StepFn, scale: float) -> StepFn:
    """Classifier-free guidance: a step of B rows from one of 2 B, of which the first B hold the prompt.

    The other B hold the uninformative prompt and are given the tokens of the first. The logits are
    (1 + scale) log p(with) - scale log p(without); a scale of 0 is no guidance.

    Args:
      step_fn: A step on 2 B rows; so must be the state given to `decode`.
      scale: 10 for images in the paper.

    Source: the released samplers of Unified-IO 2; the paper guides images and not sound.
    """

    def step(state: Any, ids: Int[Array, " B"], index: Int[Array, ""]) -> tuple[Float[Array, "B V"], Any]:
        logits, state = step_fn(state, jnp.concatenate([ids, ids]), index)
        prompted, blank = jnp.split(jax.nn.log_softmax(logits.astype(jnp.float32)), 2)
        return (1 + scale) * prompted - scale * blank, state

    return step
