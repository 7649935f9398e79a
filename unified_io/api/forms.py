"""The forms that answers of a capability are held to: constraints made of a vocabulary, each built once."""

import functools
from collections.abc import Callable, Mapping

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool

from unified_io.errors import ConfigError, unknown
from unified_io.generation.constraints import Constraint, chain, groups, prefer, schedule
from unified_io.structures import COCO_PARTS, keypoints_to_text
from unified_io.vocab import EOS, Vocabulary

BOX = 4


@functools.lru_cache(maxsize=64)
def boxes(vocabulary: Vocabulary, threshold: float) -> Constraint:
    """Boxes and nothing else: another one as long as the model is more than `threshold` sure of a coordinate."""
    locations = _locations(vocabulary)
    return chain(_sure(locations, threshold), groups(locations, BOX, EOS))


@functools.lru_cache(maxsize=64)
def labelled_boxes(vocabulary: Vocabulary, threshold: float) -> Constraint:
    """Boxes with words behind them: where a box has begun it is finished."""
    locations = _locations(vocabulary)
    return chain(_sure(locations, threshold), _finish(locations, BOX))


@functools.lru_cache(maxsize=8)
def one_box(vocabulary: Vocabulary) -> Constraint:
    """Exactly one box."""
    return schedule(np.stack([_locations(vocabulary)] * BOX + [_only(vocabulary, EOS)]))


@functools.lru_cache(maxsize=8)
def body_parts(vocabulary: Vocabulary) -> tuple[Constraint, int]:
    """Two coordinates and the name for each of the 17 parts, in order; and how many tokens that takes, EOS included.

    Source: the released keypoint schedule.
    """
    everything = keypoints_to_text(np.zeros((len(COCO_PARTS), 2)), [True] * len(COCO_PARTS))
    locations = _locations(vocabulary)
    masks = [
        locations if vocabulary.is_location(id) else _only(vocabulary, id)
        for id in [*vocabulary.encode(everything), EOS]
    ]
    return schedule(np.stack(masks)), len(masks)


FORMS: Mapping[str, Callable[[Vocabulary], Constraint]] = {
    "boxes": lambda vocabulary: boxes(vocabulary, 0.5),
    "one_box": one_box,
    "body_parts": lambda vocabulary: body_parts(vocabulary)[0],
}
"""Forms by the names that a task or a user asks for them."""


def named(name: str, vocabulary: Vocabulary | None) -> Constraint:
    """Returns a form by its name, one of FORMS.

    Raises:
      ConfigError: There is none of that name, or what is written has no vocabulary of words.
    """
    if name not in FORMS:
        raise unknown("form of an answer", name, FORMS)
    if vocabulary is None:
        raise ConfigError(f"the form {name!r} is one of text; leave constraint out")
    return FORMS[name](vocabulary)


def _sure(locations: Bool[np.ndarray, " V"], threshold: float) -> Constraint:
    if not 0 <= threshold <= 1:
        raise ConfigError(f"threshold {threshold} is not a probability; give a number from 0 to 1")
    return prefer(locations, threshold)


def _finish(members: Bool[np.ndarray, " V"], size: int) -> Constraint:
    """Allows only members until a run of them is a multiple of `size`."""

    def apply(logits, index, tokens):
        steps = jnp.arange(tokens.shape[1])[None]
        other = (steps < index) & ~jnp.asarray(members)[tokens]
        run = index - 1 - jnp.max(jnp.where(other, steps, -1), axis=1, keepdims=True)
        return jnp.where(members[None] | (run % size == 0), logits, -jnp.inf)

    return apply


def _locations(vocabulary: Vocabulary) -> Bool[np.ndarray, " V"]:
    return np.asarray(vocabulary.is_location(np.arange(vocabulary.size)))


def _only(vocabulary: Vocabulary, id: int) -> Bool[np.ndarray, " V"]:
    return np.arange(vocabulary.size) == id
