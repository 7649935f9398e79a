"""The five steps from the parts of an example to the fields of the pipeline. Knows no record and no medium by name."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from unified_io.errors import ConfigError, DataError, unknown
from unified_io.preprocess.denoisers.chances import check_part, check_weights, draw
from unified_io.preprocess.denoisers.media import MediaDenoiser
from unified_io.preprocess.denoisers.parts import CONTEXT, TEXT, Parts, history_of, spell
from unified_io.preprocess.denoisers.text import TextDenoiser, Words, last, spelled

INTERLEAVED = ("denoise", "one", "all")


class Choice(NamedTuple):
    """What is asked of an example: a target, a paradigm (R, S or X), and the other parts that are given."""

    target: str
    paradigm: str
    given: frozenset[str]


@dataclasses.dataclass(frozen=True)
class Objective:
    """The multimodal mixture of denoisers: what pre-training asks, and how often.

    Attributes:
      text: How text is asked for.
      media: How every medium is asked for.
      targets: How often each is asked for where it is present; None is equally often. One that is left out, never.
      inputs: The parts that a source may give (text, image, audio, image_history, audio_history); None is all.
      keep: How often a part that is present and not asked for is given.
      history: The most earlier frames or segments: the max_frames of the model's histories.
      interleaved: How often captions of several images are asked for in each way; see `captions`.
    """

    text: TextDenoiser = TextDenoiser()
    media: tuple[MediaDenoiser, ...] = ()
    targets: Mapping[str, float] | None = None
    inputs: tuple[str, ...] | None = None
    keep: float = 0.5
    history: int = 4
    interleaved: Mapping[str, float] = dataclasses.field(
        default_factory=lambda: dict.fromkeys(INTERLEAVED, 1.0)
    )

    def __post_init__(self):
        object.__setattr__(self, "media", tuple(self.media))  # gin hands lists over
        if self.targets is None:
            object.__setattr__(self, "targets", {TEXT: 1.0} | {m.name: 1.0 for m in self.media})
        names = [TEXT, *(m.name for m in self.media)]
        check_weights("target", self.targets, names)
        check_weights("way to interleave", self.interleaved, INTERLEAVED)
        check_part("keep", self.keep)
        for name in self.inputs or ():
            if name not in self.parts:
                raise unknown("input", name, self.parts)
        if self.history < 1:
            raise ConfigError(f"history is {self.history}; give the frames that the model's histories take")

    @property
    def histories(self) -> tuple[str, ...]:
        """The history of every medium."""
        return tuple(history_of(m.name) for m in self.media)

    @property
    def parts(self) -> tuple[str, ...]:
        """Everything that an example may be given: its text, media and histories."""
        return (TEXT, *(m.name for m in self.media), *self.histories)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of the pipeline that an example may have."""
        kinds = ("inputs", "input_masks", "targets", "target_hidden_masks")
        media = (f"{m.name}_{kind}" for m in self.media for kind in kinds)
        return (f"{TEXT}_inputs", f"{TEXT}_targets", *media, *(f"{name}_inputs" for name in self.histories))

    def denoiser(self, name: str) -> MediaDenoiser:
        """Finds how a medium is asked for."""
        found = {m.name: m for m in self.media}
        if name not in found:
            raise unknown("denoised medium", name, found)
        return found[name]

    def sample(self, parts: Parts, rng: np.random.Generator, target: str | None = None) -> dict[str, Any]:
        """Draws what to ask of an example and asks it.

        Args:
          parts: What it could be made of.
          rng: Random generator.
          target: What to ask for; None draws that too.

        Raises:
          DataError: It holds nothing that could be asked for.
        """
        return self.make(parts, self.choose(parts, rng, target), rng)

    def choose(self, parts: Parts, rng: np.random.Generator, target: str | None = None) -> Choice:
        """Takes the first three steps: the target, the parts beside it, the paradigm."""
        wanted = [target] if target else [name for name in self.targets if name in parts.names]
        weights = {name: self.targets.get(name, 0.0) for name in wanted}
        while any(weights.values()):
            name = draw(weights, rng)
            paradigms = self.paradigms(parts, name)
            if not paradigms:
                del weights[name]
                continue
            others = self._others(parts, name)
            given = {other for other in others if rng.random() < self.keep}
            paradigm = draw(paradigms, rng)
            if paradigm == "S" and others and not given:
                given = {others[rng.integers(len(others))]}
            return Choice(name, paradigm, frozenset(given))
        raise DataError(
            f"nothing can be asked of an example of {list(parts.names) or 'nothing'}: targets are "
            f"{dict(self.targets)}, inputs {self.inputs or 'all'}; a text needs two words or something beside it, a "
            "picture two patches or something beside it"
        )

    def paradigms(self, parts: Parts, target: str) -> dict[str, float]:
        """The paradigms in which a part of the example can be asked for, with their weights; none where it can not."""
        others, readable = self._others(parts, target), self._may_read(target)
        if target == TEXT:
            words = spell(parts.text, frozenset(others))
            weights = self.text.paradigms(words, alone=not others)
            unreadable = ("R", "X") if others else ("R", "S", "X")
            return weights if readable else {k: w for k, w in weights.items() if k not in unreadable}
        denoiser = self.denoiser(target)
        possible = {"R": readable and denoiser.can_hide(parts.media[target]), "S": bool(others)}
        return {name: w for name, w in denoiser.paradigms.items() if possible[name] and w > 0}

    def make(self, parts: Parts, choice: Choice, rng: np.random.Generator) -> dict[str, Any]:
        """Takes the last two steps: draws the mask, writes the fields and the prefix."""
        target, paradigm, given = choice
        shown = given | {target} if paradigm != "S" else given
        fields = parts.fields(given)
        body = ""
        if target == TEXT:
            body, answer = self._ask_text(spell(parts.text, shown), choice, rng)
            fields["text_targets"] = answer.removeprefix(" ")
        else:
            fields |= self._ask_media(parts.media[target], choice, rng)
            body = spelled(spell(parts.text, shown)) if TEXT in given else ""
        if CONTEXT in given:
            used = sum(word.size for word in spell(parts.text, shown)) if body else 0
            body = spelled(last(spell(parts.context, shown), self.text.room - used)) + body
        return fields | {"text_inputs": f"[{target.capitalize()}] [{paradigm}] {body.strip()}".rstrip()}

    def _ask_text(self, words: Words, choice: Choice, rng: np.random.Generator) -> tuple[str, str]:
        if choice.paradigm != "S":
            return self.text.corrupt(words, choice.paradigm, rng)
        return ("", spelled(words).lstrip()) if choice.given else self.text.continued(words, rng)

    def _ask_media(self, raw: np.ndarray, choice: Choice, rng: np.random.Generator) -> dict[str, Any]:
        name = choice.target
        if choice.paradigm == "S":
            return {f"{name}_targets": raw}
        keep = self.denoiser(name).keep(raw, rng)
        # Blank, so that no encoder sees it whose filters reach across the edge of the mask.
        blanked = raw * keep.reshape(*keep.shape, *[1] * (raw.ndim - 2))
        return {
            f"{name}_inputs": blanked,
            f"{name}_input_masks": keep,
            f"{name}_targets": raw,
            f"{name}_target_hidden_masks": ~keep,
        }

    def _others(self, parts: Parts, target: str) -> list[str]:
        return [name for name in parts.names if name != target and self._may_read(name)]

    def _may_read(self, name: str) -> bool:
        return self.inputs is None or (TEXT if name == CONTEXT else name) in self.inputs
