"""What a record of the toy world may hold, by name. Knows no file, no seqio and no TensorFlow."""

from collections.abc import Callable
from typing import Any

import numpy as np

from data_tasks.toy import moving, still, told
from data_tasks.toy.splits import Split

VIEWS: dict[str, Callable[[Split, np.random.Generator, int], dict[str, Any]]] = {
    "scene": still.scene,
    "paired": still.paired,
    "related": still.related,
    "single": still.single,
    "question": told.question,
    "edit": told.edit,
    "control": told.control,
    "hole": still.hole,
    "person": still.person,
    "board": still.board,
    "text": told.text,
    "document": told.document,
    "views": still.views,
    "video": moving.video,
    "followed": moving.followed,
    "flow": moving.flow,
}
"""What a record holds; its keys are raw fields of `data_tasks.sources.record`."""
