import threading
import time

import pytest

from unified_io.data.prefetch import Prefetch
from unified_io.errors import DataError


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "prefetch"]


def test_items_come_in_order_and_the_thread_ends():
    assert list(Prefetch(iter(range(50)), depth=3)) == list(range(50))
    assert threads() == []


def test_an_error_comes_in_its_turn():
    def items():
        yield 1
        raise DataError("broken file")

    stream = Prefetch(items())
    assert next(stream) == 1
    with pytest.raises(DataError, match="broken file"):
        next(stream)
    assert next(stream, "end") == "end" and threads() == []


def test_closing_stops_an_endless_iterator_and_closes_it():
    closed, made = [], []

    def items():
        try:
            while True:
                made.append(len(made))
                yield made[-1]
        finally:
            closed.append(True)

    with Prefetch(items(), depth=2) as stream:
        assert [next(stream), next(stream)] == [0, 1]
        time.sleep(0.05)
    assert closed == [True] and len(made) <= 5 and threads() == []
    assert next(stream, "end") == "end"
