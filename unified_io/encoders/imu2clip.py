"""IMU2CLIP: five seconds of acceleration and rotation to a vector in CLIP's space of texts."""

from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from unified_io import errors
from unified_io.encoders.base import Features
from unified_io.encoders.convolution import Convolution
from unified_io.nn.parameter import parameter

_EPSILON = 1e-5
_DILATION, _POOL = 2, 3


@dataclass(frozen=True, kw_only=True)
class Imu2ClipConfig:
    """The "mw2" stack of IMU2CLIP. The defaults are the released one.

    Attributes:
      channels: Numbers a step, in two groups that are normalised apart: acceleration and rotation.
      kernels: Window of each convolution.
      width: Channels of the convolutions, and the steps that must be left after them.
      output_dim: Numbers of the vector.
      dtype: Compute dtype.
    """

    channels: int = 6
    kernels: tuple[int, ...] = (10, 5, 5)
    width: int = 32
    output_dim: int = 512
    dtype: str = "float32"

    def __post_init__(self):
        object.__setattr__(self, "kernels", tuple(self.kernels))  # gin hands lists over
        if self.channels % 2 or self.width % 4:
            raise errors.ConfigError(
                f"channels {self.channels} must be a multiple of 2 and width {self.width} of 4: groups of the norms"
            )

    def steps_left(self, steps: int) -> int:
        """Returns how many steps the convolutions leave: 32 of 1000, at the defaults."""
        for kernel in self.kernels:
            steps = max(steps - _DILATION * (kernel - 1), 0) // _POOL
        return steps


class GroupNorm(nn.Module):
    """Normalises groups of channels, each over all its steps; then scales and shifts every channel."""

    groups: int

    @nn.compact
    def __call__(self, x: Float[Array, "B T C"]) -> Float[Array, "B T C"]:
        scale = parameter(self, "scale", nn.initializers.ones, x.shape[-1:], ("embed",))
        bias = parameter(self, "bias", nn.initializers.zeros, x.shape[-1:], ("embed",))
        parts = x.astype(jnp.float32).reshape(*x.shape[:2], self.groups, -1)
        mean = parts.mean(axis=(1, 3), keepdims=True)
        variance = jnp.square(parts - mean).mean(axis=(1, 3), keepdims=True)
        unit = (parts - mean) * jax.lax.rsqrt(variance + _EPSILON)
        return (unit.reshape(x.shape) * scale + bias).astype(x.dtype)


class Gru(nn.Module):
    """A gated recurrent unit that starts at zero: returns its state after every step.

    The three parts of a matrix are the gates that forget, those that renew, and what is new.

    Source: Cho et al. 2014, with the reset gate after the product, as in cuDNN and PyTorch.
    """

    width: int
    dtype: str

    @nn.compact
    def __call__(self, x: Float[Array, "B S C"]) -> Float[Array, "B S D"]:
        init = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")
        shapes = {"input": x.shape[-1], "state": self.width}
        kernels = {
            name: parameter(self, f"{name}_kernel", init, (rows, 3 * self.width), ("embed", "mlp"))
            for name, rows in shapes.items()
        }
        biases = {
            name: parameter(self, f"{name}_bias", nn.initializers.zeros, (3 * self.width,), ("mlp",))
            for name in shapes
        }
        weights = jax.tree.map(lambda leaf: leaf.astype(self.dtype), (kernels, biases))
        kernels, biases = weights

        def step(state, inward):
            reset, update, new = jnp.split(inward, 3, axis=-1)
            own_reset, own_update, own_new = jnp.split(state @ kernels["state"] + biases["state"], 3, axis=-1)
            update = jax.nn.sigmoid(update + own_update)
            new = jnp.tanh(new + jax.nn.sigmoid(reset + own_reset) * own_new)
            state = (1.0 - update) * new + update * state
            return state, state

        inward = x.astype(self.dtype) @ kernels["input"] + biases["input"]
        start = jnp.zeros((x.shape[0], self.width), inward.dtype)
        _, states = jax.lax.scan(step, start, inward.swapaxes(0, 1))
        return states.swapaxes(0, 1)


class Imu2Clip(nn.Module):
    """Motion to a vector, and to what the recurrent unit holds on its way there.

    As in the released code the recurrent unit walks over the *channels* of the convolutions, with their steps as
    features: so their number of steps must be their width, which only windows of 1000 steps give.

    Source: Moon et al. 2022 (IMU2CLIP).
    """

    config: Imu2ClipConfig = Imu2ClipConfig()

    @nn.compact
    def __call__(self, motion: Float[Array, "B T C"]) -> Features:
        """Encodes windows as `preprocess.imu_ops.windows` cuts them.

        Raises:
          ConfigError: A window has other channels than the config, or a length that the unit can not read.
        """
        config = self.config
        _, steps, channels = motion.shape
        left = config.steps_left(steps)
        if channels != config.channels or left != config.width:
            raise errors.ConfigError(
                f"motion of {steps} steps and {channels} channels leaves {left} steps, wanted {config.channels} "
                f"channels and {config.width} steps; cut windows of 5 s at 200 Hz with preprocess.imu_ops"
            )
        x = GroupNorm(2, name="motion_norm")(motion.astype(config.dtype))
        for i, kernel in enumerate(config.kernels):
            conv = Convolution(
                config.width, (kernel,), dilation=_DILATION, dtype=config.dtype, name=f"conv_{i}"
            )
            x = nn.max_pool(conv(x), (_POOL,), (_POOL,))
        x = GroupNorm(4, name="norm")(x)
        states = Gru(config.output_dim, config.dtype, name="gru")(x.swapaxes(1, 2))
        return Features(states, jnp.ones(states.shape[:2], bool), states[:, -1])
