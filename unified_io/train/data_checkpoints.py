"""Checkpoints of a run that reads data: beside the state they hold where the data is."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from unified_io import checkpoint
from unified_io.checkpoint import Checkpoints


class DataCheckpoints(Checkpoints):
    """Checkpoints that also hold where the data is."""

    def __init__(
        self,
        directory: str | Path,
        loader: Any,
        keep: int = 2,
        keep_period: int | None = None,
        first_step: int = 0,
    ):
        """Opens the folder.

        Args:
          directory: See `Checkpoints`.
          loader: Gives the batches.
          keep: See `Checkpoints`.
          keep_period: See `Checkpoints`.
          first_step: The step whose batch is the loader's first.
        """
        super().__init__(directory, keep, keep_period)
        self._loader, self._first_step = loader, first_step

    def save(self, step: int, state: Any, notes: Mapping[str, Any] | None = None, wait: bool = False) -> None:
        """Saves a state as `Checkpoints` does, and the position in the data with it."""
        position = _of_all_hosts(self._loader.state(step - self._first_step))
        numbered = {"first_step": self._first_step} if self._first_step else {}
        where = {"data": position, "reported": self._loader.report()}
        super().save(step, state, {**(notes or {}), **numbered, **where}, wait)

    def batches(self, step: int) -> Iterator[dict[str, Any]]:
        """Goes on with the data where the checkpoint of this step was; starts with it where there is none."""
        if step not in self.steps():
            return self._loader.batches(step - self._first_step)
        notes = self.notes(step)
        self._first_step = notes.get("first_step", 0)
        self._loader.restore(notes.get("data"), step - self._first_step, notes.get("reported"))
        return self._loader.batches(step - self._first_step)


def _of_all_hosts(state: dict[str, Any] | None) -> dict[str, Any] | None:
    """Puts the positions of all hosts together; every host calls it and gets the same."""
    if state is None:
        return None
    from unified_io.data import position

    return position.together(checkpoint.from_all_processes(state))
