"""Tasks of the toy world that are heard, spoken and done. Importing registers them."""

from data_tasks.formats.act import Command
from data_tasks.formats.base import Format
from data_tasks.formats.boxes import FindBoxes
from data_tasks.formats.speak import TextToAudio
from data_tasks.formats.tag import Tag
from data_tasks.formats.transcribe import Transcribe
from data_tasks.registry import register
from data_tasks.sources.made import Made
from data_tasks.sources.mapping import Constant
from data_tasks.sources.stored import Make
from data_tasks.toy import acted, heard, reach, speech
from data_tasks.toy.acting import Run
from data_tasks.toy.agent import ACTIONS
from data_tasks.toy.listening import Describe, Play, Soundtrack
from data_tasks.toy.splits import KNOWN_SHAPES, REWORDED

LENGTHS = {"train": 20_000, "validation": 1_000, "test": 1_000, "novel_pair": 1_000}
SPLITS = {name: name for name in LENGTHS}
DESCRIBED = {name: name for name in ("train", "validation", "test")}
ESPEAK = "made here by espeak-ng: `pip install espeakng-loader`"

_EVENTS = {"audio": heard.Played(), "captions": "captions"}


def add(
    name: str,
    function: object,
    fields: dict[str, str | Make],
    form: Format,
    splits: dict[str, str] = SPLITS,
    lengths: dict[str, int] = LENGTHS,
    obtain: str = "made here",
) -> None:
    """Registers one task over records that a function makes."""
    stored = Made(name, function, lengths)
    register(
        name,
        group="toy",
        dataset="toy world",
        stored=stored,
        fields=fields,
        form=form,
        splits=splits,
        obtain=obtain,
        size=lengths["train"],
        reworded=REWORDED,
    )


add(
    "toy_sound_tag",
    heard.struck,
    {"audio": heard.Played(), "name": "name", "classes": Constant(KNOWN_SHAPES)},
    Tag("tag_sound", ("audio",)),
)
add("toy_sound_caption", heard.followed, _EVENTS, Describe("caption_sound", ("audio",)))
add(
    "toy_sound_boxes",
    heard.scene,
    {"image": "image", "audio": heard.Played(), "boxes": "boxes", "phrases": "phrases"},
    FindBoxes("boxes_sound", "sound"),
)
add("toy_play", heard.described, _EVENTS | {"world": heard.World()}, Play("speak"), DESCRIBED)
add(
    "toy_soundtrack",
    heard.clip,
    _EVENTS | {"images": "images", "world": heard.World()},
    Soundtrack("soundtrack"),
)

add(
    "toy_transcribe",
    speech.spoken,
    {"audio": speech.Spoken(), "audio_history": speech.Spoken(history=True), "text": "text"},
    Transcribe("transcribe", ("sounds",)),
    DESCRIBED,
    speech.LENGTHS,
    ESPEAK,
)
add(
    "toy_speak",
    speech.spoken,
    {"audio": speech.Spoken(), "audio_history": speech.Spoken(history=True), "captions": "caption"},
    TextToAudio("speak"),
    DESCRIBED,
    speech.LENGTHS,
    ESPEAK,
)

_DONE = {key: key for key in ("images", "goal", "actions", "world")}
_WALKED = _DONE | {"states": "states", "classes": Constant(ACTIONS)}
_ARM = {**DESCRIBED, "novel_pair": "novel_pair", "novel_shape": "novel_shape"}
_ARM_LENGTHS = LENGTHS | {"novel_shape": 1_000}

add("toy_act_words", acted.walked, _WALKED, Run("act_words", "words"))
add("toy_act_eye", acted.walked_by_eye, _WALKED, Run("act_words", "words"))
add(
    "toy_act_numbers",
    acted.reached,
    _DONE,
    Run("act_numbers", "numbers", Command(reach.LOW, reach.HIGH)),
    _ARM,
    _ARM_LENGTHS,
)
add("toy_act_program", acted.programmed, _DONE, Run("act_program", "program"), _ARM, _ARM_LENGTHS)
