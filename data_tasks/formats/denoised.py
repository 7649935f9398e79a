"""Formats 24 to 26: what a raw example is a record of in pre-training; the objective of a run says what is asked of it.

They are given to `unified_io.data.denoised.Denoised`. Nothing is drawn here: the objective does that.
"""

from itertools import zip_longest

from data_tasks.formats.base import Raw
from data_tasks.formats.caption import captions_of, tidy
from unified_io.errors import DataError
from unified_io.preprocess.denoisers.captions import Captions
from unified_io.preprocess.denoisers.clip import Clip, Segment
from unified_io.preprocess.denoisers.document import Document
from unified_io.preprocess.denoisers.views import Views

PICTURE = "<image>"
"""Where a picture of a document stands in its text."""


def text(raw: Raw) -> Clip:
    """Running text, as it is spelled: `text`.

    Raises:
      DataError: It is empty.
    """
    if not raw["text"].strip():
        raise DataError("field text holds no words; leave the example out")
    return Clip((Segment(raw["text"].strip()),))


def captioned_image(raw: Raw) -> Clip:
    """A picture and the first of its `captions`; a set with several reads better as one record a caption."""
    return Clip((Segment(captions_of(raw)[0], image=raw["image"]),))


def captioned_sound(raw: Raw) -> Clip:
    """A sound, the segments before it where `audio_history` is mapped, and the first of its `captions`."""
    earlier = (Segment(audio=sound) for sound in raw.get("audio_history", []))
    return Clip((*earlier, Segment(audio=raw["audio"])), captions_of(raw)[0])


def video(raw: Raw) -> Clip:
    """Frames, with their sounds and words where these are mapped.

    As many `captions` as frames are the words of each, which may be empty; any other number is about the whole.
    `audio` belongs to the last frame, `audio_history` to those just before it.

    Raises:
      DataError: There is no frame, or more sound than frames.
    """
    frames, told = raw["images"], [tidy(caption) for caption in raw.get("captions", [])]
    sounds = [*raw.get("audio_history", []), *([raw["audio"]] if "audio" in raw else [])]
    if not frames or len(sounds) > len(frames):
        raise DataError(
            f"field images has {len(frames)} frames, for {len(sounds)} segments of sound; want one each"
        )
    each = told if len(told) == len(frames) else []
    heard = [*[None] * (len(frames) - len(sounds)), *sounds]
    segments = zip_longest(each, frames, heard, fillvalue="")
    return Clip(tuple(Segment(*segment) for segment in segments), "" if each else " ".join(told))


def document(raw: Raw) -> Document:
    """Paragraphs and pictures in the order of reading: `text` with the word <image> where one of `images` stands.

    Raises:
      DataError: There are not as many pictures as places for them.
    """
    first, *paragraphs = raw["text"].split(PICTURE)
    if len(paragraphs) != len(raw["images"]):
        raise DataError(
            f"field text has {len(paragraphs)} places {PICTURE}, images {len(raw['images'])} pictures; give as many"
        )
    items = (item for pair in zip(raw["images"], paragraphs, strict=True) for item in pair)
    return Document((first, *items))


def pairs(raw: Raw) -> Captions:
    """Pictures that need not belong together, and what each of them shows: `images` and `captions`."""
    return Captions((*raw["images"],), tuple(tidy(caption) for caption in raw["captions"]))


def views(raw: Raw) -> Views:
    """Pictures of one scene: `images`."""
    return Views((*raw["images"],))
