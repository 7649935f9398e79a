"""BEATs' convolution for positions against PyTorch's with weight norm, under the published names.

The rest of BEATs has no reference in a registry; tests/encoders/test_beats.py restates it.
"""

import jax
import numpy as np
import pytest

from unified_io import pytree
from unified_io.convert.hearing_names import BEATS
from unified_io.encoders.beats import BeatsConfig, ConvolutionalPositions

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("window", [6, 5])
def test_positions_are_those_of_a_convolution_with_weight_norm(window):
    torch.manual_seed(0)
    conv = torch.nn.Conv1d(12, 12, window, padding=window // 2, groups=3)
    conv = torch.nn.utils.weight_norm(conv, dim=2)
    for value in conv.parameters():
        value.data.add_(0.3 * torch.randn_like(value))
    named = {}
    for name, value in conv.state_dict().items():
        ours, layout = BEATS.to_ours(f"encoder.pos_conv.0.{name}")
        named[ours.removeprefix("positions/")] = layout.ours(value.numpy())
    x = np.random.default_rng(0).normal(size=(2, 9, 12)).astype(np.float32)
    with torch.no_grad():
        y = conv(torch.from_numpy(x.swapaxes(1, 2)))[:, :, :9]
        wanted = x + torch.nn.functional.gelu(y).numpy().swapaxes(1, 2)
    config = BeatsConfig(width=12, num_heads=2, position_window=window, position_groups=3)
    ours = jax.jit(ConvolutionalPositions(config).apply)({"params": pytree.nested(named)}, x)
    np.testing.assert_allclose(ours, wanted, atol=1e-5)
