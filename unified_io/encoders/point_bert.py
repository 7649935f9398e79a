"""PointBERT: points grouped around far apart centres, a token a group, a transformer over groups, one vector."""

from dataclasses import dataclass
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from unified_io import errors
from unified_io.encoders.base import Features
from unified_io.encoders.blocks import BlocksConfig, learned, run_blocks
from unified_io.nn.dense import Dense
from unified_io.nn.norm import BatchNorm, LayerNorm

_HIDDEN = 128  # units of the first layer over a point and over a centre


@dataclass(frozen=True, kw_only=True)
class PointBertConfig(BlocksConfig):
    """A PointBERT. The defaults are ULIP-2's for 8,192 points; its larger one has 18 layers and projection_dim 1280.

    Attributes:
      num_groups: Centres, and so tokens beside the class token.
      group_size: Points nearest to a centre, itself among them.
      group_dim: Numbers that describe a group before they are projected to `width`.
      projection_dim: Numbers of the pooled vector.
    """

    width: int = 384
    num_heads: int = 6
    num_layers: int = 12
    mlp_dim: int = 1536
    epsilon: float = 1e-5
    qkv_bias: str = "none"
    num_groups: int = 512
    group_size: int = 32
    group_dim: int = 256
    projection_dim: int = 512


def farthest_points(
    points: Float[Array, "N 3"], count: int, start: Int[Array, ""] | int = 0
) -> Int[Array, " count"]:
    """Chooses points one by one, each the farthest from those chosen; returns their indices, `start` first."""

    def choose(i: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        chosen, distances = carry
        distances = jnp.minimum(distances, jnp.sum(jnp.square(points - points[chosen[i - 1]]), axis=-1))
        return chosen.at[i].set(jnp.argmax(distances).astype(chosen.dtype)), distances

    chosen = jnp.zeros(count, jnp.int32).at[0].set(start)
    distances = jnp.full(len(points), jnp.inf, points.dtype)
    return jax.lax.fori_loop(1, count, choose, (chosen, distances))[0]


def nearest_points(
    points: Float[Array, "N 3"], centres: Float[Array, "G 3"], count: int
) -> Int[Array, "G count"]:
    """Returns the indices of the `count` points nearest to each centre, the nearest first."""
    # An axis at a time: the shorter |p|^2 + |c|^2 - 2 p c loses the last digits, by which neighbours differ.
    squares = sum(jnp.square(centres[:, None, axis] - points[None, :, axis]) for axis in range(3))
    return jax.lax.top_k(-squares, count)[1]


class GroupEncoder(nn.Module):
    """Points of a group to one vector, whatever their order: two small networks a point, a maximum after each.

    The second sees, beside each point, what the first found in the whole group.
    """

    config: PointBertConfig

    @nn.compact
    def __call__(self, groups: Float[Array, "B G N 3"]) -> Float[Array, "B G E"]:
        dense = partial(Dense, use_bias=True, dtype=self.config.dtype)
        x = dense(_HIDDEN, ("image_patch", "mlp"), name="first_in")(groups)
        x = jax.nn.relu(BatchNorm(name="first_norm")(x))
        x = dense(2 * _HIDDEN, ("mlp", "embed"), name="first_out")(x)
        whole = jnp.broadcast_to(x.max(axis=2, keepdims=True), x.shape)
        x = jnp.concatenate([whole, x], axis=-1)
        x = dense(4 * _HIDDEN, ("embed", "mlp"), name="second_in")(x)
        x = jax.nn.relu(BatchNorm(name="second_norm")(x))
        return dense(self.config.group_dim, ("mlp", "embed"), name="second_out")(x).max(axis=2)


class PointBert(nn.Module):
    """A cloud of points to a token a group, and one vector that ULIP-2 aligned with images and text.

    Source: ULIP-2 (Xue et al. 2024) as X-InstructBLIP uses it, which reads the pooled vector only. There the first
    centre is drawn at random; here it is the first point unless told, so that a cloud has one answer.
    """

    config: PointBertConfig = PointBertConfig()

    @nn.compact
    def __call__(self, points: Float[Array, "B N 3"], start: Int[Array, " B"] | None = None) -> Features:
        """Encodes clouds.

        Args:
          points: Centred and scaled to the unit sphere, see `preprocess.point_ops`.
          start: Index of the first centre of each cloud; None for the first point.

        Returns:
          The class token and the groups behind the final norm, all real; pooled is the class token beside the maximum
          over the groups, projected.

        Raises:
          ConfigError: There are fewer points than groups, or than points of a group.
        """
        config = self.config
        least = max(config.num_groups, config.group_size)
        if points.shape[1] < least:
            raise errors.ConfigError(
                f"cloud of {points.shape[1]} points, but {config.num_groups} groups of {config.group_size} need "
                f"{least}; sample more with point_ops.sample, or make groups fewer"
            )
        groups, centres = self._grouped(points, start)
        dense = partial(Dense, use_bias=True, dtype=config.dtype)
        x = dense(config.width, ("embed", "joined_kv"), name="group")(
            GroupEncoder(config, name="groups")(groups)
        )
        hidden = dense(_HIDDEN, ("image_patch", "mlp"), name="position_in")(centres)
        positions = dense(config.width, ("mlp", "embed"), name="position_out")(
            jax.nn.gelu(hidden, approximate=False)
        )
        x = self._behind_class("class_token", x)
        positions = self._behind_class("class_position", positions)
        x = run_blocks(config, x, config.num_layers, positions)[-1]
        x = LayerNorm(config.epsilon, dtype=config.dtype, name="norm")(x)
        pooled = jnp.concatenate([x[:, 0], x[:, 1:].max(axis=1)], axis=-1)
        pooled = Dense(config.projection_dim, ("embed", "joined_kv"), dtype=config.dtype, name="projection")(
            pooled
        )
        return Features(x, jnp.ones(x.shape[:2], bool), pooled)

    def _grouped(
        self, points: Float[Array, "B N 3"], start: Int[Array, " B"] | None
    ) -> tuple[Float[Array, "B G K 3"], Float[Array, "B G 3"]]:
        """Points of each group, from its centre, and the centres."""
        config = self.config

        def group(cloud: Float[Array, "N 3"], first: Int[Array, ""]) -> tuple[Array, Array]:
            centres = cloud[farthest_points(cloud, config.num_groups, first)]
            nearest = nearest_points(cloud, centres, config.group_size)
            return cloud[nearest] - centres[:, None], centres

        return jax.vmap(group)(points, jnp.zeros(len(points), jnp.int32) if start is None else start)

    def _behind_class(self, name: str, x: Float[Array, "B G W"]) -> Float[Array, "B 1+G W"]:
        first = learned(self, name, self.config.width).astype(x.dtype)
        return jnp.concatenate([jnp.broadcast_to(first, (x.shape[0], 1, *first.shape)), x], axis=1)
