"""How full a batch is and how many operations it takes: numbers of a step that the host knows before it is made."""

from collections.abc import Mapping
from typing import Any

import jax

from unified_io.data.budgets import Budgets
from unified_io.flops import FORMULA, StepFlops, bank_size, real_items
from unified_io.model import UnifiedIOConfig


class Occupancy:
    """Counts what is real in batches of one shape.

    Attributes:
      parts: Operations of a step by part, all hosts together.
    """

    def __init__(self, config: UnifiedIOConfig, budgets: Budgets, groups: int):
        """Traces the embedders; nothing is compiled.

        Args:
          config: The model.
          budgets: The shape of a group.
          groups: Groups of a step, on all hosts together.
        """
        self._config, self._counter = config, StepFlops(config)
        self.parts = {part: groups * n for part, n in self._counter.batch(budgets).items()}

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, float]:
        """Returns the numbers of a batch of this host.

        `fill/encoder` and `fill/decoder` are the real parts of the rows, `fill/inputs/<modality>` and
        `fill/targets/<modality>` those of the banks. `flops` are the operations of the step and `useful_flops` those
        that real tokens ask for, both of all hosts, as if their batches were like this one.
        """
        found = {
            f"fill/{side}": float((batch[side]["segment_ids"] > 0).mean()) for side in ("encoder", "decoder")
        }
        groups = len(batch["encoder"]["segment_ids"])
        for kind, items in zip(("inputs", "targets"), real_items(batch, self._config), strict=True):
            room = {name: groups * bank_size(batch[kind][name]) for name in items}
            found |= {f"fill/{kind}/{name}": count / room[name] for name, count in items.items()}
        useful = sum(self._counter.useful_in(batch).values()) * jax.process_count()
        return found | {"flops": float(sum(self.parts.values())), "useful_flops": float(useful)}

    def describe(self) -> str:
        """Says what a step takes, and how that was counted."""
        total = sum(self.parts.values())
        tops = sorted({part.split("/")[0] for part in self.parts})
        shares = {top: sum(n for part, n in self.parts.items() if part.split("/")[0] == top) for top in tops}
        said = ", ".join(f"{top} {n / total:.1%}" for top, n in shares.items())
        return f"a step takes {total / 1e9:,.4g} GFLOP: {said}\n{FORMULA}"
