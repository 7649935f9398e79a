"""Results of a model for examples, a batch at a time, on any mesh. Knows neither files nor metrics."""

import dataclasses
import functools
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from unified_io import pytree
from unified_io.errors import ConfigError
from unified_io.model import parameter_shapes
from unified_io.t5x_compat.model import T5XModel
from unified_io.train import mesh as meshes
from unified_io.train import start

METHODS = {
    "predict": "predict_batch",
    "score": "score_batch",
    "predict_with_aux": "predict_batch_with_aux",
}
"""What the model is asked, by T5X's mode."""
# Frozen encoders and tokenizers are never rounded: a code is the nearest of many.
_EXACT = re.compile(r"^shared_\w+_encoder/|/tokenizer/")


@dataclasses.dataclass(frozen=True, eq=False)
class Predictor:
    """Asks a T5X model for predictions and scores.

    Attributes:
      model: The model.
      batch_size: Examples at a time, of all devices together.
    """

    model: T5XModel
    batch_size: int

    def check(self, shards: int) -> None:
        """Raises ConfigError if a batch does not divide over so many shards of the mesh."""
        if self.batch_size < 1 or self.batch_size % shards:
            raise ConfigError(
                f"a batch of {self.batch_size} examples does not divide over {shards} devices; give a BATCH_SIZE "
                f"that is a multiple of {shards}"
            )

    def read(self, path: str, dtype: str, mesh: jax.sharding.Mesh) -> Any:
        """Reads the parameters of a checkpoint or saved model onto the mesh."""
        boxed = parameter_shapes(self.model.config)
        named = start.parameters(self.model.config, {"": path})
        params = {
            name: leaf if _EXACT.search(name) else leaf.astype(jnp.dtype(dtype))
            for name, leaf in named.items()
        }
        return jax.device_put(pytree.nested(params), meshes.shardings(boxed, mesh))

    def results(
        self,
        mode: str,
        mesh: jax.sharding.Mesh,
        params: Any,
        examples: Iterable[Mapping[str, np.ndarray]],
        first: int = 0,
    ) -> Iterator[Any]:
        """Yields a result an example, in order: tokens, a score, or tokens and what else is known of them.

        Of several processes all give the same examples and get the same results.

        Args:
          mode: One of `METHODS`.
          mesh: The mesh.
          params: Parameters on it.
          examples: Flat features of one example each.
          first: Number of the first batch; it seeds what is drawn.
        """
        self.check(meshes.shards(mesh))
        each = self.batch_size // meshes.shards(mesh)
        own = [shard * each + i for shard in meshes.own_shards(mesh) for i in range(each)]
        examples = iter(examples)
        for number in itertools.count(first):
            several = list(itertools.islice(examples, self.batch_size))
            if not several:
                return
            filled = [several[min(i, len(several) - 1)] for i in own]
            batch = {name: np.stack([example[name] for example in filled]) for name in several[0]}
            with meshes.use(mesh):
                found = self._compiled[mode](params, meshes.shard_batch(batch, mesh), number)
            found = meshes.whole(found)
            yield from (jax.tree.map(lambda leaf, i=i: leaf[i], found) for i in range(len(several)))

    @functools.cached_property
    def _compiled(self) -> dict[str, Callable[..., Any]]:
        def ask(mode: str) -> Callable[..., Any]:
            method = getattr(self.model, METHODS[mode])
            if mode == "score":
                return jax.jit(lambda params, batch, number: method(params, batch))
            return jax.jit(
                lambda params, batch, number: method(
                    params, batch, jax.random.fold_in(jax.random.key(0), number)
                )
            )

        return {mode: ask(mode) for mode in METHODS}
