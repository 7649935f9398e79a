"""What runs share that train tokenizers of one shape in several ways and compare them."""

import dataclasses
import sys
from pathlib import Path

import flax.linen as nn
import numpy as np

from unified_io.errors import ConfigError
from unified_io.train.job import check_writable
from unified_io.train.tokenizer_job import TokenizerJob


@dataclasses.dataclass(frozen=True, kw_only=True)
class ComparedRun:
    """Trains in every way, and judges them all in `report.html`.

    Attributes:
      model_dir: Holds a folder for each way, and the report.
      ways: Name -> how it is trained; the first is the one to use.
    """

    model_dir: str
    ways: dict[str, TokenizerJob]

    def check(self) -> None:
        """Finds what can not work before anything is compiled.

        Raises:
          ConfigError: There is nothing to train, or the folder can not be written.
        """
        if not self.ways:
            raise ConfigError("nothing to train; give ways, a TokenizerJob by name")
        check_writable(self.model_dir)

    def train(self) -> None:
        """Trains every way to its end, each from where it stopped, then writes the report."""
        network, media = self._network(), self._media()
        for name, job in self.ways.items():
            print(f"[{name}] {job.total_steps} steps on {len(media)} media", file=sys.stderr, flush=True)
            job.train(network, media, self._folder(name))
        self.report()

    def evaluate(self) -> None:
        """As `report`."""
        self.report()

    def report(self) -> None:
        """Judges what was trained by what it never met, and says where the page is.

        Raises:
          CheckpointError: A way has not been trained to its end.
        """
        raise NotImplementedError

    def _network(self) -> nn.Module:
        raise NotImplementedError

    def _media(self) -> np.ndarray:
        """What is learnt from, as the network takes it."""
        raise NotImplementedError

    def _folder(self, way: str) -> Path:
        return Path(self.model_dir, way)
