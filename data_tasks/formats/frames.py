"""Frames in order of time, or views, and the words that name them in a prompt."""

from unified_io.errors import DataError
from unified_io.preprocess.denoisers.parts import Mark
from unified_io.vocab import HISTORY_MARKERS


def marks(count: int) -> list[str]:
    """Returns the words that name frames, the last of which is the current one.

    marks(2) = ["<image_history_1>", "<image_input>"]

    Raises:
      DataError: There is none, or more than have a word.
    """
    if not 1 <= count <= HISTORY_MARKERS + 1:
        raise DataError(f"{count} frames are given; want 1 to {HISTORY_MARKERS + 1}")
    return [marker(place) for place in (*range(1, count), 0)]


def marker(place: int) -> str:
    """Returns the word that stands for an earlier frame, from 1, or for the current one, 0: "<image_history_1>"."""
    return Mark("image", place).word.text.strip()
