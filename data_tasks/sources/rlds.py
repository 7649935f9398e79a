"""Episodes in RLDS folders, such as those of Open X-Embodiment: a folder that tfds wrote, without its builder."""

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from data_tasks.sources.stored import Record
from data_tasks.sources.tfds import Tfds
from unified_io.errors import DataError

_INFO = "dataset_info.json"
_VERSION = "1.0.0"  # of what is written


@dataclasses.dataclass(frozen=True)
class EpisodeFolder(Tfds):
    """One record an episode: its steps as a list of dictionaries, and what is said of the whole.

    The dataset's folder, or one below it (as name/1.0.0), holds dataset_info.json.
    """

    builder: str = ""

    def built(self, folder: Path) -> Any:
        """Returns a builder for the files that are there, the newest version of them.

        Raises:
          DataError: There are none.
        """
        found = sorted(
            {path.parent for depth in ("", "*/", "*/*/") for path in folder.glob(f"{depth}{_INFO}")}
        )
        if self.version:
            found = [path for path in found if path.name == self.version]
        if not found:
            raise DataError(
                f"no {_INFO} in {folder} or below; copy the dataset's folder there, such as "
                "gs://gresearch/robotics/NAME/VERSION with gsutil -m cp -r"
            )
        try:
            return tfds.builder_from_directory(str(found[-1]))
        except Exception as error:  # what is in the files is not ours
            raise DataError(f"{found[-1]} can not be read by tfds: {error}; copy it again") from error

    def write(self, folder: Path, split: str, records: Iterable[Record]) -> None:
        records = list(records)
        if not records:
            raise DataError("an RLDS folder of no episode; its features are found in the first")
        folder.mkdir(parents=True, exist_ok=True)
        features = _feature(records[0])
        self.store(folder, self.name, None, features, self.version or _VERSION, {split: records})


def _feature(value: Any) -> Any:
    """The feature of tfds that holds a value: lists of dictionaries are steps."""
    if isinstance(value, Mapping):
        return tfds.features.FeaturesDict({key: _feature(one) for key, one in value.items()})
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        return tfds.features.Dataset(_feature(value[0]))
    if isinstance(value, str | bytes):
        return tfds.features.Text()
    array = np.asarray(value)
    if array.ndim == 3 and array.dtype == np.uint8 and array.shape[-1] == 3:
        return tfds.features.Image(shape=array.shape, encoding_format="png")
    return tfds.features.Tensor(shape=array.shape, dtype=array.dtype)
