"""Programs that JAX compiles while training is under way. One a shape of batches is what there should be."""

import jax


class Compilations:
    """Counts the programs that are compiled within the context, in any thread.

    Attributes:
      count: How many.
      seconds: How long they took.
    """

    def __init__(self):
        self.count, self.seconds = 0, 0.0

    def __enter__(self) -> "Compilations":
        jax.monitoring.register_event_duration_secs_listener(self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        jax.monitoring.unregister_event_duration_listener(self._hear)

    def _hear(self, event: str, seconds: float, **_: object) -> None:
        if "backend_compile" in event:
            self.count += 1
            self.seconds += seconds
