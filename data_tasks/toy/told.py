"""Records of words: what is asked of a state, what it becomes by a command, what is told of it without a picture."""

import dataclasses
from typing import Any

import numpy as np

from data_tasks.toy import captions, commands, instructions, questions, truth
from data_tasks.toy.render import Picture, render
from data_tasks.toy.scene import State
from data_tasks.toy.splits import Split
from data_tasks.toy.still import TRIES, UPRIGHT, world
from unified_io.errors import DataError
from unified_io.preprocess import maps

Record = dict[str, Any]

CONTROLS = ("depth", "normals", "mask", "edges")
"""Maps of a picture that one may be made from."""


def question(split: Split, rng: np.random.Generator, size: int) -> Record:
    """A question about a picture; its kind and the answer wanted are drawn before the state."""
    while True:
        kind, aim = questions.KINDS[rng.integers(len(questions.KINDS))], float(rng.random())
        for _ in range(TRIES):
            state = split.draw(rng)
            picture = render(state, size)
            asked = questions.ask(kind, state, truth.owners(state, picture.ids), split, aim, rng)
            if asked is not None:
                return {
                    "image": picture.image,
                    "question": asked.question,
                    "answers": [asked.answer],
                    "name": asked.answer,
                    "options": list(asked.options),
                    "world": world(state) | {"kind": asked.kind, "program": asked.program},
                }


def edit(split: Split, rng: np.random.Generator, size: int) -> Record:
    """A picture, a command, and the picture after it."""
    for _ in range(TRIES):
        state = split.draw(rng)
        picture = render(state, size)
        command = commands.draw(state, truth.owners(state, picture.ids), split, rng)
        if command is not None:
            after = render(command.after, size).image
            told = world(state) | {"kind": command.kind, "after": dataclasses.asdict(command.after)}
            return {"image": picture.image, "image_target": after, "instruction": command.text, "world": told}
    raise DataError(f"no state of the split could be changed within it in {TRIES} tries")


def control(split: Split, rng: np.random.Generator, size: int) -> Record:
    """A map of a picture, and the picture that is to be made of it."""
    state = split.draw(rng)
    picture = render(state, size)
    seen, kind = truth.owners(state, picture.ids), CONTROLS[rng.integers(len(CONTROLS))]
    told = captions.caption(state, seen, split.held_out, rng)
    return {
        "image": _control(picture, kind),
        "image_target": picture.image,
        "instruction": f"{kind}: {told}",
        "world": world(state) | {"kind": kind},
    }


def text(split: Split, rng: np.random.Generator, size: int) -> Record:
    """A few sentences about a state, which is not shown."""
    state = split.draw(rng)
    return {"text": _paragraph(state, split, rng), "world": world(state)}


def document(split: Split, rng: np.random.Generator, size: int) -> Record:
    """Pictures of two or three states, each followed by a paragraph about it."""
    states = [split.draw(rng) for _ in range(int(rng.integers(2, 4)))]
    parts = [f"<image> {_paragraph(state, split, rng)}" for state in states]
    return {"text": " ".join(parts), "images": [render(state, size).image for state in states]}


def _paragraph(state: State, split: Split, rng: np.random.Generator) -> str:
    """A description, then two things that are to be known of it."""
    seen = [*state.present]
    parts = [captions.caption(state, seen, split.held_out, rng)]
    for _ in range(2):
        kind, instruction, response = instructions.draw(state, seen, split.held_out, rng)
        if kind in ("colours", "large_small"):
            parts.append(f"{instruction}: {response}")
    return ". ".join(parts) + "."


def _control(picture: Picture, kind: str) -> np.ndarray:
    match kind:
        case "depth":
            return maps.depth_to_pixels(picture.depth)
        case "normals":
            return maps.normals_to_pixels(picture.normals * UPRIGHT)
        case "mask":
            return maps.mask_to_pixels(picture.ids > 0)
        case _:
            ids, edges = picture.ids, np.zeros(picture.ids.shape, bool)
            edges[1:] |= ids[1:] != ids[:-1]
            edges[:, 1:] |= ids[:, 1:] != ids[:, :-1]
            return maps.mask_to_pixels(edges)
