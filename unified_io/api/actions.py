"""Capabilities that say what to do: plans for a robot arm, steps of a walk."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from unified_io.api.media import Media
from unified_io.api.results import Pose, RobotActions
from unified_io.errors import ConfigError
from unified_io.structures import bins_to_values, values_to_bins
from unified_io.vocab import LOCATION_BINS, SENTINELS, location_word

NAVIGATION = ("forward", "left", "right", "stop")
TABLE = (0.25, 0.75), (-0.5, 0.5)  # metres: the bounds of x and of y
WORLD = (-50.0, 50.0)  # metres
TURN = (0.0, 2 * np.pi)  # radians

_POSE = re.compile(r"(?:(?P<step>\d+)\s*:)?(?P<words>[^():<>]*)\(\s*(?P<bins>(?:<extra_id_\d+>\s*){3})\)")
_BIN = re.compile(r"<extra_id_(\d+)>")


class Actions(Media):
    """Acting in the world. A list in gives a list out."""

    def act(
        self,
        instruction: Any,
        *,
        image: Any = None,
        video: Any = None,
        prompt: str | None = None,
        **options: Any,
    ) -> Any:
        """Plans what a robot arm has to do.

        Args:
          instruction: What is wanted, e.g. "put the red block into the bowl".
          image: The table.
          video: Or the table over time.
          prompt: Another template with the slot {instruction}.
          options: As in `Options`; greedy.

        Returns:
          `RobotActions`, all steps of the plan.

        Source: VIMA's actions as Unified-IO 2 writes them: lines "k: pick from ( x y r ) and place to ( x y r )".
        """
        single, fields = self._asked("act", prompt, image=image, video=video, instruction=instruction)
        plans = [read_plan(text) for text in self._make_one(fields, "text", options, temperature=0.0)]
        return plans[0] if single else plans

    def navigate(
        self,
        goal: Any,
        position: Any,
        *,
        image: Any = None,
        video: Any = None,
        prompt: str | None = None,
        **options: Any,
    ) -> Any:
        """Chooses the next step on the way to a point: "forward", "left", "right" or "stop".

        Args:
          goal: Where to go: x and z in metres, heading about the vertical in radians.
          position: Where one stands, likewise.
          image: What is seen.
          video: Or what was seen until now.
          prompt: Another template with the slots {position} and {goal}.
          options: `batch_size`, `progress` and `allow_random`, as in `Options`.

        Raises:
          ConfigError: A place is outside the 100 m around the origin, or a heading outside [0, 2 pi].
        """
        places = {"goal": _spelled(goal), "position": _spelled(position)}
        single, fields = self._asked("navigate", prompt, image=image, video=video, **places)
        scores = self.score_fields(fields, NAVIGATION, by="mean", **options)
        steps = [NAVIGATION[i] for i in scores.argmax(axis=1)]
        return steps[0] if single else steps


def read_plan(text: str) -> RobotActions:
    """Reads a plan; what is no pose is left out and named.

    A pose is words and three location tokens in brackets: x, y, and the rotation as a part of a full turn. A number
    with a colon begins a step.
    """
    steps: list[list[Pose]] = []
    skipped, end = [], 0
    for found in _POSE.finditer(text):
        if text[end : found.start()].strip():
            skipped.append(text[end : found.start()].strip())
        end = found.end()
        bins = np.array([int(n) - SENTINELS for n in _BIN.findall(found["bins"])])
        if ((bins < 0) | (bins >= LOCATION_BINS)).any():
            skipped.append(found[0].strip())
            continue
        values = bins_to_values(bins).tolist()
        x, y, rotation = (
            low + value * (high - low) for value, (low, high) in zip(values, (*TABLE, TURN), strict=True)
        )
        if found["step"] or not steps:
            steps.append([])
        steps[-1].append(Pose(found["words"].strip(), x, y, rotation))
    if text[end:].strip():
        skipped.append(text[end:].strip())
    return RobotActions(tuple(map(tuple, steps)), text, tuple(skipped))


def _spelled(places: Any) -> Any:
    """Writes places (x, z, heading) as location tokens in brackets; a list of places as a list."""
    if isinstance(places, list) and places and isinstance(places[0], Sequence | np.ndarray):
        return [_spelled(place) for place in places]
    place = np.asarray(places, np.float64)
    if place.shape != (3,) or not np.isfinite(place).all():
        raise ConfigError(f"a place is x and z in metres and a heading in radians, got {places!r}")
    low, high = np.array([WORLD, WORLD, TURN]).T
    values = (place - low) / (high - low)
    if not ((values >= 0) & (values <= 1)).all():
        raise ConfigError(f"place {place.tolist()} is outside {low.tolist()} to {high.tolist()}")
    return f"( {' '.join(map(location_word, values_to_bins(values).tolist()))} )"
