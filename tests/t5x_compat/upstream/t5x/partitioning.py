"""A mesh of all devices, rules from logical axes to it, and functions that are compiled for it."""

import warnings

import flax.linen.partitioning as flax_partitioning
import jax
import numpy as np
from flax import traverse_util
from jax.sharding import Mesh, PartitionSpec

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from jax.experimental.pjit import pjit  # what T5X compiles with

_STANDARD = [("batch", "data"), ("vocab", "model"), ("embed", None), ("mlp", "model"), ("heads", "model")]
_STANDARD += [("kv", None), ("joined_kv", "model"), ("relpos_buckets", None), ("abspos_buckets", None)]
_STANDARD += [("length", None), ("layers", None), ("stack", None), ("mlp_activations", None)]


def standard_logical_axis_rules(
    activation_partitioning_dims=1, parameter_partitioning_dims=1, additional_rules=None
):
    assert activation_partitioning_dims == parameter_partitioning_dims == 1
    rules = list(_STANDARD)
    if additional_rules:
        rules.extend(additional_rules)
    return rules


class PjitPartitioner:
    def __init__(
        self,
        num_partitions=None,
        model_parallel_submesh=None,
        params_on_devices=True,
        backend=None,
        logical_axis_rules=None,
    ):
        if not num_partitions and not model_parallel_submesh:
            raise ValueError("one of num_partitions and model_parallel_submesh must be set")
        # As on a CPU, where the number of partitions is not looked at.
        devices = np.array(jax.devices()).reshape(jax.process_count(), jax.local_device_count())
        self.mesh = Mesh(devices, ["data", "model"])
        self.rules = tuple(logical_axis_rules or standard_logical_axis_rules())
        (data_axis,) = flax_partitioning.logical_to_mesh_axes(["batch"], self.rules)
        self.data_partition_spec = PartitionSpec(data_axis)

    def get_logical_axes(self, train_state):
        return train_state.as_logical_axes()

    def get_mesh_axes(self, train_state):
        logical = self.get_logical_axes(train_state)

        def on_mesh(names):
            if names is None or names is traverse_util.empty_node:
                return names
            return flax_partitioning.logical_to_mesh_axes(names, self.rules)

        flat = traverse_util.flatten_dict(logical.state_dict(), keep_empty_nodes=True, sep="/")
        places = {name: on_mesh(names) for name, names in flat.items()}
        return logical.restore_state(traverse_util.unflatten_dict(places, sep="/"))

    def partition(self, function, in_axis_resources, out_axis_resources, donate_argnums=()):
        compiled = pjit(
            function,
            in_shardings=in_axis_resources,
            out_shardings=out_axis_resources,
            donate_argnums=donate_argnums,
        )

        def called(*args):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # of the mesh as a context
                with Mesh(self.mesh.devices, self.mesh.axis_names), flax_partitioning.axis_rules(self.rules):
                    return compiled(*args)

        return called
