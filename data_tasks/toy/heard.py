"""Records of what is heard in the toy world: events, melodies, sounding scenes, and clips with their sound.

Sounds are stored as events and made when they are read, at the rate and of the length that the reader wants. Pure
functions of (split, index).
"""

import dataclasses
from typing import Any

import numpy as np

from data_tasks.sources.stored import Context, Record
from data_tasks.toy import melody, motion, truth
from data_tasks.toy.belonging import belongs
from data_tasks.toy.render import render
from data_tasks.toy.scene import SIZES, State, Thing
from data_tasks.toy.sounds import KINDS, Event, Voice, waveform
from data_tasks.toy.splits import generator, split
from data_tasks.toy.voicing import captions, hints, voice_of, words_of
from unified_io.errors import DataError
from unified_io.mel import MelConfig, log_mel

PICTURE = 64  # pixels along a picture
_SOUND_OF = {"slide": "roll", "approach": "roll", "jump": "bounce", "vanish": "ping", "collide": "ping"}
_TRIES = 200


def struck(name: str, index: int) -> Record:
    """Returns one thing that sounds: its events, captions, and the name of its shape."""
    rng = generator(name, index, "struck")
    while True:
        events = [_event(name, float(rng.uniform(0.03, 0.6)), rng)]
        if _belong(events, name):
            return _record(events) | {"name": words_of(events[0].voice)[2]}


def followed(name: str, index: int) -> Record:
    """Returns one or two things that sound, one after the other: their events and captions."""
    rng = generator(name, index, "followed")
    while True:
        starts = [rng.uniform(0.03, 0.12), rng.uniform(0.5, 0.6)][: int(rng.integers(1, 3))]
        events = [_event(name, float(start), rng) for start in starts]
        if _belong(events, name):
            return _record(events)


def played(name: str, index: int) -> Record:
    """Returns a melody: its events and captions."""
    rng = generator(name, index, "melody")
    while True:
        drawn = melody.draw(rng)
        if belongs(repr((drawn.theme, drawn.answer)), name):
            return {"events": _stored(drawn.events), "captions": drawn.captions}


def described(name: str, index: int) -> Record:
    """Returns what a caption is to make heard: now events, now a melody."""
    return (played if index % 3 == 2 else followed)(name, index)


def scene(name: str, index: int) -> Record:
    """Returns a picture of several things of which one sounds: where it is, and what it is."""
    rng, own = generator(name, index, "sounding"), split(name)
    fewest = max(2, own.count[0])
    for _ in range(_TRIES):
        state = own.draw(rng, count=(fewest, own.count[1]))
        picture = render(state, PICTURE)
        seen = truth.owners(state, picture.ids)
        voices = [_voice(state.things[number]) for number in state.present]
        if len(seen) < 2 or len(set(voices)) < len(voices):
            continue
        chosen = seen[rng.integers(len(seen))]
        event = Event(
            KINDS[rng.integers(len(KINDS))], _voice(state.things[chosen]), float(rng.uniform(0.03, 0.6))
        )
        boxes = truth.boxes(truth.masks(picture.ids, [chosen + 1]))
        return _record([event]) | {
            "image": picture.image,
            "boxes": boxes,
            "phrases": [" ".join(words_of(event.voice))],
        }
    raise DataError(f"no scene with two things of different voices was drawn for split {name}")


def clip(name: str, index: int) -> Record:
    """Returns frames in which one of few things moves, what may be said of it, and how it sounds.

    What slides rolls all the time, what jumps bounces when it is down again, what vanishes or collides rings then. Only
    the frames tell which thing it is, and when.
    """
    rng, own = generator(name, index, "clip"), split(name)
    count = own.count[0], max(2, own.count[0])
    for _ in range(_TRIES):
        state = own.draw(rng, count=count)
        moving = motion.draw(state, rng, tuple(_SOUND_OF))
        if moving is not None and own.owns([state]):
            event = _moved(moving, state)
            frames = [np.asarray(render(one, PICTURE).image, np.float32) for one in moving.states]
            return _record([event]) | {"images": frames, "captions": hints(event)}
    raise DataError(f"no clip in which a thing can move was drawn for split {name}")


@dataclasses.dataclass(frozen=True)
class Played:
    """Makes the sound of a record's events as log-mel."""

    def __call__(self, record: Record, context: Context) -> np.ndarray:
        mel = context.reading.mel
        return log_mel(waveform(events_of(record["events"]), mel), mel)


@dataclasses.dataclass(frozen=True)
class World:
    """What a judge needs to know of a sound: its events, and how its spectrogram was taken."""

    def __call__(self, record: Record, context: Context) -> dict[str, Any]:
        return {"events": record["events"], "mel": dataclasses.asdict(context.reading.mel)}


def events_of(stored: list[dict[str, Any]]) -> list[Event]:
    """Returns the events of a record or of a world."""
    return [Event(**{**one, "voice": Voice(**one["voice"])}) for one in stored]


def mel_of(world: dict[str, Any]) -> MelConfig:
    """Returns how the spectrogram of a world was taken."""
    return MelConfig(**world["mel"])


def _event(name: str, at: float, rng: np.random.Generator) -> Event:
    own = split(name)
    pairs = own.must or own.pairs
    shape, colour = pairs[rng.integers(len(pairs))]
    size = [*SIZES][rng.integers(len(SIZES))]
    return Event(KINDS[rng.integers(len(KINDS))], voice_of(shape, colour, size), at)


def _moved(moving: motion.Clip, state: State) -> Event:
    kind, length = _SOUND_OF[moving.kind], motion.SECONDS * motion.FRAMES
    voice = _voice(state.things[moving.actor])
    if kind == "roll":
        return Event(kind, voice, 0.05, 0.85)
    return Event(
        kind, voice, min(0.65, max(0.05, moving.moment / length + (0.2 if kind == "bounce" else 0.0)))
    )


def _voice(thing: Thing) -> Voice:
    return voice_of(thing.shape, thing.colour, thing.size_word)


def _belong(events: list[Event], name: str) -> bool:
    return belongs(repr([(event.kind, dataclasses.astuple(event.voice)) for event in events]), name)


def _record(events: list[Event]) -> Record:
    return {"events": _stored(events), "captions": captions(events)}


def _stored(events: list[Event]) -> list[dict[str, Any]]:
    return [dataclasses.asdict(event) for event in events]
