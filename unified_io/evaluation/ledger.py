"""Answers added up to scores, one by one: of an example only what its metrics need is kept."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from unified_io.evaluation import stats
from unified_io.evaluation.judge import Judge
from unified_io.evaluation.metric import Mean

_SHOWN = 12


@dataclasses.dataclass(frozen=True, eq=False)
class Shown:
    """One example for the gallery: its fields, the raw answer, and its scores by metric."""

    example: Mapping[str, Any]
    answer: Any
    scores: Mapping[str, float]


class Ledger:
    """Adds up what answers score; keeps of an example only what its metrics need."""

    def __init__(self, judge: Judge, count: int):
        self._judge, self._step = judge, max(1, count // _SHOWN)
        self._means = [metric for metric in judge.metrics if isinstance(metric, Mean)]
        self._values: dict[str, list[float]] = {metric.name: [] for metric in self._means}
        self._pairs: list[tuple[Any, Any]] = []
        self._length = 0
        self.shown: list[Shown] = []

    def __len__(self) -> int:
        return self._length

    def judge(self, example: Mapping[str, Any], answer: Any) -> dict[str, Any]:
        """Returns the truth of one example, and the scores by those metrics that give it one."""
        prediction, truth = self._judge.parse(answer, example), self._judge.truth(example)
        return {"truth": truth, "scores": {m.name: float(m.each(prediction, truth)) for m in self._means}}

    def add(self, index: int, example: Mapping[str, Any], answer: Any) -> None:
        """Counts one answer."""
        judged = self.judge(example, answer)
        for name, value in judged["scores"].items():
            self._values[name].append(value)
        if len(self._means) < len(self._judge.metrics):
            self._pairs.append((self._judge.parse(answer, example), judged["truth"]))
        if index % self._step == 0 and len(self.shown) < _SHOWN:
            self.shown.append(Shown(example, answer, judged["scores"]))
        self._length += 1

    def scores(self) -> dict[str, stats.Score]:
        """Returns every metric's score with its interval."""
        predictions, truths = [p for p, _ in self._pairs], [t for _, t in self._pairs]
        return {
            m.name: stats.score(self._values[m.name])
            if m.name in self._values
            else m.score(predictions, truths)
            for m in self._judge.metrics
        }
