"""The picture of a table from above: trays, things, and the hand."""

import numpy as np
from jaxtyping import Float

from data_tasks.toy.arm import THING, TRAY, Table
from data_tasks.toy.scene import COLOURS
from data_tasks.toy.silhouettes import paint, silhouette

_WOOD = (0.60, 0.52, 0.42)
_HAND = (0.95, 0.15, 0.75)


def above(
    table: Table, side: int = 96, hand: tuple[float, float] | None = None
) -> Float[np.ndarray, "side side 3"]:
    """Returns the table from above.

    Args:
      table: What lies on it.
      side: Rows and columns of the picture.
      hand: Where the hand is, (x, y) of the table; a pink ring.
    """
    picture = np.full((side, side, 3), _WOOD, np.float32)
    for tray in table.trays:
        middle, colour = (tray.y * side, tray.x * side), COLOURS[tray.colour]
        # Paler than the things, and with an edge, so that a white tray and a white cube differ.
        paint(picture, np.ones((round(TRAY * side),) * 2, bool), middle, (0.1, 0.1, 0.1))
        pale = tuple(0.6 * one + 0.2 for one in colour)
        paint(picture, np.ones((round(TRAY * side) - 2,) * 2, bool), middle, pale)
    for block in table.blocks:
        mask = silhouette(block.shape, round(THING * side), 2 * np.pi * block.turn)
        paint(picture, mask, (block.y * side, block.x * side), COLOURS[block.colour])
    if hand is not None:
        paint(
            picture, silhouette("cylinder", round(THING / 2 * side)), (hand[1] * side, hand[0] * side), _HAND
        )
    return picture
