"""Parameters that a run does not train, apart from its state: held in few bits, never saved, read anew each time.

Knows parameters by name only. The state holds what is trained; the rest is what the run begins with, so a session that
goes on reads it again where the first one did.
"""

import dataclasses
import functools
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import numpy as np
import optax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from unified_io import pytree
from unified_io.backbones import frozen
from unified_io.errors import CheckpointError, ConfigError
from unified_io.model import UnifiedIOConfig, parameter_shapes
from unified_io.nn.held import is_held
from unified_io.train import mesh as meshes
from unified_io.train import optimizer as optimizers
from unified_io.train import start
from unified_io.train.optimizer import OptimizerConfig
from unified_io.train.state import TrainState

FILE = "frozen.json"


@dataclasses.dataclass(frozen=True)
class Apart:
    """What a run trains and what it does not, apart from each other.

    The matrices of the blocks of the backbone are held in few bits where they are not trained; head and embeddings are
    not, as in QLoRA. What is held lies whole on every device of a mesh.

    Attributes:
      folder: Of the run; says in `frozen.json` what it was begun with.
      model: The model.
      optimizer: Says what is trained.
      storage: A name in `backbones.frozen.STORAGES`.
      initial: Where the parameters are read, see `start.parameters`.
      seed: For those that are nowhere.
    """

    folder: str
    model: UnifiedIOConfig
    optimizer: OptimizerConfig
    storage: str
    initial: Mapping[str, str]
    seed: int

    def begin(self, mesh: Mesh) -> tuple[TrainState, optax.GradientTransformationExtraArgs, Any]:
        """Returns the first state, its optimizer, and the parameters beside it, where they belong on a mesh.

        Raises:
          ConfigError: The run was begun with another storage.
          CheckpointError: It was begun with other parameters.
        """
        trained, rest = self._read()
        boxed = self._divided(parameter_shapes(self.model))[0]
        optimizer = optimizers.build(self.optimizer_of_trained, trained)
        state = meshes.init_sharded(
            lambda params: TrainState.create(nn.meta.replace_boxed(boxed, params), optimizer),
            trained,
            mesh=mesh,
        )
        return state, optimizer, self._placed(self._held(rest), mesh)

    def whole(self, trained: Any) -> Any:
        """Returns trained parameters together with the others in full precision, all on the host."""
        return pytree.together(trained, self._read()[1])

    def shapes(self) -> tuple[Any, Any]:
        """Returns the shapes of the trained parameters, boxed, and of the others as they are held.

        Raises:
          ConfigError: The storage is unknown, or there is nothing to be held.
        """
        boxed = parameter_shapes(self.model)
        return self._divided(boxed)[0], jax.eval_shape(self._held, self._divided(nn.unbox(boxed))[1])

    @property
    def optimizer_of_trained(self) -> OptimizerConfig:
        """The optimizer of a tree that holds trained parameters only."""
        return dataclasses.replace(self.optimizer, trained=(), frozen=())

    def _read(self) -> tuple[dict[str, Any], dict[str, Any]]:
        trained, rest = self._divided(start.whole(self.model, self.initial, self.seed))
        self._check_same(rest)
        return trained, rest

    def _divided(self, params: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        named = pytree.named_leaves(params, is_leaf=meshes.is_box)
        moves = functools.partial(optimizers.is_trained, self.optimizer)
        trained = {name: leaf for name, leaf in named.items() if moves(name)}
        return pytree.nested(trained), pytree.nested({k: v for k, v in named.items() if k not in trained})

    def _held(self, rest: Any) -> Any:
        return frozen.held(rest, rf"^({'|'.join(self.model.stacks)})/layers", self.storage)

    def _placed(self, rest: Any, mesh: Mesh) -> Any:
        where = pytree.named_leaves(meshes.shardings(parameter_shapes(self.model), mesh))
        everywhere = NamedSharding(mesh, PartitionSpec())
        # Through the host: what lies on a device of one process can not be put on those of others.
        return pytree.nested(
            {
                name: jax.device_put(jax.device_get(leaf), everywhere if is_held(leaf) else where[name])
                for name, leaf in pytree.named_leaves(rest, is_leaf=is_held).items()
            }
        )

    def _check_same(self, rest: Any) -> None:
        """Makes sure that a run goes on with what it began with; the first time it notes what that is."""
        file, now = Path(self.folder, FILE), {"storage": self.storage, "sha256": _digest(rest)}
        if not file.is_file():
            if jax.process_index() == 0:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(json.dumps(now, indent=2) + "\n")
            return
        before = json.loads(file.read_text())
        if before["storage"] != self.storage:
            raise ConfigError(
                f"{self.folder} was begun with frozen_storage={before['storage']!r}, not {self.storage!r}; go on with "
                "that, or choose another model_dir"
            )
        if before != now:
            raise CheckpointError(
                f"the parameters that {self.folder} does not train are not those it was begun with; put back what "
                "initial_params read then, or choose another model_dir"
            )


def _digest(tree: Any) -> str:
    found = hashlib.sha256()
    for name, leaf in sorted(pytree.named_leaves(tree).items()):
        array = np.ascontiguousarray(leaf)
        found.update(f"{name} {array.dtype} {array.shape}".encode())
        found.update(array.data)
    return found.hexdigest()
