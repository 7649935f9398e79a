"""The media that formats show: which raw fields each is made of, and which fields of the pipeline it fills."""

import dataclasses

import numpy as np

from data_tasks.formats.base import JUDGED, Fields, Raw, look, window
from unified_io.errors import DataError, unknown
from unified_io.preprocess.window import Window


@dataclasses.dataclass(frozen=True)
class Medium:
    """One kind of medium.

    Attributes:
      reads: Raw fields.
      writes: Fields of the pipeline.
    """

    reads: tuple[str, ...]
    writes: tuple[str, ...]


_FRAMES = Medium(("images",), ("image_inputs", "image_input_masks", "image_history_inputs"))

MEDIA = {
    "image": Medium(("image",), ("image_inputs", "image_input_masks")),
    "video": _FRAMES,
    "middle": _FRAMES,
    "pictures": _FRAMES,
    "earlier": Medium(("image",), ("image_history_inputs",)),
    "audio": Medium(("audio",), ("audio_inputs",)),
    "sounds": Medium(("audio", "audio_history"), ("audio_inputs", "audio_history_inputs")),
}
"""A picture; frames, the last of them current; frames, the middle one current, as questions about videos have them;
pictures of their own sizes, the last one current; a picture seen before, none being current; a sound; a sound and the
segments before it."""


def read(media: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the raw fields that media are made of.

    Raises:
      ConfigError: There is no such medium.
    """
    for medium in media:
        if medium not in MEDIA:
            raise unknown("medium", medium, MEDIA)
    return tuple(dict.fromkeys(field for medium in media for field in MEDIA[medium].reads))


def told(media: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the fields of a format that shows media, if any, and asks for words about them."""
    fields = (field for medium in media for field in MEDIA[medium].writes)
    return "text_inputs", *dict.fromkeys(fields), "text_targets", *JUDGED


def seen(
    raw: Raw,
    media: tuple[str, ...],
    rng: np.random.Generator,
    through: Window | None = None,
    whole: bool = False,
) -> Fields:
    """Fills the fields of media; a drawn window frames all frames of a video alike.

    Args:
      raw: The raw example.
      media: Names of MEDIA.
      rng: Draws the window.
      through: The window, where the format has drawn it already.
      whole: Whether to show pictures whole in training too.

    Raises:
      DataError: A video has no frame, or frames of several sizes.
    """
    raw = {**raw, "training": False} if whole else raw
    fields: Fields = {}
    for medium in media:
        if medium == "image":
            fields |= look(raw["image"], through or window(raw, rng))
        elif medium == "earlier":
            fields["image_history_inputs"] = [(through or window(raw, rng)).cut(raw["image"])]
        elif medium in ("audio", "sounds"):
            fields["audio_inputs"] = raw["audio"]
            if medium == "sounds":
                fields["audio_history_inputs"] = raw.get("audio_history") or None
        else:
            fields |= _frames(raw, medium, rng, through)
    return fields


def _frames(raw: Raw, medium: str, rng: np.random.Generator, through: Window | None) -> Fields:
    frames = raw["images"]
    if not frames:
        raise DataError("field images is empty; wanted one frame at the least")
    current = len(frames) // 2 if medium == "middle" else len(frames) - 1
    frame = through or window(raw, rng, frames[current])
    if medium != "pictures" and any(one.shape != frames[current].shape for one in frames):
        raise DataError(
            "field images has frames of several sizes; pictures of their own sizes are 'pictures'"
        )
    earlier = [
        (window(raw, rng, one) if medium == "pictures" else frame).cut(one)
        for place, one in enumerate(frames)
        if place != current
    ]
    return look(frames[current], frame) | {"image_history_inputs": earlier or None}
