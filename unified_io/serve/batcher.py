"""One thread that runs the network for everybody: requests of one kind share a lane, others take turns.

Knows nothing of HTTP. Requests are told how far they are by a function that is called from this thread.
"""

import dataclasses
import threading
from collections.abc import Callable
from typing import Any

from unified_io.api.generating import Call
from unified_io.api.lanes import Lane, Written
from unified_io.errors import UnifiedIOError

Notify = Callable[[Written | Exception], None]

_TOKENS = 4  # of what lies in a line, between two looks at who has come
_LANES = 8  # that are kept although nobody is in them: they hold memory


class Busy(UnifiedIOError):
    """As many requests wait as may; come again later."""


class Closed(UnifiedIOError):
    """The server is about to stop and takes no more requests."""


@dataclasses.dataclass(eq=False)
class Ticket:
    """A request on its way; `cancel` is for whoever no longer wants the answer."""

    call: Call
    notify: Notify
    cancelled: bool = False

    def cancel(self) -> None:
        """Writes no further."""
        self.cancelled = True


class Batcher:
    """Writes many requests at once.

    Args:
      params: The parameters of the network.
      slots: Requests of one kind that are written at once.
      waiting: Requests that may wait.
    """

    def __init__(self, params: Any, slots: int, waiting: int):
        self._params, self._slots, self._room = params, slots, waiting
        self._waiting: list[Ticket] = []
        self._lanes: dict[Any, Lane] = {}
        self._inside: dict[tuple[Any, int], Ticket] = {}
        self._changed = threading.Condition()
        self._closed = self._stopped = False
        self._thread = threading.Thread(target=self._run, name="batcher", daemon=True)
        self._thread.start()

    @property
    def load(self) -> tuple[int, int]:
        """How many requests are being written, and how many wait."""
        return len(self._inside), len(self._waiting)

    def submit(self, call: Call, notify: Notify) -> Ticket:
        """Has a request written.

        Args:
          call: The request, laid out.
          notify: Is called with how far it is, the last time with what is done or with an error.

        Raises:
          Busy: Too many wait.
          Closed: The server is about to stop.
        """
        ticket = Ticket(call, notify)
        with self._changed:
            if self._closed:
                raise Closed("the server is about to stop; ask again when it is back")
            if len(self._waiting) >= self._room:
                raise Busy(f"{len(self._waiting)} requests wait already; ask again in a few seconds")
            self._waiting.append(ticket)
            self._changed.notify()
        return ticket

    def close(self, grace_s: float) -> None:
        """Takes no more requests, lets those that are here end, and after `grace_s` seconds ends them."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(grace_s)
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._inside or self._closed)
                if self._stopped or self._closed and not (self._waiting or self._inside):
                    break
                waiting = list(self._waiting)
            for ticket in waiting:
                if ticket.cancelled or self._admit(ticket):
                    with self._changed:
                        self._waiting.remove(ticket)
            for kind in list(self._lanes):
                if self._lanes[kind].taken:
                    self._advance(kind)
        self._end_all(Closed("the server was stopped before this was done"))

    def _admit(self, ticket: Ticket) -> bool:
        """Begins a request if there is room; one that can not begin is told so, and gone."""
        kind = Lane.kind(ticket.call)
        try:
            lane = self._lanes.pop(kind, None) or Lane(self._params, ticket.call, self._slots)
            self._lanes[kind] = lane  # the last is the one used last
            if not lane.free:
                return False
            self._inside[kind, lane.join(ticket.call)] = ticket
        except Exception as error:
            ticket.notify(error)
        self._forget()
        return True

    def _advance(self, kind: Any) -> None:
        """Writes a little more in one lane and tells everybody in it."""
        lane, others = self._lanes[kind], self._others(kind)
        try:
            for slot in [slot for slot, ticket in others.items() if ticket.cancelled]:
                self._leave(kind, slot)
            steps = next(iter(others.values())).call.target.columns or _TOKENS
            for slot, written in lane.advance(steps).items():
                self._inside[kind, slot].notify(written)
                if written.done:
                    self._leave(kind, slot)
        except Exception as error:  # whatever it was: the lane is lost, the server is not
            del self._lanes[kind]
            for slot in self._others(kind):
                self._inside.pop((kind, slot)).notify(error)

    def _leave(self, kind: Any, slot: int) -> None:
        del self._inside[kind, slot]
        self._lanes[kind].leave(slot)

    def _others(self, kind: Any) -> dict[int, Ticket]:
        return {slot: ticket for (lane, slot), ticket in self._inside.items() if lane == kind}

    def _forget(self) -> None:
        """Gives the memory of lanes back that were used the longest ago, and that nobody is in."""
        empty = [kind for kind, lane in self._lanes.items() if not lane.taken]
        for kind in empty[: max(0, len(self._lanes) - _LANES)]:
            del self._lanes[kind]

    def _end_all(self, error: Exception) -> None:
        for ticket in [*self._inside.values(), *self._waiting]:
            ticket.notify(error)
        self._inside.clear()
        self._waiting.clear()
