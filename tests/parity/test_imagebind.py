"""ImageBind's trunks against the same built of PyTorch's own layers, with the published names."""

import jax
import numpy as np
import pytest

from unified_io.convert import hearing
from unified_io.encoders.imagebind import (
    ImageBindAudio,
    ImageBindAudioConfig,
    ImageBindImu,
    ImageBindImuConfig,
    ImageBindVision,
    ImageBindVisionConfig,
)
from unified_io.errors import CheckpointError

torch = pytest.importorskip("torch")

WIDTH, HEADS, LAYERS, OUT = 12, 2, 2, 6
TRUNK = {"width": WIDTH, "num_heads": HEADS, "num_layers": LAYERS, "output_dim": OUT}
CONFIGS = {
    "vision": ImageBindVisionConfig(**TRUNK, side=12, patch=4),
    "audio": ImageBindAudioConfig(**TRUNK, frames=26, mels=16, patch=6, stride=5),
    "imu": ImageBindImuConfig(**TRUNK, steps=12, patch=3),
}
MODULES = {"vision": ImageBindVision, "audio": ImageBindAudio, "imu": ImageBindImu}
SHAPES = {"vision": (2, 12, 12, 3), "audio": (2, 26, 16), "imu": (2, 12, 6)}
PATCHES = {"vision": 9, "audio": 3 * 5, "imu": 4}
SCALES = {"vision": 1.0, "audio": 20.0, "imu": 5.0}


def stem_of(trunk):
    if trunk == "vision":
        return torch.nn.Conv3d(3, WIDTH, (2, 4, 4), stride=(2, 4, 4), bias=False)
    if trunk == "audio":
        return torch.nn.Conv2d(1, WIDTH, 6, stride=5, bias=False)
    return torch.nn.Linear(18, WIDTH, bias=False)


def patches_of(trunk, x, stem):
    if trunk == "vision":
        return stem(x.permute(0, 3, 1, 2)[:, :, None].repeat(1, 1, 2, 1, 1)).flatten(2).transpose(1, 2)
    if trunk == "audio":
        return stem(x.transpose(1, 2)[:, None]).flatten(2).transpose(1, 2)
    # 4 patches of 3 steps; channel by channel
    return stem(x.reshape(2, 4, 3, 6).transpose(2, 3).reshape(2, 4, 18))


class Reference(torch.nn.Module):
    def __init__(self, trunk):
        super().__init__()
        self.trunk, plain = trunk, trunk == "vision"
        self.stem, self.stem_norm = stem_of(trunk), None if plain else torch.nn.LayerNorm(WIDTH)
        self.cls_token = torch.nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.pos_embed = torch.nn.Parameter(torch.zeros(1, 1 + PATCHES[trunk], WIDTH))
        self.first = torch.nn.LayerNorm(WIDTH, eps=1e-6) if plain else None
        self.blocks = torch.nn.ModuleList()
        for _ in range(LAYERS):
            block = torch.nn.Module()
            block.attn = torch.nn.MultiheadAttention(WIDTH, HEADS, add_bias_kv=not plain)
            block.norm_1, block.norm_2 = (torch.nn.LayerNorm(WIDTH, eps=1e-6) for _ in range(2))
            block.mlp = torch.nn.Module()
            block.mlp.fc1 = torch.nn.Linear(WIDTH, 4 * WIDTH)
            block.mlp.fc2 = torch.nn.Linear(4 * WIDTH, WIDTH)
            self.blocks.append(block)
        self.norm = torch.nn.LayerNorm(WIDTH, eps=1e-6)
        self.head = torch.nn.Linear(WIDTH, OUT, bias=False)

    def forward(self, x):
        x = patches_of(self.trunk, x, self.stem)
        x = x if self.stem_norm is None else self.stem_norm(x)
        x = torch.cat([self.cls_token.expand(2, 1, WIDTH), x], dim=1) + self.pos_embed
        x = x if self.first is None else self.first(x)
        for block in self.blocks:
            y = block.norm_1(x).transpose(0, 1)
            x = x + block.attn(y, y, y, need_weights=False)[0].transpose(0, 1)
            x = x + block.mlp.fc2(torch.nn.functional.gelu(block.mlp.fc1(block.norm_2(x))))
        x = self.norm(x)
        pooled = torch.nn.functional.normalize(self.head(x[:, 0]), dim=-1)
        return x[:, 1:], SCALES[self.trunk] * pooled

    def published(self):
        """The state under the names of the published checkpoint."""
        trunk = self.trunk
        front = f"modality_preprocessors.{trunk}"
        stem = f"{front}.{'imu' if trunk == 'imu' else 'rgbt'}_stem"
        names = {
            "stem.": f"{stem}.proj.1." if trunk == "vision" else f"{stem}.proj.",
            "stem_norm.": f"{stem}.norm_layer.",
            "cls_token": f"{front}.cls_token",
            "pos_embed": f"{front}.{'' if trunk == 'imu' else 'pos_embedding_helper.'}pos_embed",
            "first.": f"modality_trunks.{trunk}.pre_transformer_layer.0.",
            "blocks.": f"modality_trunks.{trunk}.blocks.",
            "norm.": f"modality_heads.{trunk}.0.",
            "head.": f"modality_heads.{trunk}.{3 if trunk == 'imu' else 2}.",
        }
        state = {}
        for name, value in self.state_dict().items():
            mine = next(key for key in names if name.startswith(key))
            state[names[mine] + name.removeprefix(mine)] = value.numpy()
        if trunk != "vision":
            state[f"modality_postprocessors.{trunk}.1.log_logit_scale"] = np.log(np.float32(SCALES[trunk]))
        return {name: np.ascontiguousarray(value) for name, value in state.items()}


@pytest.mark.parametrize("trunk", ["vision", "audio", "imu"])
def test_tokens_and_the_vector_are_those_of_pytorch(trunk, tmp_path):
    from safetensors.numpy import save_file

    torch.manual_seed(0)
    reference = Reference(trunk).eval()
    for value in reference.parameters():
        value.data.add_(0.3 * torch.randn_like(value))
    beside = {"modality_heads.text.proj.1.weight": np.ones((2, 2), np.float32)}
    save_file(reference.published() | beside, tmp_path / "imagebind.safetensors")
    x = np.random.default_rng(0).normal(size=SHAPES[trunk]).astype(np.float32)
    with torch.no_grad():
        tokens, pooled = (y.numpy() for y in reference(torch.from_numpy(x)))
    params = hearing.load_imagebind(tmp_path / "imagebind.safetensors", trunk, CONFIGS[trunk])
    ours = jax.jit(MODULES[trunk](CONFIGS[trunk]).apply)({"params": params}, x)
    np.testing.assert_allclose(ours.tokens, tokens, atol=1e-5)
    np.testing.assert_allclose(ours.pooled, pooled, atol=1e-5 * SCALES[trunk])


def test_a_vector_of_another_length_is_an_error(tmp_path):
    from safetensors.numpy import save_file

    save_file(Reference("audio").published(), tmp_path / "imagebind.safetensors")
    config = ImageBindAudioConfig(**TRUNK, frames=26, mels=16, patch=6, stride=5, scale=10.0)
    with pytest.raises(CheckpointError, match="20 long but the config says 10"):
        hearing.load_imagebind(tmp_path, "audio", config)
