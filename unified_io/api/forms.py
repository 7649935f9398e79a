"""The forms that answers of a capability are held to: constraints made of a vocabulary, each built once."""

import functools
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool

from unified_io.chat_vocab import ChatVocabulary
from unified_io.errors import ConfigError, unknown
from unified_io.generation.constraints import Constraint, automaton, chain, groups, prefer, schedule
from unified_io.structures import COCO_PARTS, keypoints_to_text
from unified_io.vocab import EOS, Vocabulary

BOX = 4
Words = Vocabulary | ChatVocabulary


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


GRAMMARS = {
    "regex": lambda pattern: pattern,
    "one_of": lambda options: "|".join(_SPECIAL.sub(r"\\\g<0>", option) for option in options),
    "json_schema": lambda schema: _outlines().json_schema.build_regex_from_schema(json.dumps(schema)),
}
"""What a whole answer must match: a regular expression, one of some texts, JSON of a schema."""

_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$#&~-]")
_MOST_STATES = 1024


def named(form: str | Mapping[str, Any], vocabulary: Words | None, end: int | None = EOS) -> Constraint:
    """Returns a form.

    Args:
      form: Its name, one of FORMS; or one of GRAMMARS with what it takes, such as {"one_of": ["cat", "dog"]}.
      vocabulary: Of what is written.
      end: The token that ends it.

    Raises:
      ConfigError: There is no such form, or what is written has no vocabulary of words, or none for places.
    """
    if not isinstance(form, str) and len(form) != 1:
        raise ConfigError(f"constraint {form!r} is to be one of {', '.join(GRAMMARS)} with what it takes")
    name, content = (form, None) if isinstance(form, str) else next(iter(form.items()))
    known = FORMS if isinstance(form, str) else GRAMMARS
    if name not in known:
        raise unknown("form of an answer", str(name), known)
    if vocabulary is None or end is None:
        raise ConfigError(f"the form {name!r} is one of text; leave constraint out")
    if isinstance(form, str):
        if isinstance(vocabulary, ChatVocabulary):
            raise ConfigError(
                f"this model has no words for places, and no form {name!r}; give one of {', '.join(GRAMMARS)}"
            )
        return FORMS[name](vocabulary)
    try:
        pattern = GRAMMARS[name](content)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"constraint {form!r} can not be read ({error})") from error
    return matching(vocabulary, pattern, end)


@functools.lru_cache(maxsize=64)
def matching(vocabulary: Words, pattern: str, end: int) -> Constraint:
    """Returns what holds a whole answer, which `end` ends, to a regular expression.

    Raises:
      ConfigError: It is none, or takes an automaton of too many states.
    """
    try:
        index = _outlines().Index(f" ?({pattern})", _lexicon(vocabulary, end))
    except (TypeError, ValueError) as error:
        raise ConfigError(f"the form {pattern!r} is none that the vocabulary can write ({error})") from error
    transitions, first = index.get_transitions(), index.get_initial_state()
    numbers = {state: i for i, state in enumerate([first, *(s for s in transitions if s != first)])}
    if len(numbers) > _MOST_STATES:
        raise ConfigError(f"the form has {len(numbers)} states, the most is {_MOST_STATES}; make it simpler")
    width = 1 + max(max(tokens) for tokens in transitions.values())
    following = np.full((len(numbers), width), -1)
    for state, tokens in transitions.items():
        following[numbers[state], list(tokens)] = [numbers[after] for after in tokens.values()]
    return automaton(following)


@functools.lru_cache(maxsize=8)
def _lexicon(vocabulary: Words, end: int) -> Any:
    return _outlines().Vocabulary(end, vocabulary.pieces())


def _outlines() -> Any:
    try:
        import outlines_core
    except ImportError as error:
        raise ConfigError(
            'forms of your own need outlines-core; install it with pip install "unified-io[forms]"'
        ) from error
    return outlines_core


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
    if not hasattr(vocabulary, "is_location"):
        raise ConfigError("this model has no words for places; ask it in words: generate, vqa")
    return np.asarray(vocabulary.is_location(np.arange(vocabulary.size)))


def _only(vocabulary: Vocabulary, id: int) -> Bool[np.ndarray, " V"]:
    return np.arange(vocabulary.size) == id
