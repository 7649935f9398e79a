"""How to generate: one table of options with their ranges. Knows no modality."""

import dataclasses
import functools
import math
import numbers
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from unified_io.api import forms
from unified_io.errors import ConfigError, unknown
from unified_io.generation import constraints
from unified_io.generation.constraints import Constraint
from unified_io.generation.sampling import Sampler

Progress = Callable[[int, int], None]
"""(how much is done, how much there is): called now and then during long work."""

_DRAWING = ("temperature", "top_k", "top_p", "min_p")
Rank = Callable[[Any, Mapping[str, Any]], float]
"""(a sample, the inputs) -> how good it is."""

MAX_ROWS = 128
MAX_SEED = 2**32


@dataclasses.dataclass(frozen=True)
class Options:
    """The options of everything that generates. None is what suits the output.

    Attributes:
      temperature: 0 takes the likeliest token each time.
      top_k: Draw from this many likeliest tokens; 0 from all.
      top_p: Draw from the likeliest tokens that make up this probability.
      min_p: Draw from tokens at least this share as likely as the likeliest; 0 from all.
      repetition_penalty: Makes tokens written before less likely; 1 does not.
      max_length: Most tokens to write; never more than the model can. Pictures and sounds take all theirs.
      seed: Seeds the sampling. The same seed gives an example at the same place of a list the same output,
        however many are generated together.
      samples: Outputs for every example; from 2 up each result is a list of them.
      rank: Of `generate`, with samples: scores each by what it is and the inputs it was made of; the best come first.
      beams: Width of a beam search, for what ends by itself (text); from 2 up nothing is drawn. Then `samples` are the
        best of them.
      length_penalty: Of the beam search: 0 prefers short answers, 1 about the best mean log-probability a token; below
        0 shorter ones still. The form is that of Wu et al., of connected language models that of Hugging Face.
      min_length: Tokens of what ends by itself (text) at least.
      no_repeat_ngram: So many tokens in a row are written once only; 0 is any number of times.
      guidance: Strength of classifier-free guidance away from `negative_prompt`; 0 is none. Takes twice the rows.
      negative_prompt: What guidance leads away from: a prompt that says nothing.
      constraint: Which tokens may come next: a form by name, one of `api.forms.FORMS`; one of `api.forms.GRAMMARS` with
        what it takes, such as {"one_of": ["cat", "dog"]}; or see `generation.constraints`.
        Build one of your own once and keep it: every new one is compiled anew.
      batch_size: Rows computed at once; fewer need less memory.
      progress: Called with (outputs done, outputs in all) after every batch.
      allow_random: Generate although some parameters were never loaded.

    Raises:
      ConfigError: An option is out of its range or does not go with another.
    """

    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float = 1.0
    max_length: int | None = None
    seed: int = 0
    samples: int = 1
    rank: Rank | None = None
    beams: int = 1
    length_penalty: float = 0.0
    min_length: int = 0
    no_repeat_ngram: int = 0
    guidance: float = 0.0
    negative_prompt: str = ""
    constraint: Constraint | str | Mapping[str, Any] | None = None
    batch_size: int = MAX_ROWS
    progress: Progress | None = None
    allow_random: bool = False

    def __post_init__(self):
        for name in ("samples", "beams", "batch_size", "max_length"):
            value = getattr(self, name)
            if not (name == "max_length" and value is None) and not _whole(value, 1):
                raise ConfigError(f"{name} {value!r} is not a whole number from 1 up")
        if not _whole(self.seed, 0) or self.seed >= MAX_SEED:
            raise ConfigError(f"seed {self.seed!r} is not a whole number from 0 to {MAX_SEED - 1}")
        for name in ("min_length", "no_repeat_ngram"):
            if not _whole(getattr(self, name), 0):
                raise ConfigError(f"{name} {getattr(self, name)!r} is not a whole number from 0 up")
        for name, least in (("guidance", 0), ("length_penalty", -math.inf), ("repetition_penalty", 1)):
            value = getattr(self, name)
            if not (isinstance(value, numbers.Real) and least <= value and math.isfinite(value)):
                raise ConfigError(f"{name} {value!r} is not a number from {least} up")
        if not (
            self.constraint is None or isinstance(self.constraint, str | Mapping) or callable(self.constraint)
        ):
            raise ConfigError(
                f"constraint {self.constraint!r} is no form; give a name, one of {', '.join(forms.FORMS)}, "
                f"or one of {', '.join(forms.GRAMMARS)} with what it takes"
            )
        if self.rank and self.samples == 1:
            raise ConfigError("rank picks among samples, and there is one; give samples as well")
        if self.beams > 1:
            self._check_search()

    def _check_search(self) -> None:
        drawing = [name for name in _DRAWING if getattr(self, name) is not None]
        if drawing or self.guidance:
            name = drawing[0] if drawing else "guidance"
            raise ConfigError(
                f"a search with {self.beams} beams draws nothing and takes no {name}; leave one out"
            )
        if self.samples > self.beams:
            raise ConfigError(
                f"{self.beams} beams give at most as many samples, not {self.samples}; raise beams"
            )

    @classmethod
    def read(
        cls, options: Mapping[str, Any], only: Sequence[str] | None = None, **defaults: Any
    ) -> "Options":
        """Builds the options from what a user gave, over the defaults of a capability.

        Args:
          options: By name.
          only: The options that mean something here; None for all.
          defaults: What holds unless told.

        Raises:
          ConfigError: Nobody knows an option of that name, or it is out of range.
        """
        known = OPTIONS if only is None else only
        for name in options:
            if name not in known:
                raise unknown("option", name, known)
        # A search does not draw: the defaults of drawing fall away.
        searches = options.get("beams", 1) != 1
        kept = {k: v for k, v in defaults.items() if not (searches and k in _DRAWING)}
        return cls(**{**kept, **options})

    def sampler(self, default: Sampler) -> Sampler:
        """Returns how to choose tokens, `default` where nothing else is asked for."""
        told = {name: getattr(self, name) for name in _DRAWING if getattr(self, name) is not None}
        return dataclasses.replace(default, **told)

    def allowed(self, vocabulary: forms.Words | None = None, end: int | None = None) -> Constraint | None:
        """Returns the constraint behind what forbids repetition and an early end; the same object for the same options.

        Args:
          vocabulary: Of what is written, where that is text.
          end: The token that ends what is written; None where it does not end by itself.
        """
        form = self.constraint
        if form is not None and not callable(form):
            form = forms.named(form, vocabulary, end)
        shortest = self.min_length if end is not None else 0
        if (self.repetition_penalty, self.no_repeat_ngram, shortest) == (1, 0, 0):
            return form
        return _kept(form, float(self.repetition_penalty), self.no_repeat_ngram, shortest, end)


OPTIONS = tuple(field.name for field in dataclasses.fields(Options))


def running(options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns those options that say how to run and not what to make, for a first stage; checks them all.

    Raises:
      ConfigError: As `Options.read`.
    """
    Options.read(options)
    return {name: options[name] for name in ("batch_size", "allow_random") if name in options}


@functools.lru_cache(maxsize=64)
def _kept(
    constraint: Constraint | None, penalty: float, ngram: int, shortest: int, end: int | None
) -> Constraint:
    parts = [constraints.repetition(penalty)] if penalty != 1 else []
    if ngram:
        parts.append(constraints.no_repeat(ngram))
    if shortest:
        parts.append(constraints.forbid_before(shortest, end))
    return constraints.chain(*parts, *([constraint] if constraint else []))


def _whole(value: Any, least: int) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool) and value >= least
