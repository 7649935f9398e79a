"""Packed batches of a bound mixture, for ever: exact order, resumed in place, shared out to hosts by group."""

import dataclasses
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from unified_io.data import pipeline
from unified_io.data.budgets import Budgets
from unified_io.data.fingerprint import difference, fingerprint
from unified_io.data.lane import Lane
from unified_io.data.mixture import rates_of, tasks_of
from unified_io.data.packer import Packed, Packer
from unified_io.data.position import GroupPosition, Position
from unified_io.data.prefetch import Prefetch
from unified_io.data.quarantine import LeftOut, Quarantine, QuarantineFile
from unified_io.errors import ConfigError, DataError
from unified_io.modalities.base import Modality, TargetModality

log = logging.getLogger(__name__)

_ANYWAY = "set accept_changed_data=True to go on with what is there now"


class _Step(NamedTuple):
    """The batch of a step, what it brought and left out, and where to read from to get the one behind it."""

    batch: dict[str, Any]
    seen: Counter[str]
    left_out: list[LeftOut]
    resume: Position
    carried: int


class Loader:
    """Turns a bound mixture into packed batches.

    Every group of a batch reads a part of every source of its own, so the global batch of a step is the same
    whichever host makes which group. A source gives every example once an epoch. The stream is cut in chunks of
    `chunk_steps` batches: what is drawn in a chunk has a seed of its own, and examples that wait at its end are the
    first of the next one. `state(step)` is the start of the chunk; to resume, the chunk is read from there.

    Changed on resume: rates and new sources take effect with the next chunk, so the batches of this one, the
    waiting examples and the places in all sources stay. Another seed, number of groups, data in a source or objective
    of its task is refused, unless `accept_changed` is set. Then a new chunk begins at once: changed sources begin anew
    without their waiting examples, the others go on where they were at the start of the chunk.

    Attributes:
      quarantine: Examples that were left out of the batches handed out so far. With a folder they are listed in its
        `quarantine.jsonl` too, and those of earlier sessions count.
    """

    def __init__(
        self,
        bound: pipeline.Bound,
        inputs: Sequence[Modality],
        targets: Sequence[TargetModality],
        budgets: Budgets,
        *,
        seed: int = 0,
        split: str = "train",
        groups: int = 1,
        mine: Sequence[int] | None = None,
        chunk_steps: int = 500,
        lookahead: float = 2.0,
        depth: int = 2,
        max_bad: int = 100,
        max_bad_share: float = 1.0,
        folder: str | Path | None = None,
        accept_changed: bool = False,
    ):
        """Sets up a loader; nothing is read before `batches`.

        Args:
          bound: From `pipeline.bind`.
          inputs: Input modalities of the configuration it is bound to.
          targets: Target modalities.
          budgets: The shape of a batch, for one group.
          seed: Seeds everything.
          split: A split of the sources.
          groups: Groups of rows, one a data shard, on all hosts together.
          mine: Which of them this host makes; None for all.
          chunk_steps: Batches of a chunk: at most so many are made again to resume. Save checkpoints at multiples of
            it and none is.
          lookahead: Batches' worth of examples to choose from.
          depth: Batches prepared ahead.
          max_bad: Bad or overlong examples to leave out before giving up; 0 gives up at the first.
          max_bad_share: Part of the examples of one source that may be left out; looked at from 200 examples on.
          folder: Where `quarantine.jsonl` is written; None for nowhere. Hosts but the first number their files.
          accept_changed: Whether to resume with data that has changed.

        Raises:
          ConfigError: Impossible numbers, no such split, or a rate below 0.
        """
        self._mine = tuple(range(groups) if mine is None else mine)
        if chunk_steps < 1 or not self._mine or not set(self._mine) <= set(range(groups)):
            raise ConfigError(
                f"chunk_steps is {chunk_steps} and this host makes groups {list(self._mine)} of {groups}; "
                "a chunk has at least 1 step, a host at least 1 group, counted from 0"
            )
        self._tasks, self._rates = tasks_of(bound, split), rates_of(bound, split)
        self.quarantine: list[LeftOut] = []
        self._max_bad, self._max_bad_share = max_bad, max_bad_share
        host = f"-{jax.process_index()}" if jax.process_index() else ""
        self._list = None if folder is None else QuarantineFile(Path(folder, f"quarantine{host}.jsonl"))
        self._packer = Packer(inputs, targets, budgets, 1, lookahead)
        self._seed, self._split, self._groups, self._chunk_steps = seed, split, groups, chunk_steps
        self._depth, self._accept_changed = depth, accept_changed
        self._sources: dict[str, Any] = {}
        self._begin = self._chunk(0, 0, {group: GroupPosition() for group in self._mine})
        self._resume = {0: self._begin}
        self._seen: Counter[str] = Counter()
        self._carried = 0
        self._reported: dict[str, float] | None = None

    def batches(self, start_step: int = 0) -> Iterator[dict[str, Any]]:
        """Yields the batch of step `start_step` and all that follow; close the iterator to end its thread.

        Everything before `start_step` is read, from the start of the chunk if `restore` was called and from the
        very first step if not.

        Raises:
          EmptySource: A source has no example; names it.
          DataError: Too many examples were bad; the message names the last one. Or the thread has died.
        """
        if start_step - self._begin.start > self._begin.steps:
            log.warning(
                "no position to resume from: reading all data of the first %d steps again", start_step
            )
        kept = [] if self._list is None else self._list.resume(start_step)
        # The chunk is read from its start, and what was left out since then is met again.
        self.quarantine = [entry for entry in kept if entry.step <= self._begin.start]
        with Prefetch(_by_name(self._steps(start_step)), self._depth) as stream:
            for step, made in enumerate(stream, start_step + 1):
                self._seen, self._carried, self._reported = made.seen, made.carried, None
                self.quarantine += made.left_out
                if self._list is not None:
                    self._list.write(entry for entry in made.left_out if entry.step > start_step)
                # Of two steps: a run that is interrupted while it makes a step saves the one before.
                before = {step - 1: self._resume[step - 1]} if step - 1 in self._resume else {}
                self._resume = {**before, step: made.resume}
                yield made.batch

    def report(self) -> dict[str, float]:
        """Returns what was handed out so far, as metrics.

        `seen/<task>` counts examples, `share/<task>` is its part of all examples and `planned/<task>` the part its
        rate asks for. `quarantined` counts the examples left out, `quarantined/<task>` those of a task. `carried`
        examples were waiting at the end of the last chunk. Before the first batch after `restore` it is what that was
        given.
        """
        if self._reported is not None:
            return dict(self._reported)
        metrics: dict[str, float] = {"quarantined": len(self.quarantine), "carried": self._carried}
        total, left_out = max(self._seen.total(), 1), Counter(entry.source for entry in self.quarantine)
        for task, rate in self._rates.items():
            metrics[f"quarantined/{task}"] = left_out[task]
            metrics[f"seen/{task}"] = self._seen[task]
            metrics[f"share/{task}"] = self._seen[task] / total
            metrics[f"planned/{task}"] = rate
        return metrics

    def state(self, step: int) -> dict[str, Any] | None:
        """Returns what a checkpoint of a step holds, as JSON values: where to read from, and what the sources are.

        None if that step is not one of the last two, or was reached without a position.
        """
        if step not in self._resume:
            return None
        return {"position": self._resume[step].to_json(), "sources": self._fingerprints()}

    def restore(
        self, state: Mapping[str, Any] | None, step: int, reported: Mapping[str, float] | None = None
    ) -> None:
        """Takes up where `state(step)` was, of all hosts together; None changes nothing.

        Args:
          state: Of all hosts.
          step: Its step.
          reported: What `report` said then: what was seen in this chunk is only known when it is read again.

        Raises:
          DataError: The data has changed: says what was and what is. Or the state is of another step.
        """
        if state is None:
            return
        self._reported = None if reported is None else dict(reported)
        position = Position.from_json(state["position"])
        if not position.start <= step <= position.start + position.steps:
            raise DataError(
                f"the position is of steps {position.start} to {position.start + position.steps}, "
                f"not of {step}; restore the checkpoint it belongs to"
            )
        changes = self._changes(position, state["sources"])
        if changes and not self._accept_changed:
            said = "\n  ".join(changes.values())
            raise DataError(f"the data has changed since step {step}:\n  {said}\nbring it back, or {_ANYWAY}")
        if changes:
            for change in changes.values():
                log.warning("accepted: %s", change)
            position = self._anew(position, step, changes)
        elif dict(position.rates) != self._rates:
            end = position.start + position.steps
            for name in self._rates:
                was, now = position.rates.get(name, 0.0), self._rates[name]
                if was != now:
                    log.warning("the rate of %s changes from %.4g to %.4g at step %d", name, was, now, end)
        mine = {group: position.by_group[group] for group in self._mine}
        self._begin = dataclasses.replace(position, by_group=mine)
        self._resume = {step: self._begin}
        self._seen = _total(mine.values())

    def _changes(self, position: Position, sources: Mapping[str, Any]) -> dict[str, str]:
        """What a run can not silently go on with, in words, by source; under "" what concerns all of them."""
        changes = {}
        for name, was in sources.items():
            if name not in self._tasks:
                changes[name] = f"{name} is no longer in the mixture; to phase it out give it the rate 0"
            elif said := difference(was, self._fingerprints()[name]):
                changes[name] = f"{name} changed: {said}"
        own = {"seed": self._seed, "split": self._split, "groups": self._groups}
        if said := [
            f"{key} was {getattr(position, key)} and is {now}"
            for key, now in own.items()
            if getattr(position, key) != now
        ]:
            changes[""] = ", ".join(said)
        if not changes and (lost := set(self._mine) - position.by_group.keys()):
            raise DataError(f"the position lacks groups {sorted(lost)}; put the states of all hosts together")
        return changes

    def _anew(self, position: Position, step: int, changes: Mapping[str, str]) -> Position:
        """A new chunk at once, in which changed sources begin anew."""
        if "" in changes:
            groups = {group: GroupPosition() for group in self._mine}
        else:
            groups = {n: group.without(changes, self._tasks) for n, group in position.by_group.items()}
        return self._chunk(position.chunk + 1, step, groups)

    def _chunk(self, number: int, start: int, groups: Mapping[int, GroupPosition]) -> Position:
        return Position(
            number, start, self._chunk_steps, self._seed, self._split, self._groups, self._rates, groups
        )

    def _fingerprints(self) -> dict[str, Any]:
        if not self._sources:
            self._sources = {name: fingerprint(task, self._split) for name, task in self._tasks.items()}
        return self._sources

    def _steps(self, start_step: int) -> Iterator[_Step]:
        position, carried = self._begin, _waiting(self._begin.by_group)
        quarantine = Quarantine(self._max_bad, self._max_bad_share)
        quarantine += self.quarantine
        handed_out = stamped = len(quarantine)
        while True:
            lanes = {group: self._lane(group, position, quarantine) for group in self._mine}
            streams = [lane.batches() for lane in lanes.values()]
            end = position.start + position.steps
            following = position
            for step in range(position.start, end):
                made = [next(stream) for stream in streams]
                if step + 1 == end:
                    groups = {group: lane.position() for group, lane in lanes.items()}
                    carried = _waiting(groups)
                    following = self._chunk(position.chunk + 1, end, groups)
                quarantine.stamp(stamped, step + 1)
                stamped, seen = len(quarantine), _total(lanes.values())
                quarantine.check(seen)
                if step >= start_step:
                    yield _Step(_joined(made), seen, quarantine[handed_out:], following, carried)
                    handed_out = stamped
            position = following

    def _lane(self, group: int, position: Position, quarantine: Quarantine) -> Lane:
        return Lane(
            self._tasks,
            position.rates,
            self._packer,
            self._split,
            seed=self._seed,
            chunk=position.chunk,
            group=group,
            groups=self._groups,
            begin=position.by_group[group],
            quarantine=quarantine,
        )


def _waiting(groups: Mapping[int, GroupPosition]) -> int:
    return sum(len(group.waiting) for group in groups.values())


def _total(groups: Any) -> Counter[str]:
    return sum((Counter(group.seen) for group in groups), Counter())


def _joined(made: Sequence[Packed]) -> dict[str, Any]:
    if len(made) == 1:
        return made[0].batch
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *(packed.batch for packed in made))


def _by_name(steps: Iterator[_Step]) -> Iterator[_Step]:
    """Turns whatever would end the thread in silence into an error for whoever waits for a batch."""
    try:
        yield from steps
    except (Exception, GeneratorExit):
        raise
    except BaseException as error:
        raise DataError(
            f"the thread that makes batches was ended by {error!r}; give the same command to continue"
        ) from error
