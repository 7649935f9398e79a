"""Which tokens may come next: functions (logits, index, tokens) -> logits, -inf where a token is forbidden.

`index` is the step, `tokens` what the rows have written: of `tokens[:, :index]`, and no more, a constraint may
make use. It lowers logits and raises none, and leaves at least one token allowed at every step. Build a constraint
once and keep it: it is a new function each time.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from unified_io.errors import ConfigError

Constraint = Callable[[Float[Array, "B V"], Int[Array, ""], Int[Array, "B length"]], Float[Array, "B V"]]


def chain(*constraints: Constraint) -> Constraint:
    """Applies constraints one after the other: a token must be allowed by all of them."""

    def apply(logits, index, tokens):
        for constraint in constraints:
            logits = constraint(logits, index, tokens)
        return logits

    return apply


def allow(ids: Bool[np.ndarray, " V"]) -> Constraint:
    """Allows the same ids at every step."""
    return schedule(np.asarray(ids)[None], repeat=True)


def below(limit: int) -> Constraint:
    """Forbids ids from `limit` up, e.g. the rows that only pad an embedding table."""

    def apply(logits, index, tokens):
        return jnp.where(jnp.arange(logits.shape[-1])[None] < limit, logits, -jnp.inf)

    return apply


def forbid_before(step: int, id: int) -> Constraint:
    """Forbids one id until `step`, e.g. EOS before 10: at least ten tokens."""

    def apply(logits, index, tokens):
        return jnp.where((jnp.arange(logits.shape[-1]) == id)[None] & (index < step), -jnp.inf, logits)

    return apply


def schedule(masks: Bool[np.ndarray, "n V"], repeat: bool = False) -> Constraint:
    """Allows the ids of mask i at step i.

    After the last mask it starts again (`repeat`) or allows everything.

    Raises:
      ConfigError: A mask allows nothing.
    """
    masks = _mask(masks, 2)
    if not masks.any(axis=1).all():
        raise ConfigError(f"mask {np.argmin(masks.any(axis=1))} of the schedule allows no token at all")

    def apply(logits, index, tokens):
        allowed = jnp.asarray(masks)[index % len(masks)]
        return jnp.where((allowed | (not repeat and index >= len(masks)))[None], logits, -jnp.inf)

    return apply


def groups(members: Bool[np.ndarray, " V"], size: int, eos_id: int) -> Constraint:
    """Allows whole groups of `size` members, and EOS between them, e.g. boxes of four location tokens."""
    inside = _mask(members, 1)
    between = inside.copy()
    between[eos_id] = True
    return schedule(np.stack([between] + [inside] * (size - 1)), repeat=True)


def automaton(following: Int[np.ndarray, "S v"]) -> Constraint:
    """Allows what an automaton accepts, which begins in state 0.

    Args:
      following: The state after token v in state s, -1 where v is forbidden; as tokens are that it has no column for.

    Raises:
      ConfigError: A state allows nothing.
    """
    following = np.asarray(following)
    stuck = ~(following >= 0).any(axis=1)
    if stuck.any():
        raise ConfigError(f"state {np.argmax(stuck)} of the automaton allows no token at all")
    small = following.astype(np.min_scalar_type(-len(following)))

    def apply(logits, index, tokens):
        table = jnp.asarray(small)

        def step(i, states):
            after = table[states, tokens[:, i]].astype(jnp.int32)
            return jnp.where(after >= 0, after, states)  # a row that has ended writes what it likes

        states = jax.lax.fori_loop(0, index, step, jnp.zeros(len(tokens), jnp.int32))
        spare = logits.shape[-1] - table.shape[1]
        return jnp.where(jnp.pad(table[states] >= 0, ((0, 0), (0, spare))), logits, -jnp.inf)

    return apply


def prefer(members: Bool[np.ndarray, " V"], threshold: float) -> Constraint:
    """Allows only members in rows where their summed probability exceeds `threshold`, else everything.

    With location tokens as members: a model that is fairly sure of another box is not stopped by an EOS that
    is a little likelier than every single coordinate.

    Source: the released localisation rule (threshold 0.3; 0.5 for people and detection).
    """
    members = _mask(members, 1)

    def apply(logits, index, tokens):
        probability = jnp.sum(jnp.where(members[None], jax.nn.softmax(logits), 0), axis=-1, keepdims=True)
        return jnp.where(members[None] | (probability <= threshold), logits, -jnp.inf)

    return apply


def repetition(penalty: float, last_only: bool = False) -> Constraint:
    """Makes less likely what a row has written before: its logit is divided by `penalty`, a negative one multiplied.

    The token given to the first step does not count.

    Args:
      penalty: 1 changes nothing; 1.5 in the released demo.
      last_only: Only the token just before counts, as in the released JAX code.

    Raises:
      ConfigError: The penalty is below 1, which would be a reward.

    Source: Keskar et al. 2019 (CTRL), section 4.1.
    """
    if not 1 <= penalty < np.inf:
        raise ConfigError(f"repetition penalty {penalty} is not a number from 1 (no penalty) up")

    def apply(logits, index, tokens):
        rows, size = logits.shape
        steps = jnp.arange(tokens.shape[1])[None]
        done = steps == index - 1 if last_only else steps < index
        ids = jnp.where(done, tokens, size)  # what is not written yet falls outside, and is dropped
        written = jnp.zeros(logits.shape, bool).at[jnp.arange(rows)[:, None], ids].set(True, mode="drop")
        return jnp.where(written, jnp.where(logits > 0, logits / penalty, logits * penalty), logits)

    return apply


def no_repeat(size: int) -> Constraint:
    """Forbids a token that would end a run of `size` tokens which a row has written before; 1 forbids all repetition.

    Raises:
      ConfigError: A run has no token.
    """
    if size < 1:
        raise ConfigError(f"runs of {size} tokens can not repeat; give 1 or more")

    def apply(logits, index, tokens):
        rows, length = tokens.shape
        places = jnp.arange(length)
        last = tokens[:, jnp.clip(index - size + 1 + jnp.arange(size - 1), 0, length - 1)]
        same = jnp.ones(tokens.shape, bool)
        for offset in range(size - 1):
            same &= jnp.roll(tokens, -offset, axis=1) == last[:, offset, None]
        ends = jnp.roll(tokens, 1 - size, axis=1)
        ids = jnp.where(same & (places + size - 1 < index)[None], ends, logits.shape[1])
        repeated = jnp.zeros(logits.shape, bool).at[jnp.arange(rows)[:, None], ids].set(True, mode="drop")
        return jnp.where(repeated, -jnp.inf, logits)

    return apply


def _mask(ids: np.ndarray, rank: int) -> np.ndarray:
    """Returns ids as a bool array; a list of ids in place of a mask is the mistake to catch."""
    ids = np.asarray(ids)
    if ids.dtype != bool or ids.ndim != rank:
        raise ConfigError(
            f"got {ids.dtype} of shape {list(ids.shape)}, wanted a bool mask with {rank} axes, the last of V"
        )
    return ids
