"""The released pairing and batching: nothing lost, nothing twice, limits kept, and who meets whom."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unified_io.data.pairs import Batches, Pairs
from unified_io.errors import ConfigError

LIMIT = 20
SIZES = st.integers(0, LIMIT + 5)
LENGTHS = st.lists(st.tuples(SIZES, SIZES), max_size=40)
POOLS = st.integers(1, 6)


def pairs(lengths, pool_size=2, limit=10):
    return Pairs(lengths, max_encoder=limit, max_decoder=limit, pool_size=pool_size)


def batches(counts, batch_size=2, limit=3, pool_size=2):
    return Batches(counts, batch_size=batch_size, max_counts=(limit,), pool_size=pool_size)


@given(LENGTHS, POOLS)
def test_every_example_is_paired_dropped_or_waiting_once(lengths, pool_size):
    stream = pairs(lengths, pool_size, LIMIT)
    out = [example for pair in stream for example in pair if example is not None]
    assert sorted([*out, *stream.waiting, *stream.dropped]) == list(range(len(lengths)))
    assert len(stream.waiting) <= pool_size


@given(LENGTHS, POOLS)
def test_pairs_keep_both_limits_and_have_a_target(lengths, pool_size):
    stream = pairs(lengths, pool_size, LIMIT)
    for first, second in stream:
        assert lengths[first][1] + (lengths[second][1] if second is not None else 0) > 0
        if second is not None:
            assert all(a + b <= LIMIT for a, b in zip(lengths[first], lengths[second], strict=True))
    assert not any(lengths[example][1] for example in stream.dropped)


@given(LENGTHS, POOLS)
def test_who_goes_alone_is_no_shorter_than_who_waits(lengths, pool_size):
    stream = pairs(lengths, pool_size, LIMIT)
    for first, second in stream:
        if second is None:
            assert all(sum(lengths[first]) >= sum(lengths[other]) for other in stream.waiting)


def test_the_longest_that_fits_is_chosen_and_the_first_of_equals():
    # 3 fits all that wait, of which 1 and 2 are the longest; 4 fits 0 only
    stream = pairs([(6, 2), (6, 3), (6, 3), (4, 4), (3, 8)], pool_size=5)
    assert list(stream) == [(3, 1), (4, 0)] and stream.waiting == [2]


def test_a_full_pool_sends_the_longest_alone():
    lengths = [(8, 8), (9, 9), (7, 7), (9, 9)]
    stream = pairs(lengths, pool_size=1)
    assert list(stream) == [(1, None), (0, None), (3, None)] and stream.waiting == [2]


def test_what_is_over_a_limit_goes_alone():
    assert list(pairs([(30, 1), (1, 1), (1, 30)], pool_size=1)) == [(0, None), (2, None)]


def test_pairs_without_a_target_are_left_out():
    stream = pairs([(3, 0), (4, 0), (1, 1), (2, 2)])
    assert list(stream) == [(3, 2)] and stream.dropped == [1, 0]


def test_a_stream_is_read_as_it_is_asked_for():
    def endless():
        while True:
            yield 6, 6

    stream = iter(pairs(endless(), pool_size=1))
    assert [next(stream) for _ in range(3)] == [(1, None), (2, None), (3, None)]


@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=40),
    st.integers(1, 4),
    POOLS,
)
def test_batches_keep_the_limits_and_lose_nothing(counts, batch_size, pool_size):
    stream = Batches(counts, batch_size=batch_size, max_counts=(5, 5), pool_size=pool_size)
    out = list(stream)
    assert sorted([*sum(out, ()), *stream.waiting]) == list(range(len(counts)))
    for batch in out:
        assert 1 <= len(batch) <= batch_size
        totals = [sum(counts[example][kind] for example in batch) for kind in (0, 1)]
        assert len(batch) == 1 or max(totals) <= 5


def test_the_pool_gives_one_example_a_batch():
    # 1, 2 and 3 wait when 0 goes; they come out one by one though all of them fit together
    stream = batches([(3,), (1,), (1,), (1,)], batch_size=4, pool_size=3)
    assert list(stream) == [(0,)] and stream.waiting == [1, 2, 3]


def test_an_example_over_a_limit_is_a_batch_of_its_own():
    stream = batches([(9,), (1,), (9,)], pool_size=1)
    assert list(stream) == [(0,), (1,)] and stream.waiting == [2]


def test_a_batch_goes_when_it_is_full():
    stream = batches([(2,), (2,), (1,), (1,), (3,)])
    assert list(stream) == [(0, 2), (1, 3)] and stream.waiting == [4]


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: pairs([], pool_size=0), "pool_size is 0"),
        (lambda: batches([], pool_size=0), "pool_size is 0"),
        (lambda: batches([], batch_size=0), "batch_size is 0"),
    ],
)
def test_no_room_is_an_error(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
