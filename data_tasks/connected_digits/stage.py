"""A stage of a connected system: which parameters move, what they learn from, and what it begins with."""

import dataclasses
from typing import Any

from unified_io.train.optimizer import OptimizerConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stage:
    """One stage.

    Attributes:
      name: Of its folder.
      trained: Patterns of the parameters that move; all others stay as they are, bit for bit.
      mixture: What it learns from.
      steps: How long.
      optimizer: Optimizer and schedule, which ends with the stage; `trained` goes into it.
      after: Earlier stages whose parameters it begins with, in order; None is all of them.
      storage: How the blocks of the language model are held that do not move: "int8", "nf4" or another name in
        `backbones.frozen.STORAGES`; None as they are. What follows begins in full precision again.
      model: The system as it is in this stage, another resolution for one; None is the system as a whole.
    """

    name: str
    trained: tuple[str, ...]
    mixture: str
    steps: int
    optimizer: OptimizerConfig = OptimizerConfig()
    after: tuple[str, ...] | None = None
    storage: str | None = None
    model: Any = None

    def __post_init__(self):
        object.__setattr__(self, "trained", tuple(self.trained))  # gin hands lists over
        if self.after is not None:
            object.__setattr__(self, "after", tuple(self.after))
