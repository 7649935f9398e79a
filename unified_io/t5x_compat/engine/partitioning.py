"""T5X's words for a mesh: how many devices share a layer, and whether parameters lie in parts over the others."""

import dataclasses
import math

from unified_io.errors import ConfigError
from unified_io.train.mesh import MeshConfig


@dataclasses.dataclass(frozen=True)
class AxisRules:
    """What T5X's rules for logical axes come to on our mesh.

    Attributes:
      fully_sharded: Whether parameters lie in parts over the devices that share a batch.
    """

    fully_sharded: bool


def standard_logical_axis_rules(
    activation_partitioning_dims: int = 1, parameter_partitioning_dims: int = 1
) -> AxisRules:
    """Returns T5X's standard rules.

    Args:
      activation_partitioning_dims: Only 1.
      parameter_partitioning_dims: 1 splits parameters over the devices that share a layer, 2 over all (FSDP).

    Raises:
      ConfigError: Other numbers.
    """
    if activation_partitioning_dims != 1 or parameter_partitioning_dims not in (1, 2):
        raise ConfigError(
            f"activation_partitioning_dims is {activation_partitioning_dims} and parameter_partitioning_dims is "
            f"{parameter_partitioning_dims}; give 1, and 1 or 2"
        )
    return AxisRules(parameter_partitioning_dims == 2)


@dataclasses.dataclass(frozen=True)
class PjitPartitioner:
    """How a model is split.

    Attributes:
      num_partitions: Devices that share a layer.
      model_parallel_submesh: The same as the sides of a block of devices; only their product counts.
      logical_axis_rules: Whether the parameters are split over the other devices, too.

    Raises:
      ConfigError: Both numbers are given, or one below 1.
    """

    num_partitions: int | None = None
    model_parallel_submesh: tuple[int, ...] | None = None
    logical_axis_rules: AxisRules = AxisRules(fully_sharded=False)

    def __post_init__(self):
        if self.num_partitions is not None and self.model_parallel_submesh is not None:
            raise ConfigError(
                f"num_partitions is {self.num_partitions} and model_parallel_submesh {self.model_parallel_submesh}; "
                "give one of the two"
            )
        if self._share < 1:
            raise ConfigError(f"{self._share} devices share a layer; give at least 1")

    @property
    def mesh(self) -> MeshConfig:
        """The mesh: all devices, wherever they are."""
        if self.logical_axis_rules.fully_sharded:
            return MeshConfig(data=1, fsdp=-1, model=self._share)
        return MeshConfig(data=-1, model=self._share)

    @property
    def _share(self) -> int:
        if self.num_partitions is not None:
            return self.num_partitions
        return math.prod(self.model_parallel_submesh or (1,))
