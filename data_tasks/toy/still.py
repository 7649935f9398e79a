"""Records of one moment: a picture of a state and all that is true of it."""

import dataclasses
from typing import Any

import numpy as np

from data_tasks.toy import captions, instructions, phrases, truth
from data_tasks.toy.camera import intrinsics
from data_tasks.toy.placing import TURN, draw_camera_beside
from data_tasks.toy.render import BOARD, PUPPET, render
from data_tasks.toy.scene import State
from data_tasks.toy.splits import Split
from unified_io.errors import DataError

Record = dict[str, Any]

CAPTIONS = 3
HOLE = 0.12
"""Part of the picture that the box of a thing covers which is to be filled in."""
TRIES = 60
"""States that are drawn at the most until one has what a record needs."""
UPRIGHT = np.array([1.0, -1.0, -1.0], np.float32)
"""Turns normals of the camera's frame into those of maps, which have y upwards and z towards the viewer."""


def scene(split: Split, rng: np.random.Generator, size: int, **plan: Any) -> Record:
    """A state, described and measured in all ways."""
    state = split.draw(rng, **plan)
    return shown(state, split, rng, size)


def paired(split: Split, rng: np.random.Generator, size: int) -> Record:
    """A state of as few things as a split has, two at least, that stand to each other in a way beyond doubt."""
    fewest = max(2, split.count[0])
    return _related(split, rng, size, (fewest, fewest))


def related(split: Split, rng: np.random.Generator, size: int) -> Record:
    """A state of three things or more, two of which stand to each other in a way that is beyond doubt."""
    return _related(split, rng, size, (max(3, split.count[0]), max(3, split.count[1])))


def _related(split: Split, rng: np.random.Generator, size: int, count: tuple[int, int]) -> Record:
    for _ in range(TRIES):
        record = scene(split, rng, size, count=count)
        if record["relations"]:
            return record
    raise DataError(f"no state with a clear relation was found in {TRIES} tries")


def shown(state: State, split: Split, rng: np.random.Generator, size: int) -> Record:
    """Everything that is true of a state's picture."""
    picture = render(state, size)
    seen = truth.owners(state, picture.ids)
    found = truth.masks(picture.ids, [number + 1 for number in seen])
    things = [state.things[number] for number in seen]
    names = [name_of(state, number) for number in seen]
    kind, instruction, response = instructions.draw(state, seen, split.held_out, rng)
    cuboids = [truth.cuboid(thing, state.camera) for thing in things]
    return {
        "image": picture.image,
        "image_target": picture.image,
        "captions": _captions(state, seen, split, rng),
        "boxes": truth.boxes(found),
        "names": names,
        "phrases": [phrases.referring(state, number, seen, rng) for number in seen],
        "name": names[0],
        "classes": [f"{colour} {shape}" for shape, colour in split.pairs],
        "masks": found,
        "depth": picture.depth,
        "normals": picture.normals * UPRIGHT,
        "cuboids": [{**cuboid, "name": name} for cuboid, name in zip(cuboids, names, strict=True)],
        "intrinsics": intrinsics(size).astype(np.float32),
        "cameras": np.array([dataclasses.astuple(state.camera)], np.float32),
        "relations": truth.relations(state, seen),
        "instruction": instruction,
        "response": response,
        "turns": instructions.conversation(state, seen, split.held_out, rng),
        "world": {"state": dataclasses.asdict(state), "seen": seen, "instruction": kind},
    }


def single(split: Split, rng: np.random.Generator, size: int) -> Record:
    """One thing, and its box; what is to be named is its shape."""
    state = split.draw(rng, count=(1, 1))
    picture = render(state, size)
    return {
        "image": picture.image,
        "boxes": truth.boxes(truth.masks(picture.ids, [1])),
        "names": [state.things[0].shape],
        "name": state.things[0].shape,
        "classes": list(split.shapes),
        "world": world(state),
    }


def hole(split: Split, rng: np.random.Generator, size: int) -> Record:
    """A state with a thing that fills a good part of the picture; only such things have a box."""
    for _ in range(TRIES):
        state = split.draw(rng)
        picture = render(state, size)
        seen = truth.owners(state, picture.ids)
        boxes = truth.boxes(truth.masks(picture.ids, [number + 1 for number in seen]))
        large = np.flatnonzero(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) > HOLE)
        if len(large):
            names = [name_of(state, seen[place]) for place in large]
            return {"image": picture.image, "boxes": boxes[large], "names": names, "world": world(state)}
    raise DataError(f"no state had a thing large enough for a hole in {TRIES} tries")


def person(split: Split, rng: np.random.Generator, size: int) -> Record:
    """One or two puppets beside a thing or two."""
    state = split.draw(rng, puppets=(1, 2), count=(1, 2))
    picture = render(state, size)
    counts = [(picture.ids == PUPPET + number).sum() for number in range(len(state.puppets))]
    seen = [number for number, count in enumerate(counts) if count > 0]
    return {
        "image": picture.image,
        "boxes": truth.boxes(truth.masks(picture.ids, [PUPPET + number for number in seen])),
        "names": ["person"] * len(seen),
        "keypoints": truth.keypoints(state, picture)[seen],
        "world": world(state),
    }


def board(split: Split, rng: np.random.Generator, size: int) -> Record:
    """A board, the boxes of its words, and what they say."""
    state = split.draw(rng, board=True, count=(1, 1) if split.must else (0, 0))
    picture = render(state, size)
    words = [*state.board.words] if state.board else []
    found = truth.masks(picture.ids, [BOARD + 1 + number for number in range(len(words))])
    return {"image": picture.image, "boxes": truth.boxes(found), "phrases": words, "world": world(state)}


def views(split: Split, rng: np.random.Generator, size: int) -> Record:
    """A state on a rug from two cameras of the shell, the second beside the first."""
    state = on_rug(split.draw(rng), rng)
    others = state, state.seen_from(draw_camera_beside(state.camera, rng))
    return {
        "images": [render(one, size).image for one in others],
        "cameras": np.array([dataclasses.astuple(one.camera) for one in others], np.float32),
        "world": world(state),
    }


def on_rug(state: State, rng: np.random.Generator) -> State:
    """Returns the state on a rug that is turned to its camera, more or less."""
    return dataclasses.replace(state, rug=state.camera.phi + float(rng.uniform(-TURN, TURN)))


def name_of(state: State, number: int) -> str:
    """Returns what a thing is called where it need not be told from others: "red cube"."""
    return phrases.spoken(phrases.described(state, number, [phrases.COLOUR, phrases.SHAPE]))


def _captions(state: State, seen: list[int], split: Split, rng: np.random.Generator) -> list[str]:
    told = [captions.caption(state, seen, split.held_out, rng) for _ in range(CAPTIONS)]
    return list(dict.fromkeys(told))


def world(state: State) -> Record:
    return {"state": dataclasses.asdict(state)}
