"""The GRIT benchmark's one number of seven tasks. Knows the names and the metrics of the tasks, not their data."""

from collections.abc import Mapping

import numpy as np

from unified_io.errors import DataError, unknown
from unified_io.evaluation import boxes, dense, keypoints, text, vqa
from unified_io.evaluation.metric import Metric

TASKS: dict[str, Metric] = {
    "categorization": text.EXACT,
    "localization": boxes.GRIT,
    "vqa": vqa.VQA,
    "refexp": boxes.ACC50,
    "segmentation": dense.BOUNDARY,
    "keypoint": keypoints.OKS,
    "normal": dense.NORMALS,
}
"""What every task is judged by; all are in [0, 1], 1 being best."""


def total(scores: Mapping[str, float]) -> float:
    """Returns the mean of the seven scores, each in [0, 1].

    Raises:
      ConfigError: A score is of no task of GRIT.
      DataError: A task has no score, or one that is not in [0, 1].
    """
    for name in scores:
        if name not in TASKS:
            raise unknown("task of GRIT", name, TASKS)
    if missing := [name for name in TASKS if name not in scores]:
        raise DataError(f"no score for {', '.join(missing)}; a total needs all {len(TASKS)} tasks")
    if wrong := [name for name, score in scores.items() if not 0.0 <= score <= 1.0]:
        raise DataError(
            f"score of {wrong[0]} is {scores[wrong[0]]}; want a share in [0, 1], not a percentage"
        )
    return float(np.mean(list(scores.values())))
