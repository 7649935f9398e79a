"""What the server counts, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from unified_io.serve.batcher import Batcher

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class Metrics:
    """Counters of one server.

    Args:
      batcher: Its load is told.
    """

    def __init__(self, batcher: Batcher):
        self._registry = CollectorRegistry()
        made = {"registry": self._registry}
        self.answers = Counter("unified_io_requests", "requests answered", ["path", "status"], **made)
        self.seconds = Histogram(
            "unified_io_request_seconds",
            "time to the answer, or to the first part",
            ["path"],
            buckets=_SECONDS,
            **made,
        )
        writing, waiting = (
            Gauge(f"unified_io_{name}", f"requests {name}", **made) for name in ("writing", "waiting")
        )
        writing.set_function(lambda: batcher.load[0])
        waiting.set_function(lambda: batcher.load[1])

    def text(self) -> bytes:
        """Returns all of them as Prometheus reads them."""
        return generate_latest(self._registry)
