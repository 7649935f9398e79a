"""How alike pictures look to a network that sees."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from unified_io import checkpoint
from unified_io.encoders.vit import VitConfig
from unified_io.errors import CheckpointError, ConfigError
from unified_io.modalities.image import ImageInput
from unified_io.preprocess.patches import patchify
from unified_io.tokenizers.objectives import TokenizerObjective
from unified_io.tokenizers.vqgan import VQGAN, VQGANConfig
from unified_io.train import perceptual
from unified_io.train.perceptual import VggFeatures, VitFeatures
from unified_io.train.tokenizer_job import TokenizerJob

IMAGE = ImageInput(
    resolution=16, patch=8, vit=VitConfig(width=8, num_heads=2, num_layers=2, mlp_dim=12, grid=(2, 2))
)
CHANNELS = (4, 4, 6, 6, 8, 8, 8, 10, 10, 10, 10, 10, 10)
LAYERS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)


@pytest.fixture(scope="module")
def vit(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vit") / "params"
    patches, mask = jnp.zeros((1, 4, 192)), jnp.ones((1, 4), bool)
    params = IMAGE.encoder(None).init(jax.random.key(0), patches, mask, jnp.arange(4)[None], (2, 2))["params"]
    checkpoint.save_params(folder, nn.unbox(params))
    return VitFeatures(str(folder), IMAGE)


@pytest.fixture(scope="module")
def vgg(tmp_path_factory):
    """A VGG16 with few channels."""
    rng, tensors, before = np.random.default_rng(0), {}, 3
    for layer, channels in zip(LAYERS, CHANNELS, strict=True):
        kernel = rng.normal(size=(channels, before, 3, 3)) * (2 / (9 * before)) ** 0.5
        tensors[f"features.{layer}.weight"] = kernel.astype(np.float32)
        tensors[f"features.{layer}.bias"] = rng.normal(size=channels).astype(np.float32) * 0.1
        before = channels
    path = tmp_path_factory.mktemp("vgg") / "vgg16.safetensors"
    save_file(tensors, path)
    return VggFeatures(str(path))


@pytest.fixture
def pictures():
    return np.random.default_rng(1).uniform(-1, 1, size=(2, 2, 16, 16, 3)).astype(np.float32)


@pytest.mark.parametrize("features", ["vit", "vgg"])
def test_the_same_looks_the_same_and_nearer_looks_nearer(features, pictures, request):
    apart = request.getfixturevalue(features).load()
    real, other = pictures
    assert float(apart(real, real)) == 0
    distances = [float(apart(real + share * (other - real), real)) for share in (0.1, 0.4, 1.0)]
    assert 0 < distances[0] < distances[1] < distances[2]
    slope = jax.grad(lambda made: apart(made, real))(real + 0.1 * other)
    assert np.isfinite(slope).all() and np.abs(slope).max() > 0
    still = jax.grad(lambda made: apart(made, jnp.zeros_like(real)))(jnp.zeros_like(real))
    assert np.isfinite(still).all()


def test_a_vit_is_shown_pictures_as_a_model_shows_them(vit, pictures):
    real, other = pictures
    params, _ = checkpoint.load_params(vit.params)
    seen = []
    for media in (real, other):
        patches = [patchify(IMAGE.pixels((one + 1) / 2)[0], 8) for one in media]
        places = np.broadcast_to(np.arange(4), (2, 4))
        levels = IMAGE.encoder(None).apply(
            {"params": params}, np.stack(patches), np.ones((2, 4), bool), places, (2, 2)
        )
        seen.append([np.asarray(level, np.float64) for level in levels])
    expected = np.mean(
        [
            np.square(
                a / np.linalg.norm(a, axis=-1, keepdims=True) - b / np.linalg.norm(b, axis=-1, keepdims=True)
            ).sum(-1)
            for a, b in zip(*seen, strict=True)
        ]
    )
    np.testing.assert_allclose(vit.load()(real, other), expected, rtol=1e-4)


def test_a_vgg_sees_what_its_layers_compute(vgg, pictures, monkeypatch):
    """The first two depths, in NumPy and float64."""
    real, other = (media[:, :2, :2] for media in pictures)
    tensors = load_file(vgg.path)
    shift, scale = np.array([-0.030, -0.088, -0.188]), np.array([0.458, 0.448, 0.450])

    def convolved(hidden, layer):
        kernel, bias = tensors[f"features.{layer}.weight"], tensors[f"features.{layer}.bias"]
        padded = np.pad(hidden, ((0, 0), (1, 1), (1, 1), (0, 0)))
        height, width = hidden.shape[1:3]
        out = np.zeros((*hidden.shape[:3], len(bias)))
        for y in range(3):
            for x in range(3):
                out += padded[:, y : y + height, x : x + width] @ kernel[:, :, y, x].T
        return np.maximum(out + bias, 0)

    def first(media):
        hidden = (media - shift) / scale
        for layer in (0, 2):
            hidden = convolved(hidden, layer)
        deep = hidden.max(axis=(1, 2), keepdims=True)
        for layer in (5, 7):
            deep = convolved(deep, layer)
        return hidden, deep

    def unit(features):
        return features / np.sqrt(np.square(features).sum(-1, keepdims=True) + 1e-10)

    expected = np.mean(
        [np.square(unit(a) - unit(b)).sum(-1).mean() for a, b in zip(first(real), first(other), strict=True)]
    )
    monkeypatch.setattr(perceptual, "_GROUPS", ((0, 2), (5, 7)))
    np.testing.assert_allclose(vgg.load()(real, other), expected, rtol=1e-4)


def test_what_is_no_such_network_is_refused(vit, vgg, tmp_path, pictures):
    with pytest.raises(ConfigError, match="patches of 8; give a multiple"):
        vit.load()(pictures[0][:, :12], pictures[1][:, :12])
    with pytest.raises(CheckpointError):
        VitFeatures(str(tmp_path), IMAGE).load()
    with pytest.raises(CheckpointError):
        VggFeatures(str(tmp_path / "none.safetensors")).load()
    save_file(
        {"features.0.weight": np.zeros((4, 1, 3, 3)), "features.0.bias": np.zeros(4)},
        tmp_path / "v.safetensors",
    )
    with pytest.raises(CheckpointError, match=r"wanted \[n, 3, 3, 3\]"):
        VggFeatures(str(tmp_path / "v.safetensors")).load()


def test_a_tokenizer_learns_by_it(vit, pictures, tmp_path):
    config = VQGANConfig(
        channels=8,
        channel_multipliers=(1, 2),
        res_blocks=1,
        attention_resolutions=(),
        resolution=16,
        codebook_size=16,
        groups=4,
    )
    job = TokenizerJob(
        total_steps=2,
        batch_size=2,
        report_period=1,
        objective=TokenizerObjective(perceptual_weight=0.5),
        perceptual=vit,
    )
    job.train(VQGAN(config), pictures[0], tmp_path)
    assert '"perceptual": ' in (tmp_path / f"{tmp_path.name}.jsonl").read_text()
