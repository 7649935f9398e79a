"""Captions under rules: longer or shorter than so much, with given words, with a given beginning."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from data_tasks.formats.base import PROMPTS, Fields, Format, Raw, judged
from data_tasks.formats.caption import captions_of, tidy
from data_tasks.formats.medium import read, seen, told
from unified_io.evaluation.cider import CIDER
from unified_io.evaluation.metric import Mean, Metric
from unified_io.evaluation.text import normalise
from unified_io.preprocess import prompts

Rule = dict[str, Any]
"""{"kind": "longer" or "shorter", "unit": "words" or "characters", "count"}, {"kind": "words", "words": […]} or
{"kind": "prefix", "prefix"}."""

KINDS = ("longer", "shorter", "words", "prefix")
_SHORTEST_WORD = 4  # letters of a word that says something


@dataclasses.dataclass(frozen=True)
class RuledCaption(Format):
    """Describes media under rules that one of the captions, the target, keeps. The prompt has the slot {rules}.

    Every rule is worded by a file of its own, `caption_rule_<kind>.txt`.

    Attributes:
      media: What is described, names of `medium.MEDIA`.
      kinds: Rules to draw from.
      most: Rules at the most, of different kinds.

    Source: Unified-IO 2, appendix D.11.
    """

    media: tuple[str, ...] = ("image",)
    kinds: tuple[str, ...] = KINDS
    most: int = 2

    @property
    def reads(self) -> tuple[str, ...]:
        return *read(self.media), "captions"

    @property
    def writes(self) -> tuple[str, ...]:
        return told(self.media)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return KEPT, _CIDER

    def __call__(self, raw: Raw, rng: np.random.Generator) -> Fields:
        captions = captions_of(raw)
        target = captions[rng.integers(len(captions))]
        rules = _drawn(target, self.kinds, int(rng.integers(1, self.most + 1)), rng)
        asked = " and ".join(_worded(rule, raw, rng) for rule in rules)
        fitting = [caption for caption in captions if all(keeps(caption, rule) for rule in rules)]
        texts = {"text_inputs": self.ask(raw, rng, rules=asked), "text_targets": target}
        return judged(raw, {"captions": fitting, "rules": rules}) | seen(raw, self.media, rng) | texts

    def parse(self, answer: Any, example: Mapping[str, Any]) -> str:
        return tidy(answer)


def keeps(text: str, rule: Rule) -> bool:
    """Whether a tidy text keeps a rule."""
    if rule["kind"] == "words":
        return set(rule["words"]) <= set(normalise(text).split())
    if rule["kind"] == "prefix":
        begin = rule["prefix"].split()
        return text.split()[: len(begin)] == begin
    length = _length(text, rule["unit"])
    return length > rule["count"] if rule["kind"] == "longer" else length < rule["count"]


def _length(text: str, unit: str) -> int:
    return len(text.split()) if unit == "words" else len(text)


def _drawn(caption: str, kinds: Sequence[str], count: int, rng: np.random.Generator) -> list[Rule]:
    """Draws rules of different kinds that a caption keeps; fewer where it is too short for them."""
    rules = []
    for kind in rng.permutation(kinds).tolist():
        if len(rules) < count and (rule := _rule(kind, caption, rng)):
            rules.append(rule)
    return rules or [_bound("shorter", caption, rng)]  # the one that any caption can keep


def _rule(kind: str, caption: str, rng: np.random.Generator) -> Rule | None:
    words = caption.split()
    if kind == "words":
        telling = [w for w in dict.fromkeys(normalise(caption).split()) if len(w) >= _SHORTEST_WORD]
        if not telling:
            return None
        return {"kind": kind, "words": rng.permutation(telling)[: int(rng.integers(1, 3))].tolist()}
    if len(words) < 2 and kind != "shorter":
        return None
    if kind == "prefix":
        return {"kind": kind, "prefix": " ".join(words[: int(rng.integers(1, min(len(words), 5)))])}
    return _bound(kind, caption, rng)


def _bound(kind: str, caption: str, rng: np.random.Generator) -> Rule:
    """A length that the caption is beyond: between half of its own and twice as much."""
    unit = ("words", "characters")[int(rng.integers(2))]
    length = _length(caption, unit)
    low, high = ((length + 1) // 2, length - 1) if kind == "longer" else (length + 1, 2 * length)
    return {"kind": kind, "unit": unit, "count": int(rng.integers(low, high + 1))}


def _worded(rule: Rule, raw: Raw, rng: np.random.Generator) -> str:
    wordings = prompts.read_wordings(PROMPTS / f"caption_rule_{rule['kind']}.txt")
    templates = wordings.held_out if raw.get("reworded", not raw.get("training", True)) else wordings.training
    content = {key: str(value) for key, value in rule.items() if key != "kind"}
    if rule["kind"] == "words":
        content["words"] = " and ".join(f'"{word}"' for word in rule["words"])
    return prompts.fill(prompts.choose(templates, rng), content)


def _share(prediction: str, truth: Mapping[str, Any]) -> float:
    return float(np.mean([keeps(prediction, rule) for rule in truth["rules"]]))


def _against_captions(
    predictions: Sequence[str], truths: Sequence[Mapping[str, Any]]
) -> tuple[Sequence[Any], Sequence[Any]]:
    return CIDER.prepare(predictions, [truth["captions"] for truth in truths])


KEPT = Mean("rules_kept", each=_share)
_CIDER = dataclasses.replace(CIDER, prepare=_against_captions)
