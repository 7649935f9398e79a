"""Conversations as tasks: those of S3, and your own in the same files.

    register("my_dialogs", "my_folder")     reads my_folder/train.jsonl and validation.jsonl below the data folder

Every answer is an example: the question before it, what was said before that, and the media of both. They are for
models that read dialogs and the media in them.
"""

import functools
from collections.abc import Sequence

import seqio

from data_tasks.formats.base import preprocessor
from data_tasks.formats.converse import Converse
from data_tasks.registry import GIVEN_BY_ALL, seqio_metric
from data_tasks.sources.answered import Answered
from data_tasks.sources.mapping import heard
from data_tasks.sources.stored import Context, Mapped, Record
from unified_io.data.pipeline import output_features
from unified_io.dialog.turns import Dialog, merged
from unified_io.errors import ConfigError
from unified_io.evaluation.judge import Judged
from unified_io.modalities.connected.talk import BEFORE, QUESTION, fields_of
from unified_io.preprocess import image_ops, sound

KINDS = ("image", "audio")
SPLITS = {"train": "train", "validation": "validation"}


def register(
    name: str, folder: str, *, kinds: Sequence[str] = KINDS, system: str = "", alternate: bool = True
) -> None:
    """Registers a folder of dialogs as a task.

    Args:
      name: The task.
      folder: Below the data folder; holds a `.jsonl` a split and the media, see `sources.dialogs`.
      kinds: Kinds of media in the turns, some of KINDS.
      system: What is said before dialogs that say nothing of their own.
      alternate: Whether to make neighbouring turns of one role one, as all formats of a chat but S3's want.

    Raises:
      ConfigError: A kind is none of those.
    """
    if unread := sorted({*kinds} - {*KINDS}):
        raise ConfigError(f"media of kind {unread[0]!r} in dialogs; want some of {', '.join(KINDS)}")
    form = Converse()
    fields = {
        "instruction": functools.partial(_words, QUESTION, alternate),
        "context": functools.partial(_words, BEFORE, alternate),
        "response": lambda record, context: record["dialog"].messages[-1].text.strip(),
        "images": _pictures,
        "audio": lambda record, context: next(iter(_sounds(record, context)[-1:]), None),
        "audio_history": lambda record, context: _sounds(record, context)[:-1],
    }
    seqio.TaskRegistry.add(
        name,
        source=Mapped(Answered(folder, tuple(kinds), system), fields, SPLITS),
        preprocessors=[preprocessor(form, name)],
        output_features=output_features(GIVEN_BY_ALL),
        postprocess_fn=Judged(form),
        metric_fns=[seqio_metric(form)],
    )


def _words(field: str, alternate: bool, record: Record, context: Context) -> str:
    dialog: Dialog = record["dialog"]
    asked = Dialog(dialog.messages[:-1], dialog.system, dialog.name)
    return fields_of(merged(asked) if alternate else asked)[field]


def _pictures(record: Record, context: Context) -> list:
    return [image_ops.read(medium.value) for medium in record["dialog"].media if medium.kind == "image"]


def _sounds(record: Record, context: Context) -> list:
    mel = context.reading.mel
    media = [medium.value for medium in record["dialog"].media if medium.kind == "audio"]
    return [heard(sound.read(value, mel.sample_rate), mel, False, 0) for value in media]


register("s3_dialogs", "s3", alternate=False)
