"""Inputs to outputs, for any modality, in batches of few shapes."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from unified_io.api.compiled import compiled
from unified_io.api.engine import PROMPT, Engine
from unified_io.api.options import OPTIONS, Options
from unified_io.api.rows import bucket, lay_out, needed, padded
from unified_io.errors import ConfigError
from unified_io.generation.constraints import Constraint
from unified_io.generation.sampling import Sampler
from unified_io.modalities.base import TargetModality
from unified_io.model import UnifiedIOConfig


@dataclasses.dataclass(frozen=True)
class Call:
    """One batch laid out: what the compiled functions take.

    Attributes:
      config: The part of the model that it needs.
      target: The modality to write.
      begun: The batch, and which of its rows is written from which seed, as `Compiled.begin` takes them.
      scale: Strength of guidance, or None.
      sampler: Chooses the tokens.
      constraint: Which are allowed.
      length: Most tokens.
    """

    config: UnifiedIOConfig
    target: TargetModality
    begun: tuple[Any, ...]
    scale: np.float32 | None
    sampler: Sampler
    constraint: Constraint | None
    length: int

    @property
    def read(self) -> int:
        """Tokens of the first prompt, those of media too."""
        batch, rows, *_ = self.begun
        return int(np.count_nonzero(batch["encoder"]["segment_ids"][rows[0]]))


class Generating(Engine):
    """Writes any target modality."""

    def generate(self, output: str = "text", **inputs_and_options: Any) -> Any:
        """Makes one output from one set of inputs, e.g. `generate("image", text="a seven", seed=3)`.

        Args:
          output: Name of the target modality.
          inputs_and_options: Inputs by modality name, and options as in `Options`.

        Returns:
          A string, pixels [h, w, 3] in [0, 1], a waveform, or pen points [n, 3], as `output` asks. A list of them
          with `samples` from 2 up.
        """
        inputs = {k: v for k, v in inputs_and_options.items() if k not in OPTIONS}
        options = {k: v for k, v in inputs_and_options.items() if k in OPTIONS}
        return self.generate_batch([inputs], output, **options)[0]

    def generate_batch(
        self, examples: Sequence[Mapping[str, Any]], output: str = "text", **options: Any
    ) -> list[Any]:
        """Makes one output for every example.

        Args:
          examples: Inputs by modality name; what the model does not read is an error.
          output: Name of the target modality.
          options: As in `Options`.

        Raises:
          ConfigError: An unknown modality or option, or an option out of range.
          DataError: Inputs that can not be read, or that are longer than the model takes.
          CheckpointError: Parameters were never loaded.
        """
        target = self.config.target(output)
        fields = [self.read(example, output) for example in examples]
        chosen = Options.read(options)
        made = self._generate(fields, target, chosen)
        shown = [[self._present(target, field) for field in samples] for samples in made]
        if rank := chosen.rank:
            shown = [
                sorted(some, key=lambda one, given=given: -rank(one, given))
                for some, given in zip(shown, examples, strict=True)
            ]
        return shown if chosen.samples > 1 else [samples[0] for samples in shown]

    def generate_fields(
        self, examples: Sequence[Mapping[str, Any]], output: str, **options: Any
    ) -> list[Any]:
        """Makes one output for every example of a task, in raw fields on both sides (see `modalities.base.FIELDS`).

        Args:
          examples: Raw fields as a task gives them, the paradigm token in front of the prompt; targets are ignored.
          output: Name of the target modality.
          options: As in `Options`.
        """
        return self._make(examples, output, options)

    def _make(
        self, fields: Sequence[Mapping[str, Any]], output: str, options: Mapping[str, Any], **defaults: Any
    ) -> list[Any]:
        """Makes an output, or a list of samples, for the raw fields of every row."""
        chosen = Options.read(options, **defaults)
        if chosen.rank:
            raise ConfigError(
                "rank is for generate and generate_batch; order these yourself, or see generate_image"
            )
        made = self._generate(fields, self.config.target(output), chosen)
        return made if chosen.samples > 1 else [samples[0] for samples in made]

    def _make_one(
        self, fields: Sequence[Mapping[str, Any]], output: str, options: Mapping[str, Any], **defaults: Any
    ) -> list[Any]:
        """As `_make`, for what is one answer by its nature."""
        if options.get("samples", 1) != 1:
            raise ConfigError(
                f"samples={options['samples']!r} is for text and generate_image; call again with another seed"
            )
        return self._make(fields, output, options, **defaults)

    def _generate(
        self, examples: Sequence[Mapping[str, Any]], target: TargetModality, options: Options
    ) -> list[list[Any]]:
        """Generates for raw fields, a batch at a time: for every example its samples, as raw fields."""
        if options.beams > 1 and target.end_token is None:
            raise ConfigError(f"beams are for text; {target.name} is drawn, leave beams out")
        params = self._trained(options.allow_random)
        read = {field for m in self.config.inputs for field in m.fields}
        fields = [{key: example[key] for key in read & example.keys()} for example in examples]
        each = options.samples * (2 if options.guidance else 1) if options.beams == 1 else options.beams
        size = max(1, options.batch_size // each)
        made: list[list[Any]] = []
        for start in range(0, len(fields), size):
            part = fields[start : start + size]
            rendered = self._run(params, part, start, target, options)
            shape = (len(part), options.samples)
            for row in rendered[: len(part) * options.samples].reshape(*shape, *rendered.shape[1:]):
                made.append([target.detokenize(sample) for sample in row])
            if options.progress:
                options.progress(len(made), len(fields))
        return made

    def _run(
        self, params: Any, fields: list[dict[str, Any]], start: int, target: TargetModality, options: Options
    ) -> np.ndarray:
        """Lays one batch out and generates: rendered outputs, the samples of an example one after the other."""
        call = self._call(fields, start, target, options)
        rendered = compiled(call.config).generate(
            params,
            *call.begun,
            call.scale,
            call.sampler,
            target=target.name,
            length=call.length,
            constraint=call.constraint,
            beams=options.beams,
            length_penalty=float(options.length_penalty),
            answers=options.samples if options.beams > 1 else 1,
        )
        return np.asarray(rendered)

    def _call(
        self, fields: list[dict[str, Any]], start: int, target: TargetModality, options: Options
    ) -> "Call":
        """Lays one batch out."""
        repeats = options.samples if options.beams == 1 else 1
        count = bucket(len(fields) * repeats)
        samples = [(i, s) for i in range(len(fields)) for s in range(repeats)]
        places = [(start + i, s) for i, s in samples]
        rows = padded([i for i, _ in samples], count)
        if options.guidance:
            blank = target.prefix + options.negative_prompt
            blanks, negatives = _without_prompt(fields, blank)
            rows = np.concatenate([rows, padded([len(fields) + negatives[i] for i, _ in samples], count)])
            fields = fields + blanks
        length = target.length
        if options.max_length is not None and target.end_token is not None:
            length = min(length, options.max_length)
        config = needed(self.config, fields, target.name)
        places = np.asarray(places + places[:1] * (count - len(places)), np.int32)
        return Call(
            config,
            target,
            (lay_out(config, fields), rows, np.uint32(options.seed), places),
            np.float32(options.guidance) if options.guidance else None,
            options.sampler(target.sampler),
            options.allowed(getattr(target, "vocabulary", None), target.end_token),
            length,
        )

    def _present(self, target: TargetModality, field: Any) -> Any:
        """Turns a raw field into what a user wants to have."""
        return target.present(field)


def _without_prompt(fields: list[dict[str, Any]], prompt: str) -> tuple[list[dict[str, Any]], list[int]]:
    """Returns the examples with another prompt, equal ones once, and which of them stands for each example."""
    blanks: list[dict[str, Any]] = []
    which, alone = [], None
    for example in fields:
        if not example.keys() - {PROMPT} and alone is not None:
            which.append(alone)
            continue
        if not example.keys() - {PROMPT}:
            alone = len(blanks)
        which.append(len(blanks))
        blanks.append({**example, PROMPT: prompt})
    return blanks, which
