"""Videos as a few frames: chosen, rid of black borders, split in what came before and what is seen now.

Their sound is read by `video_file.read_sound`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from unified_io.errors import DataError
from unified_io.preprocess import image_ops, video_file
from unified_io.preprocess.sources import is_source

FRAMES = 5  # one to look at and four before it
BLACK = 16  # of 255: what is darker in every channel is black
MOST_BORDER = 0.3  # of a side

Frames = Float[np.ndarray, "n h w 3"]


def read(value: Any, count: int = FRAMES) -> Frames:
    """Reads at most `count` frames of a video, the middle ones of as many equal parts, without its black borders.

    Args:
      value: A path, the bytes of a file, an array [n, h, w, 3] (see `image_ops.as_float`) or a list of images of one
        size. Files need the extra `video`.
      count: Frames wanted. A video of fewer gives all it has.

    Raises:
      ConfigError: PyAV is not installed.
      DataError: The file is missing, too large, too long, broken or no video; the frames differ in size.

    Source: the released code: five parts, borders measured on the chosen frames.
    """
    if is_source(value):
        frames = video_file.read_frames(value, count)
    else:
        frames = [image_ops.read(value[index]) for index in video_file.middles(len(value), count)]
    shapes = sorted({frame.shape for frame in frames})
    if len(shapes) != 1:
        raise DataError(
            f"a video has one or more frames, all of one size; got {len(frames)} of sizes {shapes}"
        )
    return crop_borders(np.stack(frames))


def split(frames: Sequence[np.ndarray], main: int = -1) -> tuple[list[np.ndarray], np.ndarray]:
    """Splits frames in the image history and the image input.

    Args:
      frames: What `read` returns.
      main: Index of the frame to look at; the last one, as in the released code. The others are history, in order.

    Raises:
      DataError: There is no such frame.
    """
    if not -len(frames) <= main < len(frames):
        raise DataError(f"frame {main} of a video of {len(frames)} frames; choose one that is there")
    chosen = main % len(frames)
    return [frame for index, frame in enumerate(frames) if index != chosen], frames[chosen]


def crop_borders(frames: Frames) -> Frames:
    """Cuts off the rows and columns at the edges that are black in every frame, at most 30 % of a side at each edge.

    A pixel is black if all its channels are below 16 of 255. A video that is all black stays as it is.

    Source: the released code.
    """
    seen = (frames > (BLACK - 0.5) / 255.0).any(axis=(0, 3))
    rows, columns = (_extent(seen.any(axis=axis)) for axis in (1, 0))
    return frames[:, rows, columns]


def _extent(seen: Shaped[np.ndarray, " n"]) -> slice:
    if not seen.any():
        return slice(None)
    most = int(MOST_BORDER * len(seen))
    before, behind = int(seen.argmax()), int(seen[::-1].argmax())
    return slice(min(before, most), len(seen) - min(behind, most))
