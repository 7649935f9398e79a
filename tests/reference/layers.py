"""The smallest parts: linear layers, norms, activations."""

import numpy as np
from scipy.special import erf

from reference.weights import Weights


def dense(x: np.ndarray, w: Weights) -> np.ndarray:
    """`x W^T + b`; W is [out, in], and the bias may be missing."""
    y = x @ w["weight"].T
    return y + w["bias"] if "bias" in w else y


def rms_norm(x: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Divides by the root of the mean square over the last axis."""
    return x / np.sqrt(np.mean(x**2, axis=-1, keepdims=True) + 1e-6) * scale


def layer_norm(x: np.ndarray, w: Weights, epsilon: float) -> np.ndarray:
    """Mean 0 and variance 1 over the last axis, then `weight` (1 where there is none) and `bias`."""
    centred = x - x.mean(axis=-1, keepdims=True)
    y = centred / np.sqrt(np.mean(centred**2, axis=-1, keepdims=True) + epsilon)
    return (y * w["weight"] if "weight" in w else y) + w["bias"]


def unit(x: np.ndarray) -> np.ndarray:
    """Vectors of length 1 along the last axis."""
    return x / np.maximum(np.sqrt(np.sum(x**2, axis=-1, keepdims=True)), 1e-12)


def softmax(x: np.ndarray) -> np.ndarray:
    """Exponentials along the last axis that sum to 1."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def log_softmax(x: np.ndarray) -> np.ndarray:
    """Logarithm of `softmax`."""
    shifted = x - x.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def gelu(x: np.ndarray) -> np.ndarray:
    """x times the normal distribution function of x."""
    return x * 0.5 * (1 + erf(x / np.sqrt(2).astype(x.dtype)))


def gelu_tanh(x: np.ndarray) -> np.ndarray:
    """What came before `erf` was cheap: the distribution function by a tanh."""
    inner = np.sqrt(2 / np.pi).astype(x.dtype) * (x + 0.044715 * x**3)
    return x * 0.5 * (1 + np.tanh(inner))


def relu(x: np.ndarray) -> np.ndarray:
    """x where it is positive."""
    return np.maximum(x, 0)


def silu(x: np.ndarray) -> np.ndarray:
    """x times its sigmoid."""
    return x / (1 + np.exp(-x))
