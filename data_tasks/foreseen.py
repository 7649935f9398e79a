"""How well a model foresees targets, and how well one could who does not look. Knows models by what they can do."""

import dataclasses
import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from unified_io.errors import DataError
from unified_io.evaluation.kind import is_blank
from unified_io.evaluation.metric import Whole
from unified_io.evaluation.stats import Score

_PREFIX = re.compile(r"\[\w+\] \[\w\]")

Example = Mapping[str, Any]

LOSS = Whole(
    "nats_per_token",
    best=0.0,
    worst=math.inf,
    all=lambda nats, tokens: float(np.sum(nats) / np.sum(tokens)),
)


@dataclasses.dataclass(frozen=True)
class Foreseen:
    """Losses on the targets of examples, in nats a token.

    Attributes:
      chance: Of a uniform guess among the tokens that come at all.
      frequencies: Of who knows how often each token comes in training.
      swapped: Of the model, given all inputs of another example that is asked for the same.
      model: Of the model.
    """

    chance: float
    frequencies: float
    swapped: float
    model: Score


def foresee(model: Any, test: Sequence[Example], training: Sequence[Example], *, seed: int = 0) -> Foreseen:
    """Judges a model on examples in raw fields, whatever their targets are.

    Args:
      model: Has `likelihood_fields`.
      test: The examples to foresee.
      training: Others, of which the frequencies of tokens are taken.
      seed: Seeds the bootstrap.

    Raises:
      DataError: The training examples have no target of a kind that is to be foreseen.
    """
    known = _by_target(model, training)
    nats: dict[str, list[float]] = defaultdict(list)
    counts: list[int] = []
    for name, examples in _by_target(model, test).items():
        if name not in known:
            raise DataError(f"no training example has a target of {name}; give more of them")
        found = model.likelihood_fields(examples, name)
        seen = np.concatenate([tokens for tokens, _ in model.likelihood_fields(known[name], name)])
        used = np.unique(np.concatenate([seen, *(tokens for tokens, _ in found)]))
        often = np.bincount(seen, minlength=used[-1] + 1) + 1.0  # one more, since training may lack a token
        surprise = -np.log(often / often[used].sum())
        for tokens, log_probs in found:
            counts.append(len(tokens))
            nats["model"].append(-float(log_probs.sum()))
            nats["frequencies"].append(float(surprise[tokens].sum()))
            nats["chance"].append(len(tokens) * math.log(len(used)))
        for _, log_probs in model.likelihood_fields(_swapped(examples, name, model), name):
            nats["swapped"].append(-float(log_probs.sum()))
    totals = {kind: LOSS.total(nats[kind], counts) for kind in ("chance", "frequencies", "swapped")}
    return Foreseen(**totals, model=LOSS.score(nats["model"], counts, seed=seed))


def _by_target(model: Any, examples: Sequence[Example]) -> dict[str, list[dict[str, Any]]]:
    """What the examples give, by the modality that they ask for."""
    found = defaultdict(list)
    for example in examples:
        given = {key: value for key, value in example.items() if not is_blank(value)}
        name = next(target.name for target in model.config.targets if target.fields[0] in given)
        found[name].append(given)
    return found


def _swapped(examples: Sequence[Example], target: str, model: Any) -> list[dict[str, Any]]:
    """Every example with the inputs of the one before it among those with the same prefix."""
    own = set(model.config.target(target).fields)
    asked = [_PREFIX.match(example.get("text_inputs", "")) for example in examples]
    last: dict[str, Example] = {}
    for match, example in zip(asked, examples, strict=True):
        last[match.group() if match else ""] = example  # the first of a kind gets the inputs of the last
    swapped = []
    for match, example in zip(asked, examples, strict=True):
        kind = match.group() if match else ""
        kept = {key: value for key, value in example.items() if key in own}
        swapped.append({key: value for key, value in last[kind].items() if key not in own} | kept)
        last[kind] = example
    return swapped
