"""IMU2CLIP against the same stack of PyTorch's own layers, with the published names."""

import jax
import numpy as np
import pytest

from unified_io.convert import hearing
from unified_io.encoders.imu2clip import Imu2Clip, Imu2ClipConfig

torch = pytest.importorskip("torch")


def block(channels, width, kernel):
    conv = torch.nn.Conv1d(channels, width, kernel, dilation=2, bias=False)
    wrapped = torch.nn.Module()
    wrapped.net = torch.nn.Sequential(conv, torch.nn.MaxPool1d(3))
    wrapped.forward = wrapped.net.forward
    return wrapped


@pytest.mark.parametrize(
    ("config", "steps"),
    [(Imu2ClipConfig(width=8, output_dim=5, kernels=(4, 3, 2)), 261), (Imu2ClipConfig(), 1000)],
)
def test_states_and_the_vector_are_those_of_pytorch(config, steps, tmp_path):
    from safetensors.numpy import save_file

    torch.manual_seed(0)
    width, (first, second, third) = config.width, config.kernels
    assert config.steps_left(steps) == width
    layers = torch.nn.Sequential(
        torch.nn.GroupNorm(2, 6),
        block(6, width, first),
        block(width, width, second),
        block(width, width, third),
        torch.nn.GroupNorm(4, width),
        torch.nn.GRU(width, config.output_dim, batch_first=True),
    )
    for value in layers.parameters():
        value.data.add_(0.03 * torch.randn_like(value))
    state = {f"imu_encoder.net.{name}": value.numpy() for name, value in layers.state_dict().items()}
    save_file(state, tmp_path / "imu.safetensors")
    motion = np.random.default_rng(0).normal(2.0, 3.0, (2, steps, 6)).astype(np.float32)
    with torch.no_grad():
        states, last = layers(torch.from_numpy(motion.swapaxes(1, 2).copy()))
    params = hearing.load_imu2clip(tmp_path, config, steps=steps, prefix="imu_encoder.")
    ours = jax.jit(Imu2Clip(config).apply)({"params": params}, motion)
    np.testing.assert_allclose(ours.tokens, states.numpy(), atol=1e-5)
    np.testing.assert_allclose(ours.pooled, last[0].numpy(), atol=1e-5)
