"""What an example could be made of: its text, media and history, each of which can be asked for, given or left out."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from unified_io.errors import DataError
from unified_io.preprocess.denoisers.text import Word, Words
from unified_io.preprocess.image_ops import as_float

TEXT, CONTEXT = "text", "context"


class Mark(NamedTuple):
    """A word that names a medium of the example; it is written only where that medium is given.

    Attributes:
      media: "image" or "audio".
      place: Its place in the history, from 1; 0 is the current one.
    """

    media: str
    place: int = 0

    @property
    def part(self) -> str:
        """The part of the example that it names one of."""
        return history_of(self.media) if self.place else self.media

    @property
    def word(self) -> Word:
        """How it is written: <image_history_1>, <image_input>."""
        return Word(f" <{self.part}_{self.place}>" if self.place else f" <{self.media}_input>", 1, fixed=True)


Unit = Word | Mark


def history_of(media: str) -> str:
    """Returns the name of a medium's history."""
    return f"{media}_history"


def spell(units: Sequence[Unit], given: frozenset[str]) -> Words:
    """Writes the marks of what is given as words and leaves the others out."""
    shown = (unit for unit in units if isinstance(unit, Word) or unit.part in given)
    return tuple(unit if isinstance(unit, Word) else unit.word for unit in shown)


@dataclasses.dataclass(frozen=True, eq=False)
class Parts:
    """The parts of an example.

    Attributes:
      text: What can be asked for, or given whole.
      context: Text in front of it, which can only be given.
      media: The current picture and sound, by name.
      history: Earlier ones, in order, by the name of the medium.
    """

    text: tuple[Unit, ...] = ()
    context: tuple[Unit, ...] = ()
    media: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    history: Mapping[str, Sequence[np.ndarray]] = dataclasses.field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """The parts that hold something; marks alone are nothing."""
        texts = [
            name
            for name, units in ((TEXT, self.text), (CONTEXT, self.context))
            if any(isinstance(unit, Word) for unit in units)
        ]
        return (*texts, *self.media, *(history_of(name) for name, earlier in self.history.items() if earlier))

    def fields(self, names: frozenset[str]) -> dict[str, Any]:
        """The raw fields of media and history that are given."""
        given = {f"{name}_inputs": raw for name, raw in self.media.items() if name in names}
        earlier = {name: frames for name, frames in self.history.items() if history_of(name) in names}
        return given | {f"{history_of(name)}_inputs": _stack(frames) for name, frames in earlier.items()}


def _stack(frames: Sequence[np.ndarray]) -> Any:
    """One array where the frames are of one size, else the list that a history takes as well."""
    return np.stack(frames) if len({frame.shape for frame in frames}) == 1 else list(frames)


def picture(value: Any) -> Float[np.ndarray, "h w 3"] | None:
    """Checks the pixels of a record; None and no pixels at all are absent.

    Raises:
      DataError: They are no picture, not finite or outside [0, 1].
    """
    return None if value is None or not np.size(value) else as_float(value)


def spectrogram(value: Any) -> Float[np.ndarray, "frames mels"] | None:
    """Checks the log-mel of a record; None, no frames and nothing but exact silence are absent.

    Raises:
      DataError: It has other axes, or holds NaN or infinity.
    """
    if value is None or not np.size(value):
        return None
    array = np.asarray(value, np.float32)
    if array.ndim != 2 or not np.isfinite(array).all():
        raise DataError(
            f"expected a log-mel [frames, mels] of finite numbers, got {array.dtype} of shape {array.shape} that "
            f"{'is finite' if np.isfinite(array).all() else 'holds NaN or infinity'}; make it with mel.log_mel"
        )
    return array if array.any() else None
