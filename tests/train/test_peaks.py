"""Devices are known by what JAX calls them."""

import pytest

from unified_io.train.peaks import PEAKS, peak_flops


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("NVIDIA H200", "h200"),
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("NVIDIA A100-SXM4-80GB", "a100-80gb"),
        ("TPU v4", "tpu-v4"),
        ("TPU v5", "tpu-v5p"),
        ("TPU v6 lite", "tpu-v6e"),
    ],
)
def test_a_known_device_has_its_peak(kind, name):
    assert peak_flops(kind, "bfloat16") == (PEAKS[name].flops, f"the vendor's peak of {name}")


@pytest.mark.parametrize(
    ("kind", "dtype", "why"),
    [
        ("NVIDIA H200", "float32", "peaks are those of bfloat16, the step is float32"),
        ("TPU v9", "bfloat16", "no peak is known of a 'TPU v9', only of tpu-v4, "),
        ("TPU v5 lite", "bfloat16", "no peak is known of a 'TPU v5 lite'"),
        ("cpu", "float32", "no peak is known of a 'cpu'"),
    ],
)
def test_where_there_is_no_peak_it_is_said_why(kind, dtype, why):
    peak, said = peak_flops(kind, dtype)
    assert peak is None and said.startswith(why)
