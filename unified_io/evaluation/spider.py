"""SPIDEr: the mean of CIDEr and SPICE, for captions of sounds. Knows strings and numbers only."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from unified_io.errors import ConfigError, DataError
from unified_io.evaluation.cider import cider


def spider(
    predictions: Sequence[str],
    references: Sequence[str | Sequence[str]],
    spice: Sequence[float] | None = None,
) -> Float[np.ndarray, "n"]:
    """Returns SPIDEr of every caption; the score of a set is their mean, which papers quote times 100.

    Args:
      predictions: The captions.
      references: Of each, one or several.
      spice: SPICE of every caption, in [0, 1]. It compares graphs of scenes, which a parser of sentences draws, and
        this package has none.

    Raises:
      ConfigError: There is no SPICE.
      DataError: SPICE is not one number in [0, 1] a caption, or `cider` refuses the captions.

    Source: Liu et al., "Improved image captioning via policy gradient optimization of SPIDEr" (2017).
    """
    if spice is None:
        raise ConfigError(
            "SPIDEr needs SPICE, whose parser of sentences (Stanford's, in Java) is no part of this package; compute "
            "SPICE with its released program and hand the scores in, or quote CIDEr"
        )
    scores = np.asarray(spice, np.float64)
    if scores.shape != (len(predictions),) or not ((scores >= 0.0) & (scores <= 1.0)).all():
        raise DataError(
            f"SPICE has shape {list(scores.shape)} for {len(predictions)} captions; want one number in [0, 1] each, "
            "not a percentage"
        )
    return (cider(predictions, references) + scores) / 2.0
