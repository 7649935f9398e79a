"""The media that formats show: which raw fields each is made of, and which fields of the pipeline it fills."""

import dataclasses

import numpy as np

from data_tasks.formats.base import Fields, Raw, look, window
from unified_io.errors import DataError
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


MEDIA = {
    "image": Medium(("image",), ("image_inputs", "image_input_masks")),
    "video": Medium(("images",), ("image_inputs", "image_input_masks", "image_history_inputs")),
    "audio": Medium(("audio",), ("audio_inputs",)),
    "sounds": Medium(("audio", "audio_history"), ("audio_inputs", "audio_history_inputs")),
}


def seen(raw: Raw, media: tuple[str, ...], rng: np.random.Generator, through: Window | None = None) -> Fields:
    """Fills the fields of media; a drawn window frames all pictures of an example alike.

    Args:
      raw: The raw example.
      media: Names of MEDIA.
      rng: Draws the window.
      through: The window, where the format has drawn it already.
    """
    fields: Fields = {}
    for medium in media:
        if medium == "image":
            fields |= look(raw["image"], through or window(raw, rng))
        elif medium == "video":
            frames = raw["images"]
            if not frames:
                raise DataError("the video has no frame")
            frame = through or window(raw, rng, frames[-1])
            if any(one.shape != frames[-1].shape for one in frames):
                raise DataError("frames of a video differ in size")
            fields |= look(frames[-1], frame)
            fields["image_history_inputs"] = [frame.cut(one) for one in frames[:-1]] or None
        else:
            fields["audio_inputs"] = raw["audio"]
            if medium == "sounds":
                fields["audio_history_inputs"] = raw["audio_history"] or None
    return fields
