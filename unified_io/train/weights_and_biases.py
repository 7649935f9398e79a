"""Numbers of a run to Weights & Biases, for those who have it and ask for it."""

import hashlib
import importlib
from collections.abc import Mapping
from pathlib import Path

from unified_io.errors import ConfigError


class WeightsAndBiases:
    """One run of a project. A folder is one run, however often it is resumed."""

    def __init__(self, project: str, folder: Path, name: str):
        """Raises ConfigError if the package is not installed."""
        try:
            wandb = importlib.import_module("wandb")
        except ImportError as error:
            raise ConfigError(
                f"numbers should go to the wandb project {project!r}, but wandb can not be imported ({error}); "
                "run `python3 -m pip install wandb`, or set wandb to None"
            ) from error
        run = hashlib.sha256(str(folder.absolute() / name).encode()).hexdigest()[:16]
        self._run = wandb.init(project=project, id=run, name=folder.name, dir=str(folder), resume="allow")

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Sends the numbers of a step."""
        self._run.log(dict(values), step=step)

    def close(self) -> None:
        """Ends the session."""
        self._run.finish()
