"""What devices can do at the very most, as their vendors state it, and what part of it is used."""

import re
from typing import NamedTuple


class Peak(NamedTuple):
    """Limits of one device.

    Attributes:
      flops: Products of bfloat16 matrices without sparsity, FLOP/s.
      bandwidth: Of its memory, bytes/s.
      memory: Bytes.
    """

    flops: float
    bandwidth: float
    memory: int


PEAKS = {
    "tpu-v4": Peak(275e12, 1.2e12, 32 * 2**30),
    "tpu-v5p": Peak(459e12, 2.77e12, 95 * 2**30),
    "tpu-v6e": Peak(918e12, 1.6e12, 32 * 2**30),
    "a100-80gb": Peak(312e12, 2.0e12, 80 * 2**30),
    "h100": Peak(989e12, 3.35e12, 80 * 2**30),
    "h200": Peak(989e12, 4.8e12, 141 * 10**9),
}
# What JAX calls them.
_KINDS = {
    "tpu-v4": r"^TPU v4$",
    "tpu-v5p": r"^TPU v5p?$",
    "tpu-v6e": r"^TPU v6( lite|e)$",
    "a100-80gb": r"\bA100\b",
    "h100": r"\bH100\b",
    "h200": r"\bH200\b",
}


def peak_flops(device_kind: str, dtype: str) -> tuple[float | None, str]:
    """Returns the peak of a device in FLOP/s and where it comes from; or None and why it is not known.

    A processor has no peak here: what can be measured of one depends on who else uses it.

    Args:
      device_kind: What JAX calls the device.
      dtype: In which a model computes.
    """
    name = next((name for name, pattern in _KINDS.items() if re.search(pattern, device_kind)), None)
    if name is None:
        return None, f"no peak is known of a {device_kind!r}, only of {', '.join(PEAKS)}"
    if dtype != "bfloat16":
        return None, f"peaks are those of bfloat16, the step is {dtype}"
    return PEAKS[name].flops, f"the vendor's peak of {name}"
