"""Records of the real photographs that scikit-image and scikit-learn bring: pieces of them, faces, and one stereo pair.

Whole photographs are held out. They show that real pixels pass through, and nothing of natural pictures: there are few.
"""

import functools
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from data_tasks.sources.stored import Record
from unified_io.errors import DataError, unknown
from unified_io.preprocess import image_ops

PHOTOS = {
    "train": {
        "astronaut.png": "an astronaut",
        "camera.png": "a man with a camera",
        "coffee.png": "a cup of coffee",
        "brick.png": "a brick wall",
        "grass.png": "grass",
        "coins.png": "old coins",
        "cell.png": "a cell",
        "clock_motion.png": "a clock in motion",
        "hubble_deep_field.jpg": "galaxies",
        "ihc.png": "stained tissue",
        "page.png": "a page of print",
        "rocket.jpg": "a rocket",
        "color.png": "patches of colour",
        "china.jpg": "a temple",
    },
    "validation": {"gravel.png": "gravel", "moon.png": "the moon", "text.png": "printed words"},
    "test": {"chelsea.png": "a cat", "flower.jpg": "a flower", "retina.jpg": "a retina"},
}
"""File and what it shows, of every split."""
LENGTHS = {"train": 4_000, "validation": 200, "test": 200}
PIECE = 128  # pixels along a piece

FACE_LENGTHS = {"train": 140, "validation": 30, "test": 30}
FACE_CLASSES = ("a face", "no face")

STEREO_LENGTHS = {"train": 64, "validation": 16}
_FOCAL, _BASELINE, _OFFSET = (
    994.978,
    0.193001,
    31.086,
)  # pixels, metres, pixels: calibration at the size in the package
_BORDER = 440  # column of the left picture that parts training from validation
_STEREO_PIECE = 192


class Stereo(NamedTuple):
    """The motorcycle, seen twice.

    Attributes:
      left: The picture from the left camera.
      right: The one from the right camera.
      depth: Metres along the camera's axis; 0 is unknown.
      flow: Pixels (to the right, down) from the left picture to the right one; what is unknown does not move.
      valid: Where both are known.
    """

    left: Float[np.ndarray, "h w 3"]
    right: Float[np.ndarray, "h w 3"]
    depth: Float[np.ndarray, "h w"]
    flow: Float[np.ndarray, "h w 2"]
    valid: Bool[np.ndarray, "h w"]


def piece(name: str, index: int) -> Record:
    """Returns a square piece of a photograph, and what the photograph shows."""
    if name not in PHOTOS:
        raise unknown("split of the photographs", name, PHOTOS)
    # The letters of a split's name seed its pieces apart from those of others.
    rng = np.random.default_rng((*name.encode(), index))
    files = [*PHOTOS[name]]
    file = files[index % len(files)]
    photo = _photo(file)
    side = int(rng.integers(PIECE, min(photo.shape[:2]) + 1))
    y, x = (int(rng.integers(length - side + 1)) for length in photo.shape[:2])
    image = image_ops.resize(photo[y : y + side, x : x + side], (PIECE, PIECE))
    shown = PHOTOS[name][file]
    captions = [f"a photograph of {shown}", f"a piece of a picture of {shown}"]
    return {"image": np.clip(image, 0.0, 1.0), "captions": captions}


def face(name: str, index: int) -> Record:
    """Returns a small grey picture, and whether it shows a face. As many do as do not."""
    first = sum(list(FACE_LENGTHS.values())[: [*FACE_LENGTHS].index(name)])
    half, is_face = divmod(first + index, 2)
    # In the file 100 faces come first, then 100 pieces of background; they take turns here.
    grey = _faces()[half if is_face else 100 + half]
    image = np.repeat(grey[..., None], 3, axis=-1)
    return {"image": image.astype(np.float32), "name": FACE_CLASSES[0 if is_face else 1]}


def stereo(name: str, index: int) -> Record:
    """Returns a piece of the stereo pair: training left of one column, validation right of it.

    One scene: it shows that depth and flow of real pictures pass through, and is no benchmark.
    """
    pair = motorcycle()
    rng = np.random.default_rng((*name.encode(), index, 2))
    low, high = (0, _BORDER) if name == "train" else (_BORDER, pair.left.shape[1])
    y = int(rng.integers(pair.left.shape[0] - _STEREO_PIECE + 1))
    x = int(rng.integers(low, high - _STEREO_PIECE + 1))
    part = Stereo(*(one[y : y + _STEREO_PIECE, x : x + _STEREO_PIECE] for one in pair))
    return {
        "image": part.left,
        "images": [part.left, part.right],
        "depth": part.depth,
        "flow": part.flow,
        "valid": part.valid,
    }


@functools.lru_cache(maxsize=1)
def motorcycle() -> Stereo:
    """Returns the stereo pair of scikit-image with depth and flow from its disparity. Treat the arrays as read-only.

    Source: Middlebury stereo benchmark 2014, as scikit-image ships it.
    """
    left, right = (_photo(f"motorcycle_{side}.png") for side in ("left", "right"))
    with np.load(_folder() / "motorcycle_disp.npz") as stored:
        disparity = stored["arr_0"].astype(np.float32)
    valid = np.isfinite(disparity) & (disparity > 0)
    shift = np.where(valid, disparity, 0.0)
    depth = np.where(valid, _FOCAL * _BASELINE / (shift + _OFFSET), 0.0)
    flow = np.stack([-shift, np.zeros_like(shift)], axis=-1)
    return Stereo(left, right, depth.astype(np.float32), flow.astype(np.float32), valid)


@functools.lru_cache(maxsize=32)
def _photo(file: str) -> Float[np.ndarray, "h w 3"]:
    path = _folder() / file
    if not path.is_file():
        import sklearn.datasets

        path = Path(sklearn.datasets.__file__).parent / "images" / file
    if not path.is_file():
        raise DataError(f"neither scikit-image nor scikit-learn brings {file}; install scikit-image>=0.26")
    return image_ops.read(path)


@functools.lru_cache(maxsize=1)
def _faces() -> Float[np.ndarray, "200 25 25"]:
    return np.load(_folder() / "lfw_subset.npy").astype(np.float32)


def _folder() -> Path:
    import skimage.data

    return Path(skimage.data.__file__).parent
