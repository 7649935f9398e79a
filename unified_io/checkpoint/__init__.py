"""Checkpoints: saved atomically, verified by content, restored by name. The one place that knows orbax.

A run's folder holds `checkpoint_<step>/state/`, laid out as T5X does (`layout`). Beside its arrays lies `manifest.json`
with the hash of every file, written before the checkpoint becomes visible: a flipped bit is found, and not trained
on. Of several processes all call the same functions on one folder that all of them see.
"""

from unified_io.checkpoint.comparison import compare
from unified_io.checkpoint.parameters import PARAMS_FOLDER, RestoreReport, load_params, save_params
from unified_io.checkpoint.processes import from_all_processes
from unified_io.checkpoint.runs import Checkpoints

__all__ = [
    "PARAMS_FOLDER",
    "Checkpoints",
    "RestoreReport",
    "compare",
    "from_all_processes",
    "load_params",
    "save_params",
]
