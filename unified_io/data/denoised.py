"""Tasks of pre-training: a task says what its raw examples are, the objective of a run what is asked of them.

Knows records and an objective; no dataset, and of a model only which fields it reads.
"""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

import numpy as np

from unified_io.errors import ConfigError, DataError, unknown
from unified_io.modalities.base import FIELDS, Modality, TargetModality
from unified_io.preprocess.denoisers import captions, clip, document, views
from unified_io.preprocess.denoisers.objective import Objective

Record = clip.Clip | document.Document | captions.Captions | views.Views

_SAMPLES: dict[type, Callable[..., dict[str, Any]]] = {
    clip.Clip: clip.sample,
    document.Document: document.sample,
    captions.Captions: captions.sample,
    views.Views: views.sample,
}
_ABOUT = ("meta/id", "meta/labels")


@dataclasses.dataclass(frozen=True)
class Denoised:
    """Stands among a task's preprocessors for what the objective of a run makes of it; `pipeline.bind` puts that there.

    A raw example's `id` and `label` are kept, for errors and metrics.

    Attributes:
      record: Makes a record of a raw example.
      name: What to call the task in an error.
      targets: What may be asked of this source; None is all that the objective asks for.
      inputs: What may be given beside it; None is all that the objective gives.
      files: Raw fields that hold bytes; see `pipeline.numpy_map`.
    """

    record: Callable[[dict[str, Any]], Record]
    name: str
    targets: tuple[str, ...] | None = None
    inputs: tuple[str, ...] | None = None
    files: tuple[str, ...] = ()

    def __post_init__(self):
        for side, names in (("targets", self.targets), ("inputs", self.inputs)):
            known = [key.removesuffix(f"_{side}") for key in FIELDS if key.endswith(f"_{side}")]
            for name in names or ():
                if name not in known:
                    raise unknown(f"entry of the {side} of {self.name}:", name, known)

    def __call__(self, dataset: Any) -> NoReturn:
        """Refuses to be read without an objective.

        Raises:
          ConfigError: Always; says how to give one.
        """
        raise self._unasked()

    def under(
        self, objective: Objective | None, inputs: Sequence[Modality], targets: Sequence[TargetModality]
    ) -> "Asked":
        """Returns what an objective asks of this task where the model has these modalities.

        It asks for no more than this source allows, and gives no more than that and what the model reads.

        Raises:
          ConfigError: There is no objective, nothing is left to ask for, or it names what the model does not have.
        """
        if objective is None:
            raise self._unasked()
        wanted = {name: w for name, w in objective.targets.items() if w > 0 and _allows(self.targets, name)}
        if not wanted:
            raise ConfigError(
                f"task {self.name!r} may be asked for {list(self.targets or ())}, the objective asks for "
                f"{dict(objective.targets)}; give one of them a weight, or leave the task out"
            )
        self._check("targets", wanted, targets)
        if objective.inputs is not None:
            self._check("inputs", [name for name in objective.inputs if _allows(self.inputs, name)], inputs)
        for m in inputs:
            if m.name in objective.histories and m.max_items < objective.history:
                raise ConfigError(
                    f"the objective gives {objective.history} earlier frames, {m.name} of the model takes "
                    f"{m.max_items}; set Objective.history to its max_frames"
                )
        read = [m.name for m in inputs]
        all_given = objective.parts if objective.inputs is None else objective.inputs
        given = tuple(name for name in all_given if name in read and _allows(self.inputs, name))
        narrowed = dataclasses.replace(objective, targets=wanted, inputs=given)
        fields = {key for m in (*inputs, *targets) for key in m.fields}
        return Asked(self, narrowed, (*(key for key in objective.fields if key in fields), *_ABOUT))

    def _unasked(self) -> ConfigError:
        return ConfigError(
            f"task {self.name!r} holds records to denoise, and nothing says what to ask of them; give an objective: "
            "TrainJob.objective = %OBJECTIVE, from gin_configs/objective/denoisers.gin"
        )

    def _check(self, side: str, names: Iterable[str], modalities: Sequence[Modality]) -> None:
        found = [m.name for m in modalities]
        if missing := sorted(set(names) - set(found)):
            raise ConfigError(
                f"the objective of task {self.name!r} has the {side} {missing}, the model has {found}; take them out "
                f"of Objective.{side}, or give the model these modalities"
            )


@dataclasses.dataclass(frozen=True)
class Asked:
    """What one objective asks of one task: a function of a raw example and a generator.

    Attributes:
      task: Makes the records.
      objective: Narrowed to what the task allows and the model has.
      writes: The fields that it may write.
    """

    task: Denoised
    objective: Objective
    writes: tuple[str, ...]

    def __call__(self, raw: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
        """Draws what to ask of a raw example.

        Raises:
          DataError: It is no record, holds nothing that could be asked for, or needs what the model does not have.
        """
        record = self.task.record(raw)
        if type(record) not in _SAMPLES:
            known = ", ".join(kind.__name__ for kind in _SAMPLES)
            raise DataError(f"its record is a {type(record).__name__}; make one of {known}")
        made = _SAMPLES[type(record)](record, self.objective, rng)
        if lost := sorted(made.keys() - set(self.writes)):
            raise DataError(
                f"a {type(record).__name__} needs {', '.join(lost)}, which the model does not have; leave the task out"
            )
        return made | {"meta/id": raw.get("id"), "meta/labels": raw.get("label")}


def _allows(names: Sequence[str] | None, name: str) -> bool:
    return names is None or name in names
