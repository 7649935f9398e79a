"""Keys and values as decoding keeps them: attention of one token to them, writing, lengthening, choosing."""

import jax.numpy as jnp
import numpy as np
import pytest

from unified_io.nn import kept
from unified_io.nn.attention import attend

B, H, K = 2, 6, 4


def some(rng, tokens, heads=H):
    return {name: jnp.float32(rng.normal(size=(B, tokens, heads, K))) for name in "kv"}


@pytest.mark.parametrize("heads", [2, 6])
@pytest.mark.parametrize("biased", [False, True])
def test_parts_are_one_row(rng, heads, biased):
    q = jnp.float32(rng.normal(size=(B, 1, H, K)))
    first, second = (some(rng, tokens, heads) for tokens in (7, 3))
    masks = [jnp.asarray(rng.random((B, 1, 1, tokens)) < 0.6) for tokens in (7, 3)]
    bias = (
        jnp.float32(rng.normal(size=(1, heads if heads == H else 1, 1, 7)))
        if biased
        else jnp.zeros((1, 1, 1, 7))
    )
    parts = [kept.seen(kept.keep(first), masks[0], bias), kept.seen(kept.keep(second), masks[1])]
    whole = {n: jnp.concatenate([first[n], second[n]], axis=1) for n in "kv"}
    wanted = attend(
        q,
        **whole,
        mask=jnp.concatenate(masks, axis=-1),
        bias=jnp.pad(bias, ((0, 0), (0, 0), (0, 0), (0, 3))),
    )
    np.testing.assert_allclose(kept.attend(q, parts), wanted, atol=1e-5)


def test_a_scale_is_taken_as_told(rng):
    q, kv = jnp.float32(rng.normal(size=(B, 1, H, K))), some(rng, 5)
    everything = kept.seen(kept.keep(kv), jnp.ones((1, 1, 1, 5), bool))
    np.testing.assert_allclose(kept.attend(q, [everything], scale=2.0), attend(q, **kv, scale=2.0), atol=1e-5)


def test_what_is_written_is_there_and_nothing_else(rng):
    kv, new = some(rng, 5), some(rng, 1)
    written = kept.write(kept.lengthen(kept.keep(kv), 8), new, jnp.int32(6))
    wanted = {n: jnp.pad(kv[n], ((0, 0), (0, 3), (0, 0), (0, 0))).at[:, 6].set(new[n][:, 0]) for n in "kv"}
    for name, x in kept.keep(wanted).items():
        np.testing.assert_array_equal(written[name], x)


def test_room_is_made_and_never_taken(rng):
    cross = kept.keep(some(rng, 5))
    room = kept.empty(cross, 3)
    assert kept.room(room) == 3 and not any(x.any() for x in room.values())
    assert kept.room(kept.lengthen(cross, 9)) == 9 and kept.room(kept.lengthen(cross, 2)) == 5


def test_some_places_are_those_tokens(rng):
    kv, places = some(rng, 5), jnp.asarray([3, 0])
    chosen = kept.at(kept.keep(kv), places)
    for name, x in kept.keep({n: x[:, places] for n, x in kv.items()}).items():
        np.testing.assert_array_equal(chosen[name], x)


def test_rows_are_chosen_with_all_their_heads(rng):
    kv, chosen = some(rng, 5), jnp.asarray([1, 1, 0])
    found = kept.rows(kept.keep(kv), chosen, B)
    for name, x in kept.keep({n: x[chosen] for n, x in kv.items()}).items():
        np.testing.assert_array_equal(found[name], x)
