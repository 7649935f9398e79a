"""The batcher: who waits, who is refused, who hangs up, and what goes wrong for one and not for the others."""

import threading

import pytest

from unified_io.api.lanes import Lane
from unified_io.serve.batcher import Batcher, Busy, Closed


class Client:
    """Waits for what it is told."""

    def __init__(self):
        self.events, self._done = [], threading.Event()

    def __call__(self, event):
        self.events.append(event)
        if isinstance(event, Exception) or event.done:
            self._done.set()

    def wait(self):
        assert self._done.wait(60), "it was never told the end"
        return self.events[-1]


class Gate:
    """Lets the network write only when it is told to."""

    def __init__(self, monkeypatch):
        self.open, self.waiting = threading.Event(), threading.Event()
        advance = Lane.advance

        def gated(lane, steps):
            self.waiting.set()
            assert self.open.wait(60)
            return advance(lane, steps)

        monkeypatch.setattr(Lane, "advance", gated)


@pytest.fixture
def gate(monkeypatch):
    return Gate(monkeypatch)


@pytest.fixture
def batcher(model, gate):
    made = Batcher(model.params, slots=1, waiting=2)
    yield made
    gate.open.set()
    made.close(30)


def call(model, seed=0, **options):
    return model.prepare("text", text="say", seed=seed, max_length=6, temperature=1.0, top_p=1.0, **options)


def test_as_many_wait_as_may_and_each_is_answered(model, batcher, gate):
    clients = [Client() for _ in range(3)]
    batcher.submit(call(model), clients[0])
    assert gate.waiting.wait(60)  # it is being written
    for client in clients[1:]:
        batcher.submit(call(model), client)
    assert batcher.load == (1, 2)
    with pytest.raises(Busy, match="2 requests wait already"):
        batcher.submit(call(model), Client())
    gate.open.set()
    answers = [client.wait().tokens.tolist() for client in clients]
    assert answers[0] == answers[1] == answers[2]


def test_one_that_hangs_up_makes_room(model, batcher, gate):
    gone, here = Client(), Client()
    ticket = batcher.submit(call(model), gone)
    assert gate.waiting.wait(60)
    batcher.submit(call(model, seed=1), here)
    ticket.cancel()
    gate.open.set()
    here.wait()
    assert not any(event.done for event in gone.events)
    assert batcher.load == (0, 0)


def test_what_breaks_breaks_alone(model, batcher, gate, monkeypatch):
    gate.open.set()
    broken, whole = Client(), Client()
    join, failed = Lane.join, []

    def once(lane, call):
        if not failed:
            failed.append(call)
            raise RuntimeError("out of memory")
        return join(lane, call)

    monkeypatch.setattr(Lane, "join", once)
    batcher.submit(call(model), broken)
    assert str(broken.wait()) == "out of memory"
    batcher.submit(call(model), whole)
    assert whole.wait().done


def test_a_lane_that_breaks_tells_everybody_in_it_and_is_made_anew(model, monkeypatch):
    advance, failed = Lane.advance, []

    def once(lane, steps):
        if not failed:
            failed.append(lane)
            raise RuntimeError("lost")
        return advance(lane, steps)

    monkeypatch.setattr(Lane, "advance", once)
    batcher = Batcher(model.params, slots=2, waiting=4)
    first, again = Client(), Client()
    batcher.submit(call(model), first)
    assert str(first.wait()) == "lost"
    batcher.submit(call(model), again)
    assert again.wait().done
    batcher.close(30)


def test_who_is_here_is_answered_before_it_closes(model, batcher, gate):
    client = Client()
    batcher.submit(call(model), client)
    assert gate.waiting.wait(60)
    closing = threading.Thread(target=batcher.close, args=(60,))
    closing.start()
    while not batcher._closed:
        pass
    with pytest.raises(Closed):
        batcher.submit(call(model), Client())
    gate.open.set()
    closing.join(60)
    assert client.wait().done


def test_who_takes_longer_than_the_grace_is_told(model, batcher, gate):
    client, late = Client(), Client()
    batcher.submit(call(model), client)
    batcher.submit(call(model), late)
    assert gate.waiting.wait(60)
    threading.Timer(0.5, gate.open.set).start()
    batcher.close(0.05)
    assert isinstance(late.wait(), Closed)
