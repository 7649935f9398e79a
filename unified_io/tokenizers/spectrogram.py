"""Log-mel spectrograms in JAX, for losses that need their gradient. What they are is said in `unified_io.mel`."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from unified_io import mel
from unified_io.mel import MelConfig


def magnitudes(sound: Float[Array, "B n"], n_fft: int, hop: int) -> Float[Array, "B frames bins"]:
    """Returns the magnitudes of 1 + n // hop centred frames with reflected ends; never exactly 0.

    Where a frame is silent the gradient of a root would have no bound, so a little is added below it.
    """
    padded = jnp.pad(sound.astype(jnp.float32), ((0, 0), (n_fft // 2, n_fft // 2)), mode="reflect")
    starts = np.arange(1 + sound.shape[1] // hop) * hop
    frames = padded[:, starts[:, None] + np.arange(n_fft)] * mel.window(n_fft)
    spectrum = jnp.fft.rfft(frames, axis=-1)
    return jnp.sqrt(jnp.square(spectrum.real) + jnp.square(spectrum.imag) + 1e-9)


def log_mel(sound: Float[Array, "B n"], config: MelConfig) -> Float[Array, "B frames mels"]:
    """Returns the natural-log mel spectrograms of sounds of any length; silence is the least value, not 0.

    Elsewhere it is `mel.log_mel` of the same samples, up to the little that `magnitudes` adds.
    """
    powers = jnp.square(magnitudes(sound, config.n_fft, config.hop)) @ mel.mel_filters(config)
    return jnp.log(jnp.clip(powers, *mel.POWER_RANGE))


def stft_distance(
    made: Float[Array, "B n"], real: Float[Array, "B n"], sizes: tuple[int, ...] = (512, 1024, 2048)
) -> Float[Array, ""]:
    """Returns the multi-resolution STFT distance: spectral convergence and log-magnitude error, means over the sizes.

    Spectral convergence is of all sounds together: of a silent one alone it has no bound.

    Args:
      made: Sounds.
      real: As many, as long, each longer than half of the largest size.
      sizes: Samples of a frame; a frame begins every quarter of it.

    Source: Yamamoto et al. 2020 (Parallel WaveGAN), equations 3 to 6.
    """
    total = jnp.float32(0.0)
    for size in sizes:
        a, b = magnitudes(made, size, size // 4), magnitudes(real, size, size // 4)
        off = jnp.sqrt(jnp.sum(jnp.square(a - b)) / jnp.sum(jnp.square(b)))
        total = total + off + jnp.mean(jnp.abs(jnp.log(a) - jnp.log(b)))
    return total / len(sizes)
