"""HiFi-GAN's generator with residual blocks of type 2; `config` has its own names, arrays are [C, time]."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from reference.convolution import conv1d, conv1d_transposed
from reference.weights import Trace, Weights

SLOPE, LAST_SLOPE = 0.1, 0.01
# What the model's spectrograms were normalised by: natural logarithms of power, minus a mean, over a deviation.
MEAN, DEVIATION = -5.0945, 3.8312


def folded(w: Weights) -> np.ndarray:
    """The kernel of a weight norm: direction v and length g, one for each index of the first axis."""
    v = w["weight_v"]
    return w["weight_g"] * v / np.sqrt(np.sum(v**2, axis=(1, 2), keepdims=True))


def leaky_relu(x: np.ndarray, slope: float = SLOPE) -> np.ndarray:
    """x where it is positive, a part of it elsewhere."""
    return np.where(x > 0, x, slope * x)


def waveform(w: Weights, config: Mapping[str, Any], spectrogram: np.ndarray, seen: Trace) -> np.ndarray:
    """A normalised spectrogram [mel, T] to sound [T * product of the rates] in (-1, 1)."""
    seen["mel"] = spectrogram.astype(w.dtype) * DEVIATION + MEAN
    x = seen["conv_pre_out"] = _conv(w.under("conv_pre"), seen["mel"])
    kernels = config["resblock_kernel_sizes"]
    for stage, rate in enumerate(config["upsample_rates"]):
        up = w.under(f"ups.{stage}")
        x = conv1d_transposed(leaky_relu(x), folded(up), up["bias"], rate)
        seen[f"ups_{stage}_out"] = x
        branches = []
        for branch in range(len(kernels)):
            block = w.under(f"resblocks.{stage * len(kernels) + branch}")
            y = x
            for i, dilation in enumerate(config["resblock_dilation_sizes"][branch]):
                y = y + _conv(block.under(f"convs.{i}"), leaky_relu(y), dilation)
            seen[f"stage{stage}_branch{branch}_out"] = y
            branches.append(y)
        x = sum(branches) / len(branches)
    seen["conv_post_out"] = _conv(w.under("conv_post"), leaky_relu(x, LAST_SLOPE))
    seen["waveform"] = np.tanh(seen["conv_post_out"])[0]
    return seen["waveform"]


def _conv(w: Weights, x: np.ndarray, dilation: int = 1) -> np.ndarray:
    return conv1d(x, folded(w), w["bias"], dilation)
