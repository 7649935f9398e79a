"""What things sound like: the shape gives the timbre, the colour the note, the size the octave. And how to say so."""

from data_tasks.toy.scene import COLOURS, SIZES
from data_tasks.toy.sounds import NOTES, Event, Voice

TIMBRE_OF = {
    "sphere": "sine",
    "cube": "square",
    "cylinder": "noise",
    "cone": "triangle",
    "pyramid": "saw",
    "capsule": "bell",
}
NOTE_OF = dict(zip(COLOURS, NOTES, strict=True))
VERBS = {"ping": "rings", "roll": "rolls", "bounce": "bounces"}

_SHAPE_OF = {timbre: shape for shape, timbre in TIMBRE_OF.items()}
_COLOUR_OF = {note: colour for colour, note in NOTE_OF.items()}


def voice_of(shape: str, colour: str, size: str) -> Voice:
    """Returns the voice of a thing; `words_of` takes it back."""
    return Voice(TIMBRE_OF[shape], NOTE_OF[colour], size)


def words_of(voice: Voice) -> tuple[str, str, str]:
    """Returns size, colour and shape of the thing that has a voice."""
    return voice.size, _COLOUR_OF[voice.note], _SHAPE_OF[voice.timbre]


def captions(events: list[Event]) -> list[str]:
    """Returns three wordings of what happens, in order of time, each of which tells all."""
    told = [(*words_of(event.voice), VERBS[event.kind]) for event in events]
    first = " and then ".join(f"a {size} {colour} {shape} {verb}" for size, colour, shape, verb in told)
    second = ", after that ".join(
        f"the {shape} that {verb} is {size} and {colour}" for size, colour, shape, verb in told
    )
    third = ", followed by ".join(
        f"the sound of {_a(colour)} {shape}, {size}, which {verb}" for size, colour, shape, verb in told
    )
    return [first, second, third]


def hints(event: Event) -> list[str]:
    """Returns three wordings of what happens that do not tell which thing it happens to."""
    verb = VERBS[event.kind]
    return [f"something {verb}", f"a thing {verb}", f"the sound of a thing which {verb}"]


def _a(word: str) -> str:
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def read(caption: str) -> list[tuple[str, str, str, str]]:
    """Reads size, colour, shape and verb of every event back, in whatever wording; "" for what is not said.

    Inverse of `captions`: one event a verb.
    """
    tables = ([*SIZES], [*COLOURS], [*TIMBRE_OF], [*VERBS.values()])
    found: list[list[str]] = []
    for word in caption.lower().replace(",", " ").split():
        for place, table in enumerate(tables):
            if word in table:
                if not found or found[-1][place]:
                    found.append(["", "", "", ""])
                found[-1][place] = word
    return [tuple(one) for one in found]
