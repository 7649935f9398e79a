"""Pre-training on the digits: what a raw example is a record of. The objective of a run says what is asked of it."""

from collections.abc import Callable
from itertools import chain

import seqio

from data_tasks.digits.source import DigitsReader, DigitsSource
from data_tasks.digits.tasks import GIVEN_BY_ALL
from data_tasks.formats.base import Raw
from unified_io.data.denoised import Denoised, Record
from unified_io.data.pipeline import output_features
from unified_io.preprocess.denoisers.captions import Captions
from unified_io.preprocess.denoisers.clip import Clip, Segment
from unified_io.preprocess.denoisers.document import Document
from unified_io.preprocess.denoisers.views import Views


def text(raw: Raw) -> Clip:
    """Sentences about digits."""
    return Clip((Segment(raw["passage"]),))


def captioned_image(raw: Raw) -> Clip:
    """An image of a digit and what could be said of it."""
    return Clip((Segment(raw["remark"], image=raw["image"]),))


def captioned_sound(raw: Raw) -> Clip:
    """A spoken digit and what could be said of it."""
    return Clip((Segment(raw["remark"], audio=raw["audio"]),))


def video(raw: Raw) -> Clip:
    """Digits that count on, seen, heard and named; some are not heard, some not named."""
    segments = zip(raw["images"], raw["sounds"], raw["captions"], raw["heard"], raw["told"], strict=True)
    return Clip(
        tuple(
            Segment(caption if told else "", image, sound if heard else None)
            for image, sound, caption, heard, told in segments
        )
    )


def document(raw: Raw) -> Document:
    """Digits that count on, a paragraph about each in front of its image."""
    return Document((*chain.from_iterable(zip(raw["remarks"], raw["images"], strict=True)),))


def captions(raw: Raw) -> Captions:
    """Images of digits that count on, and what could be said of each."""
    return Captions((*raw["images"],), (*raw["remarks"],))


def views(raw: Raw) -> Views:
    """One digit, drawn several times."""
    return Views((*raw["images"],))


def register(name: str, view: str, record: Callable[[Raw], Record], *fields: str) -> None:
    """Registers one task: a view of the digits, the record that is made of it, and the fields that takes."""
    seqio.TaskRegistry.add(
        name,
        source=DigitsReader(DigitsSource(), view, (*fields, "label"), stream=name),
        preprocessors=[Denoised(record, name)],
        output_features=output_features(GIVEN_BY_ALL),
        metric_fns=[],
        shuffle_buffer_size=None,  # the source draws at random
    )


register("digits_pretrain_text", "singles", text, "passage")
register("digits_pretrain_image", "singles", captioned_image, "image", "remark")
register("digits_pretrain_audio", "singles", captioned_sound, "audio", "remark")
register("digits_pretrain_video", "counts", video, "images", "sounds", "captions", "heard", "told")
register("digits_pretrain_document", "counts", document, "images", "remarks")
register("digits_pretrain_captions", "counts", captions, "images", "remarks")
register("digits_pretrain_views", "views", views, "images")
