"""Several ways to ask of the same example, one of which is drawn every time: how tasks are augmented."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from data_tasks.formats.base import Fields, Format, Raw
from unified_io.errors import ConfigError
from unified_io.evaluation.metric import Metric, Whole


def one_of(*forms: Format) -> "OneOf":
    """Returns the format that asks in one of several ways."""
    return OneOf(forms[0].prompts, forms)


@dataclasses.dataclass(frozen=True)
class OneOf(Format):
    """Asks in one of several ways, each as often; an answer is read and judged as the way it was asked judges it.

    Attributes:
      prompts: Those of the first way; each has its own.
      forms: The ways; all ask for the same modality.
    """

    forms: tuple[Format, ...] = ()

    def __post_init__(self):
        if len({form.output for form in self.forms}) != 1:
            raise ConfigError(
                f"OneOf asks for {[form.output for form in self.forms]}; give forms that ask for the same modality"
            )

    @property
    def reads(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(field for form in self.forms for field in form.reads))

    @property
    def writes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(field for form in self.forms for field in form.writes))

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Whole("mean_of_ways", all=self._mean),)

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        way = int(rng.integers(len(self.forms)))
        fields = self.forms[way](raw, rng)
        return fields | {"meta/truth": json.dumps({"way": way, "truth": fields["meta/truth"]})}

    def parse(self, answer: Any, example: Mapping[str, Any]) -> tuple[int, Any]:
        way, own = self._asked(example)
        return way, self.forms[way].parse(answer, own)

    def truth(self, example: Mapping[str, Any]) -> tuple[int, Any]:
        way, own = self._asked(example)
        return way, self.forms[way].truth(own)

    def _asked(self, example: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """Which way was asked, and the example as that way wrote it."""
        asked = json.loads(example["meta/truth"])
        return asked["way"], {**example, "meta/truth": asked["truth"]}

    def _mean(self, predictions: Sequence[tuple[int, Any]], truths: Sequence[tuple[int, Any]]) -> float:
        """The mean of what each way scores by its first metric, from 0 for the worst to 1 for the best."""
        scores = []
        for way in sorted({way for way, _ in truths}):
            metric = self.forms[way].metrics[0]
            mine = [i for i, (asked, _) in enumerate(truths) if asked == way]
            total = metric.total([predictions[i][1] for i in mine], [truths[i][1] for i in mine])
            scores.append((total - metric.worst) / (metric.best - metric.worst))
        return float(np.mean(scores))
