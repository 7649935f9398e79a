"""Which two things a question is to tell apart: such as are alike. Knows embeddings only."""

import numpy as np
from jaxtyping import Float, Int

from unified_io.errors import DataError


def partners(
    embeddings: Float[np.ndarray, "N D"], rng: np.random.Generator, candidates: int = 100, nearest: int = 10
) -> Int[np.ndarray, "N"]:
    """Returns for every thing another one to ask about with it: any of the nearest of some that are drawn.

    Args:
      embeddings: Of captions; nearness is their cosine.
      rng: Draws candidates and partners.
      candidates: How many others are drawn for each; all, where there are fewer.
      nearest: Of how many of them one is drawn.

    Raises:
      DataError: There are not two things, or an embedding is zero or not finite.
    """
    count = len(embeddings)
    norms = np.linalg.norm(embeddings, axis=-1, keepdims=True)
    if count < 2 or not np.isfinite(norms).all() or not norms.all():
        raise DataError(
            f"{count} embeddings, {np.count_nonzero(norms)} of them not zero; want two or more, finite, none zero"
        )
    units = embeddings / norms
    found = np.empty(count, int)
    for index in range(count):
        others = rng.choice(count - 1, min(candidates, count - 1), replace=False)
        others += others >= index
        near = others[np.argsort(-(units[others] @ units[index]), kind="stable")[:nearest]]
        found[index] = rng.choice(near)
    return found
