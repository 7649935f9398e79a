"""Convolutions in PyTorch's layouts, straight from their definitions."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

Padding = tuple[int, int]


def conv2d(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride: int = 1, padding: Padding = (0, 0)
) -> np.ndarray:
    """x [B, C, h, w] with a weight [E, C, kh, kw]; `padding` zeros before and after, along both sides."""
    x = np.pad(x, ((0, 0), (0, 0), padding, padding))
    windows = sliding_window_view(x, weight.shape[2:], axis=(2, 3))[:, :, ::stride, ::stride]
    return np.einsum("bchwij,ecij->behw", windows, weight, optimize=True) + bias[:, None, None]


def conv1d(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, dilation: int = 1) -> np.ndarray:
    """x [C, t] with a weight [E, C, k] whose taps are `dilation` apart; as long afterwards as before."""
    taps = weight.shape[2]
    x = np.pad(x, ((0, 0), (dilation * (taps - 1) // 2,) * 2))
    windows = sliding_window_view(x, dilation * (taps - 1) + 1, axis=1)[:, :, ::dilation]
    return np.einsum("cti,eci->et", windows, weight, optimize=True) + bias[:, None]


def conv1d_transposed(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride: int) -> np.ndarray:
    """x [C, t] with a weight [C, E, k]: every input adds its kernel where it stands, `stride` apart.

    (k - stride) // 2 places at both ends are cut off.
    """
    taps, length = weight.shape[2], x.shape[1]
    out = np.zeros((weight.shape[1], (length - 1) * stride + taps), x.dtype)
    for t in range(length):
        out[:, t * stride : t * stride + taps] += np.einsum("c,cek->ek", x[:, t], weight)
    cut = (taps - stride) // 2
    return out[:, cut : out.shape[1] - cut] + bias[:, None]
