"""Weights from a store into a model, and from any folder into any other: one tensor at a time, nothing half done."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import numpy as np

from unified_io import pytree
from unified_io.checkpoint import RestoreReport, compare
from unified_io.convert.rules import Layout, Table
from unified_io.convert.stores import Store
from unified_io.errors import CheckpointError
from unified_io.model import UnifiedIOConfig, parameter_shapes

_LAYERS = re.compile(r"/layers/")


class Shape(NamedTuple):
    """What comparing names and shapes needs of a tensor."""

    shape: tuple[int, ...]


def shapes_of(config: UnifiedIOConfig) -> dict[str, tuple[int, ...]]:
    """Returns the shape of every parameter of a model by name, layers apart (`encoder/layers_0/…`)."""
    return _shapes(pytree.named_leaves(nn.meta.unbox(parameter_shapes(config))))


def load(
    store: Store,
    table: Table,
    config: UnifiedIOConfig,
    *,
    expect_missing: tuple[str, ...] = (),
    expect_unused: Iterable[str] = (),
    dtype: Callable[[str], Any] = lambda name: np.float32,
    quiet: bool = False,
) -> tuple[dict[str, Any], RestoreReport]:
    """Fills a model's parameters from a store; the largest first, so that memory peaks at the model and one tensor.

    Args:
      store: Where the weights lie.
      table: The store's names beside ours.
      config: The model wanted.
      expect_missing: Patterns of our names that the store may lack; they are left out of what is returned.
      expect_unused: Our names that the store has and the model does not want (modalities that are switched off).
      dtype: Our name -> the dtype to keep it in.
      quiet: Do not print the report.

    Returns:
      The parameter tree, without those that are missing, and the report, which is printed too.

    Raises:
      CheckpointError: A name is missing or left over that was not expected, a shape differs, or a tensor can not be
        read; nothing is loaded then.
    """
    wanted = pytree.named_leaves(nn.meta.unbox(parameter_shapes(config)))
    report, theirs = _match(store, table, _shapes(wanted), expect_missing, frozenset(expect_unused))

    def array(name: str) -> np.ndarray:
        their_name, layout = theirs[name]
        return np.asarray(layout.ours(store.read(their_name)), dtype=dtype(name), order="C")

    params = {}
    for name, leaf in sorted(wanted.items(), key=lambda item: -np.prod(item[1].shape)):
        if _LAYERS.search(name):
            names = [_LAYERS.sub(f"/layers_{i}/", name) for i in range(leaf.shape[0])]
            if names[0] in theirs:
                whole = np.empty(leaf.shape, dtype(name))
                for i, part in enumerate(names):
                    whole[i] = array(part)
                params[name] = jax.device_put(whole)
        elif name in theirs:
            params[name] = jax.device_put(array(name))
    if not quiet:
        print(f"{report}\nfrom {store.where}")
    return pytree.nested({name: params[name] for name in wanted if name in params}), report


def translate(
    store: Store, source: Table, target: Table, config: UnifiedIOConfig
) -> tuple[dict[str, tuple[tuple[int, ...], np.dtype]], Callable[[str], np.ndarray]]:
    """Prepares a conversion from folder to folder: what a writer of `convert.writers` needs.

    Returns:
      Shape and dtype (float32) of every tensor under the target's names, and what reads one of them.

    Raises:
      CheckpointError: The store is not of this model, or the target has no place for a parameter.
    """
    wanted = shapes_of(config)
    report, theirs = _match(store, source, wanted, (), frozenset())
    names: dict[str, tuple[str, Layout]] = {}
    for name in wanted:
        new, layout = target.to_theirs(name)
        names[new] = (name, layout)

    def read(new: str) -> np.ndarray:
        name, layout = names[new]
        their_name, their_layout = theirs[name]
        return np.asarray(layout.theirs(their_layout.ours(store.read(their_name))), np.float32, order="C")

    print(f"{report}\nfrom {store.where}")
    return {
        new: (_their_shape(layout, wanted[name]), np.dtype(np.float32))
        for new, (name, layout) in names.items()
    }, read


def emit(
    params: Any, target: Table
) -> tuple[dict[str, tuple[tuple[int, ...], np.dtype]], Callable[[str], np.ndarray]]:
    """Prepares saving a model's parameters: what a writer of `convert.writers` needs."""
    named = pytree.named_leaves(params)
    places: dict[str, tuple[Any, int | None, Layout]] = {}
    shapes = {}
    for name, leaf, layer in _apart(named):
        new, layout = target.to_theirs(name)
        places[new] = (leaf, layer, layout)
        shapes[new] = (_their_shape(layout, _own_shape(leaf, layer)), np.dtype(leaf.dtype))

    def read(new: str) -> np.ndarray:
        leaf, layer, layout = places[new]
        return np.asarray(layout.theirs(np.asarray(leaf if layer is None else leaf[layer])), order="C")

    return shapes, read


def _match(
    store: Store,
    table: Table,
    wanted: Mapping[str, tuple[int, ...]],
    expect_missing: tuple[str, ...],
    expect_unused: frozenset[str],
) -> tuple[RestoreReport, dict[str, tuple[str, Layout]]]:
    """Compares a store with what is wanted, under the store's names; returns the report and where each of ours lies."""
    stored = store.shapes()
    found: dict[str, tuple[str, Layout]] = {}
    unused = []
    for their_name in stored:
        ours = table.to_ours(their_name)
        if ours is not None and ours[0] in wanted:
            if ours[0] in found:
                raise CheckpointError(
                    f"{store.where} holds {ours[0]} twice: as {found[ours[0]][0]} and {their_name}"
                )
            found[ours[0]] = (their_name, ours[1])
        elif ours is None or ours[0] not in expect_unused:
            unused.append(their_name)
    expected = {}
    for name, shape in wanted.items():
        their_name, layout = found.get(name) or table.to_theirs(name)
        if name in found or not any(re.search(pattern, name) for pattern in expect_missing):
            expected[their_name] = Shape(_their_shape(layout, shape))
    considered = {their: Shape(stored[their]) for their in [*(their for their, _ in found.values()), *unused]}
    compare(store.where, considered, expected)
    left = sorted(set(stored) - set(considered))
    return RestoreReport(
        tuple(found), tuple(name for name in wanted if name not in found), tuple(left)
    ), found


def _their_shape(layout: Layout, shape: tuple[int, ...]) -> tuple[int, ...]:
    # an array of one number seen as many: only its shape is turned around
    return layout.theirs(np.broadcast_to(np.float32(0), shape)).shape


def _shapes(named: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    return {name: _own_shape(leaf, layer) for name, leaf, layer in _apart(named)}


def _own_shape(leaf: Any, layer: int | None) -> tuple[int, ...]:
    return tuple(leaf.shape if layer is None else leaf.shape[1:])


def _apart(named: Mapping[str, Any]) -> Iterable[tuple[str, Any, int | None]]:
    """Yields (name, leaf, layer): a stack of layers once a layer, under that layer's name; else the layer is None."""
    for name, leaf in named.items():
        if _LAYERS.search(name):
            for layer in range(leaf.shape[0]):
                yield _LAYERS.sub(f"/layers_{layer}/", name), leaf, layer
        else:
            yield name, leaf, None
