"""Records of clips: five frames in which one thing moves, where it is in each, what happens, and flow."""

import dataclasses
from typing import Any

import numpy as np

from data_tasks.toy import captions, motion, truth
from data_tasks.toy.motion import Clip
from data_tasks.toy.render import render
from data_tasks.toy.scene import State
from data_tasks.toy.splits import Split
from unified_io.errors import DataError

Record = dict[str, Any]

NAMES = {
    "slide": "sliding",
    "approach": "approaching",
    "jump": "jumping",
    "spin": "spinning",
    "vanish": "vanishing",
    "collide": "bumping",
}
FOLLOWED = ("slide", "approach", "jump", "collide")
"""Kinds in which the thing changes its place and stays to be seen."""

_TRIES = 120
_TILT = 0.08  # radians and metres that a camera moves between two frames at the most


def video(split: Split, rng: np.random.Generator, size: int, kinds: tuple[str, ...] = motion.KINDS) -> Record:
    """A clip; its kind is drawn before the state, so that all kinds are equally likely."""
    clip = draw(split, str(rng.choice(kinds)), rng)
    pictures = [render(state, size) for state in clip.states]
    tracks = np.zeros((len(pictures), 4), np.float32)
    for frame, picture in enumerate(pictures):
        mask = truth.masks(picture.ids, [clip.actor + 1])
        if mask.any():
            tracks[frame] = truth.boxes(mask)[0]
    first = clip.states[0]
    told = [
        captions.happening(first, clip.kind, clip.actor, clip.other, split.held_out, rng) for _ in range(2)
    ]
    return {
        "images": [picture.image for picture in pictures],
        "times": np.arange(len(pictures), dtype=np.float32) * np.float32(motion.SECONDS),
        "tracks": tracks,
        "captions": list(dict.fromkeys(told)),
        "name": NAMES[clip.kind],
        "classes": [NAMES[kind] for kind in kinds],
        "world": {
            "states": [dataclasses.asdict(state) for state in clip.states],
            "kind": clip.kind,
            "actor": clip.actor,
            "other": clip.other,
            "moment": clip.moment,
        },
    }


def followed(split: Split, rng: np.random.Generator, size: int) -> Record:
    """A clip whose thing moves through the picture, and is seen in every frame."""
    for _ in range(_TRIES):
        record = video(split, rng, size, FOLLOWED)
        if (record["tracks"][:, 2:] > record["tracks"][:, :2]).all():
            return record
    raise DataError(f"no clip whose thing is always seen was found in {_TRIES} tries")


def flow(split: Split, rng: np.random.Generator, size: int) -> Record:
    """Two frames of a clip, in half of them from a camera that moves too, and how every pixel moves."""
    clip = draw(split, str(rng.choice([*FOLLOWED, "spin"])), rng)
    frame = int(rng.integers(motion.FRAMES - 1))
    first, second = clip.states[frame : frame + 2]
    if rng.random() < 0.5:
        second = _tilted(second, rng)
    picture = render(first, size)
    return {
        "images": [picture.image, render(second, size).image],
        "flow": truth.flow(first, picture, second),
        "world": {"states": [dataclasses.asdict(first), dataclasses.asdict(second)]},
    }


def draw(split: Split, kind: str, rng: np.random.Generator) -> Clip:
    """Draws a clip of a kind, all of whose states belong to the split.

    Raises:
      DataError: None was found.
    """
    least = max(split.count[0], 2 if kind in ("approach", "collide", "vanish") else 1)
    for _ in range(_TRIES):
        clip = motion.draw(split.draw(rng, count=(least, split.count[1])), rng, (kind,))
        if clip is not None and split.owns(clip.states):
            return clip
    raise DataError(f"no clip of kind {kind!r} was found in {_TRIES} tries")


def _tilted(state: State, rng: np.random.Generator) -> State:
    theta, phi, r = rng.uniform(-_TILT, _TILT, size=3)
    camera = state.camera
    return state.seen_from(
        dataclasses.replace(camera, theta=camera.theta + theta, phi=camera.phi + phi, r=camera.r + r)
    )
