"""A training job: one model, one mixture, one optimizer and one mesh, run by the common loop."""

import contextlib
import dataclasses
import functools
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from unified_io import configuration, pytree
from unified_io.convert import families, folders
from unified_io.data.budgets import Budgets
from unified_io.data.packer import Packer
from unified_io.errors import ConfigError
from unified_io.model import UnifiedIOConfig, blank_batch, parameter_shapes
from unified_io.preprocess.denoisers.objective import Objective
from unified_io.train import mesh as meshes
from unified_io.train import optimizer as optimizers
from unified_io.train import start
from unified_io.train.apart import Apart
from unified_io.train.data_checkpoints import DataCheckpoints
from unified_io.train.loop import fit
from unified_io.train.mesh import MeshConfig
from unified_io.train.occupancy import Occupancy
from unified_io.train.optimizer import OptimizerConfig
from unified_io.train.peaks import peak_flops
from unified_io.train.state import TrainState
from unified_io.train.step import in_parts, make_train_step
from unified_io.train.telemetry import Telemetry
from unified_io.train.validation import COUNTS, Validation, loss_of

_AT_LEAST_ONE = (
    "total_steps",
    "microbatches",
    "lookahead",
    "checkpoint_period",
    "keep",
    "report_period",
    "eval_period",
    "eval_examples",
    "patience",
)

Samples = Callable[[UnifiedIOConfig, Any], Mapping[str, np.ndarray]]


class Evaluation(Protocol):
    """What a run computes every `eval_period` steps."""

    def check(self) -> None:
        """Raises ConfigError for what can not work, before anything is compiled."""
        ...

    def __call__(self, mesh: jax.sharding.Mesh, params: Any, step: int) -> Mapping[str, float]:
        """Returns numbers by name; every process calls it, within the mesh."""
        ...


@dataclasses.dataclass(frozen=True)
class TrainJob:
    """Trains a model on a mixture; the same call goes on where an earlier one stopped.

    Attributes:
      model_dir: Holds `checkpoint_<step>/`, `train.jsonl`, `quarantine.jsonl`, TensorBoard events, `samples/`, and the
        result under `model/`.
      model: What to train.
      mixture: Name of a registered task or mixture.
      budgets: Shape of a packed batch, for one shard of the mesh and one microbatch.
      optimizer: Optimizer, schedule, and what stays frozen.
      total_steps: The number of the last step.
      objective: What tasks of pre-training ask of their records; see `preprocess.denoisers`.
      source: Read this in place of the sources the tasks declare.
      mesh: Devices.
      microbatches: Parts of a batch that every device computes one after the other before a step is made.
      lookahead: Batches' worth of examples to choose from: with more, rows are fuller and examples wait longer.
      seed: Seeds parameters, dropout and training data; runs of all seeds are evaluated on the same examples.
      z_loss: Weight of the z-loss.
      target_weights: Target modality -> how much it counts in the loss that is trained, 1 where none is named. With few
        examples a batch, the mean over the tokens of one sound would else count like that of a dozen answers.
        Evaluations count all targets the same.
      checkpoint_period: Steps between checkpoints.
      keep: The newest so many checkpoints stay.
      keep_period: Checkpoints of steps that are a multiple of it stay for ever; None for none.
      report_period: Steps between reports.
      eval_period: Steps between evaluations on the validation split, with sample pictures where there are any.
      eval_examples: Examples of an evaluation: always the first ones of the split, whatever the shape of a batch.
      evaluations: What is computed at evaluations; None for the losses on the mixture.
      initial_params: Parameter-name prefix -> folder of parameters to start from, e.g. trained tokenizers. Under the
        empty prefix a whole saved model of any family, e.g. a released one to go on from. Read where `model_dir` has no
        checkpoint yet.
      frozen_storage: How the blocks' matrices of a backbone are held that do not move: a name in
        `backbones.frozen.STORAGES`, None for float32. Checkpoints then hold only what is trained, and every session
        reads `initial_params`; the model in `export` has them in full precision.
      first_step: Number of the steps made before this run, by those who trained `initial_params`: its own are numbered
        on from it, and the learning rate goes on.
      save_first: Save a checkpoint before the first step, too.
      accept_changed_data: Go on although a source, the seed or the number of data shards has changed; see `Loader`.
      max_bad: Examples that may be left out, as bad or too long, before the run gives up; see `quarantine.jsonl`.
      max_bad_share: Part of the examples of one source that may be left out, once some hundred were read.
      patience: Steps in a row that may be skipped before the run gives up; what is skipped stands in `optimizer`.
      watchdog_s: Seconds after which the run gives up if no batch comes or no step is made; None waits for ever. A
        step that is compiled counts, so give large models more.
      wandb: Project of Weights & Biases to which the numbers go as well; None for none.
    """

    model_dir: str
    model: UnifiedIOConfig
    mixture: str
    budgets: Budgets
    optimizer: OptimizerConfig
    total_steps: int
    objective: Objective | None = None
    source: Any = None
    mesh: MeshConfig = MeshConfig(data=1)
    microbatches: int = 1
    lookahead: float = 2.0
    seed: int = 0
    z_loss: float = 1e-4
    target_weights: Mapping[str, float] = dataclasses.field(default_factory=dict)
    checkpoint_period: int = 500
    keep: int = 2
    keep_period: int | None = None
    report_period: int = 50
    eval_period: int = 500
    eval_examples: int = 128
    evaluations: tuple[Evaluation, ...] | None = None
    initial_params: Mapping[str, str] = dataclasses.field(default_factory=dict)
    frozen_storage: str | None = None
    first_step: int = 0
    save_first: bool = False
    accept_changed_data: bool = False
    max_bad: int = 100
    max_bad_share: float = 0.05
    patience: int = 10
    watchdog_s: float | None = 600.0
    wandb: str | None = None

    @property
    def export(self) -> Path:
        """Where the trained model is left, for `api.from_pretrained`."""
        return Path(self.model_dir, "model")

    def check(self) -> None:
        """Finds what can not work before anything is compiled.

        Raises:
          ConfigError: Impossible numbers, a folder that can not be written, a tokenizer that is not there, a model that
            could not be saved, an unknown mixture, an evaluation of nothing, nothing frozen that could be held.
        """
        for name in _AT_LEAST_ONE:
            if not (getattr(self, name) or 0) >= 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; give at least 1")
        if not 0 <= self.first_step < self.total_steps:
            raise ConfigError(
                f"the run begins at step {self.first_step} and ends at total_steps={self.total_steps}; give at least "
                f"{self.first_step + 1}"
            )
        for name, weight in self.target_weights.items():
            self.model.target(name)
            if not 0 <= weight < math.inf:
                raise ConfigError(f"target_weights has {weight} for {name}; give 0 or more")
        configuration.to_json(self.model)  # else the trained model could not be saved
        modalities = (*self.model.inputs, *self.model.targets)
        texts = {key: "a" for m in modalities for key in m.fields if key in ("text_inputs", "text_targets")}
        for m in modalities:
            m.preprocess(texts, seed=self.seed, training=False)  # reads the tokenizers
        self.model.check()
        check_writable(self.model_dir)
        meshes.make_mesh(self.mesh)
        optimizers.build(self.optimizer, nn.unbox(parameter_shapes(self.model)))
        if self.apart is not None:
            self.apart.shapes()  # which finds what can be held
        self.bind()
        Packer(self.model.inputs, self.model.targets, self.budgets)  # which compares the two
        for evaluation in self.evaluations or ():
            evaluation.check()

    def bind(self) -> Any:
        """The mixture, bound to the model's modalities."""
        from unified_io.data import pipeline

        if self.source is not None and not hasattr(self.source, "in_place_of"):
            raise ConfigError(f"source is {self.source!r}; give one that reads in place of others, or None")
        model = self.model
        return pipeline.bind(
            self.mixture, model.inputs, model.targets, source=self.source, objective=self.objective
        )

    def train(self, samples: Samples | None = None) -> None:
        """Trains to the end and leaves the model in `export`.

        Args:
          samples: `(config, params) -> pictures by name`, drawn at every evaluation.
        """
        earlier = start.checkpoints_in(self.model_dir)
        if (self.export / families.CONFIG_FILE).is_file() and max(
            earlier, default=self.total_steps
        ) >= self.total_steps:
            return
        self._check_files()
        mesh = meshes.make_mesh(self.mesh)
        # Outside the mesh, where shapes can be traced.
        state, optimizer, frozen = self._begun(mesh, fresh=not earlier)
        occupancy = Occupancy(self.model, self.budgets, meshes.shards(mesh) * self.microbatches)
        peak, why = peak_flops(mesh.devices.flat[0].device_kind, self.model.backbone.dtype)
        with meshes.use(mesh):
            train_step = make_train_step(
                self._loss_fn(), optimizer, seed=self.seed, split=self._split(), frozen=frozen
            )
            loader = self._loader(mesh)

            def step(state: TrainState, batch: Any) -> tuple[TrainState, dict[str, Any]]:
                state, metrics = train_step(state, meshes.shard_batch(batch, mesh))
                return state, {**metrics, **occupancy(batch)}

            with (
                self._checkpoints(loader) as checkpoints,
                self._telemetry(peak and peak * mesh.size) as telemetry,
            ):
                if telemetry is not None:
                    telemetry.say(f"{occupancy.describe()}\nmfu: {why}")
                state = fit(
                    state,
                    step,
                    checkpoints.batches,
                    total_steps=self.total_steps,
                    checkpoints=checkpoints,
                    checkpoint_period=self.checkpoint_period,
                    telemetry=telemetry,
                    report_period=self.report_period,
                    eval_period=self.eval_period,
                    eval_fn=self._evaluation(mesh, telemetry, loader, samples, frozen),
                    patience=self.patience,
                    watchdog_s=self.watchdog_s,
                    save_first=self.save_first,
                )
        params = meshes.whole(state.params)
        if self.apart is not None:
            params = self.apart.whole(params)
        if jax.process_index() == 0:
            folders.save(self.export, self.model, params)

    def evaluate(self) -> None:
        """Prints the losses of the trained model on the validation split.

        Raises:
          CheckpointError: There is no trained model yet.
        """
        params = folders.load(self.export, config=self.model).params
        mesh = meshes.make_mesh(self.mesh)
        with meshes.use(mesh):
            numbers = self._losses(mesh, params)
        for name, value in sorted(numbers.items()):
            print(f"{name:24} {value:.4f}")

    def report(self) -> None:
        """Says where the curves of this job are."""
        print(f"curves and samples: tensorboard --logdir={self.model_dir}")

    def _check_files(self) -> None:
        from unified_io.data import mixture

        mixture.check_files(self.bind(), "train")

    @functools.cached_property
    def apart(self) -> Apart | None:
        """What is not trained, where it is held in few bits."""
        if self.frozen_storage is None:
            return None
        return Apart(
            self.model_dir, self.model, self.optimizer, self.frozen_storage, self.initial_params, self.seed
        )

    def _begun(self, mesh, *, fresh: bool) -> tuple[TrainState, Any, Any]:
        """The first state, its optimizer, and the parameters apart from it; what a checkpoint has need not be read."""
        if self.apart is not None:
            state, optimizer, frozen = self.apart.begin(mesh)
            return self._numbered(state), optimizer, frozen
        optimizer = optimizers.build(self.optimizer, nn.unbox(parameter_shapes(self.model)))
        given = start.parameters(self.model, self.initial_params) if fresh else {}
        return self._initial_state(mesh, optimizer, given), optimizer, None

    def _initial_state(self, mesh, optimizer, given: Mapping[str, Any]) -> TrainState:
        model = self.model.network()

        def init(rng):
            params = model.init(rng, blank_batch(self.model))["params"]
            return TrainState.create(params, optimizer)

        state = meshes.init_sharded(init, jax.random.key(self.seed), mesh=mesh)
        named = pytree.named_leaves(state.params)
        named |= {name: jax.device_put(leaf, named[name].sharding) for name, leaf in given.items()}
        return self._numbered(state.replace(params=pytree.from_named(named, state.params)))

    def _numbered(self, state: TrainState) -> TrainState:
        return start.numbered_from(state, self.first_step) if self.first_step else state

    def _loss_fn(self):
        return loss_of(self.model, self.z_loss, self.target_weights)

    def _split(self) -> Callable[[Any], Any] | None:
        """Cuts a batch into microbatches that know how many tokens the whole batch has."""
        if self.microbatches == 1:
            return None

        def split(batch):
            counts = {name: head["weights"].sum() for name, head in batch["heads"].items()}
            repeated = {name: jnp.broadcast_to(count, self.microbatches) for name, count in counts.items()}
            return {**in_parts(batch, self.microbatches), COUNTS: repeated}

        return split

    def _loader(self, mesh):
        from unified_io.data.loader import Loader

        return Loader(
            self.bind(),
            self.model.inputs,
            self.model.targets,
            self.budgets,
            seed=self.seed,
            groups=meshes.shards(mesh) * self.microbatches,
            mine=[
                shard * self.microbatches + part
                for shard in meshes.own_shards(mesh)
                for part in range(self.microbatches)
            ],
            chunk_steps=self.checkpoint_period,
            lookahead=self.lookahead,
            max_bad=self.max_bad,
            max_bad_share=self.max_bad_share,
            folder=self.model_dir,
            accept_changed=self.accept_changed_data,
        )

    def _checkpoints(self, loader) -> "DataCheckpoints":
        return DataCheckpoints(self.model_dir, loader, self.keep, self.keep_period, self.first_step)

    def _evaluation(self, mesh, telemetry: Telemetry | None, loader, samples: Samples | None, frozen: Any):
        def evaluate(state: TrainState) -> dict[str, float]:
            step = int(state.step)
            found = state.params if frozen is None else pytree.together(state.params, frozen)
            if samples is not None and telemetry is not None and jax.process_count() == 1:
                params = jax.device_get(found)
                telemetry.write_images(step, samples(self.model, params))
            numbers = self._losses(mesh, found) if self.evaluations is None else {}
            for evaluation in self.evaluations or ():
                numbers |= evaluation(mesh, found, step)
            # Behind everything that may be interrupted, and would be done again.
            seen = {f"data/{name}": value for name, value in loader.report().items()}
            if telemetry is not None:
                telemetry.write(step, seen)
            return numbers

        return evaluate

    def _losses(self, mesh, params) -> dict[str, float]:
        return self._validation.losses(self.bind(), mesh, params)

    @functools.cached_property
    def _validation(self) -> Validation:
        return Validation(self.model, self.budgets, self.eval_examples, self.z_loss)

    def _telemetry(self, peak: float | None) -> contextlib.AbstractContextManager[Telemetry | None]:
        """The reports of the run: one process of all writes them."""
        if jax.process_index() != 0:
            return contextlib.nullcontext()
        return Telemetry(self.model_dir, "train", self.total_steps, peak_flops=peak, wandb=self.wandb)


def check_writable(folder: str | Path) -> None:
    """Makes the folder and makes sure that files can be written there.

    Raises:
      ConfigError: They can not; says where.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        probe = Path(folder, f".probe-{os.getpid()}")
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ConfigError(
            f"can not write to model_dir {str(folder)!r}: {error}; choose another folder"
        ) from error
