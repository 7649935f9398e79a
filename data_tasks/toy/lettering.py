"""The words of a board as a mask, drawn with fonts that are at hand; some are kept for tests. Knows no room."""

import functools

import numpy as np
from jaxtyping import Bool, Int

WORDS = (
    "stop",
    "exit",
    "open",
    "sale",
    "lift",
    "taxi",
    "milk",
    "north",
    "west",
    "lake",
    "shop",
    "bank",
    "zoo",
    "gate",
)
HELD_OUT_WORDS = ("park", "east", "hotel", "bus")
FONTS = ("DejaVuSans-Bold.ttf", "DejaVuSansMono.ttf", "DejaVuSerif-Bold.ttf")
"""They come with matplotlib; without it all are the one of Pillow."""
HELD_OUT_FONT = 2
HEIGHT, WIDTH = 48, 96  # cells of the mask


@functools.lru_cache(maxsize=256)
def letters(words: tuple[str, ...], font: int) -> tuple[Bool[np.ndarray, "48 96"], Int[np.ndarray, "48 96"]]:
    """Returns where there is ink, and the number of the word whose rectangle a cell lies in, from 1; 0 is none."""
    from PIL import Image, ImageDraw

    ink, owner = np.zeros((HEIGHT, WIDTH), bool), np.zeros((HEIGHT, WIDTH), np.int64)
    line = HEIGHT // len(words)
    for number, word in enumerate(words):
        page = Image.new("L", (4 * WIDTH, 4 * HEIGHT))
        ImageDraw.Draw(page).text((8, 8), word.upper(), fill=255, font=_font(font))
        left, top, right, bottom = page.getbbox()
        scale = min((WIDTH - 8) / (right - left), (line - 6) / (bottom - top))
        size = max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale))
        drawn = np.asarray(page.crop((left, top, right, bottom)).resize(size)) > 96
        y = number * line + (line - size[1]) // 2
        x = (WIDTH - size[0]) // 2
        ink[y : y + size[1], x : x + size[0]] = drawn
        owner[y : y + size[1], x : x + size[0]] = number + 1
    for array in (ink, owner):
        array.setflags(write=False)
    return ink, owner


@functools.lru_cache(maxsize=8)
def _font(number: int):
    from PIL import ImageFont

    try:
        from matplotlib import font_manager

        path = font_manager.findfont("DejaVu Sans").replace("DejaVuSans.ttf", FONTS[number])
        return ImageFont.truetype(path, 40)
    except (ImportError, OSError):
        return ImageFont.load_default(40)
