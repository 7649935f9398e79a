"""EVA-CLIP's ViT against the vision model of BLIP-2 and InstructBLIP, its weights through a folder on disk."""

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from unified_io.convert import vision
from unified_io.encoders.clip import ClipVit

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

SETTINGS = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 3, "num_attention_heads": 2}
SETTINGS |= {"image_size": 12, "patch_size": 4}


def scrambled(model):
    """The model with every parameter drawn anew, the bias that its keys should not have too."""
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            torch.nn.init.normal_(parameter, mean=float("norm" in name and "weight" in name), std=0.3)
    return model.eval()


def images(side=12):
    return np.random.default_rng(0).normal(size=(2, side, side, 3)).astype(np.float32)


def theirs(model, pixels, **arguments):
    with torch.no_grad():
        return model(torch.from_numpy(pixels).permute(0, 3, 1, 2), **arguments)


def tokens(config, params, pixels):
    return jax.jit(ClipVit(config).apply)({"params": params}, pixels).tokens


@pytest.fixture(scope="module")
def eva(tmp_path_factory):
    model = scrambled(transformers.InstructBlipVisionModel(transformers.InstructBlipVisionConfig(**SETTINGS)))
    folder = tmp_path_factory.mktemp("eva")
    model.save_pretrained(folder)
    return model, folder


def test_behind_the_final_norm(eva):
    model, folder = eva
    wanted = theirs(model, images()).last_hidden_state
    config, params = vision.load(folder, final_norm=True)
    np.testing.assert_allclose(tokens(config, params, images()), wanted.numpy(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("layer", [-1, -2])
def test_without_the_final_norm_as_it_is_read(eva, layer):
    model, folder = eva
    wanted = theirs(model, images(), output_hidden_states=True).hidden_states[layer]
    config, params = vision.load(folder, layer=layer)
    assert "norm" not in params and "bias" not in params["blocks_0"]["attention"]["key"]
    np.testing.assert_allclose(tokens(config, params, images()), wanted.numpy(), atol=1e-5, rtol=1e-5)


def test_a_larger_image(eva):
    model, folder = eva
    wanted = theirs(model, images(28), interpolate_pos_encoding=True).last_hidden_state
    config, params = vision.load(folder, final_norm=True)
    np.testing.assert_allclose(tokens(config, params, images(28)), wanted.numpy(), atol=1e-5, rtol=1e-5)


def test_without_biases_of_attention(tmp_path):
    model = scrambled(
        transformers.Blip2VisionModel(transformers.Blip2VisionConfig(**SETTINGS, qkv_bias=False))
    )
    model.save_pretrained(tmp_path)
    config, params = vision.load(tmp_path, final_norm=True)
    wanted = theirs(model, images()).last_hidden_state
    np.testing.assert_allclose(tokens(config, params, images()), wanted.numpy(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("prefix", ["", "visual_encoder."])
def test_the_names_of_the_released_file(eva, tmp_path, prefix):
    """The file of EVA-CLIP has a block, a norm and a head more than are read, and the two biases apart."""
    folder, names = eva[1], {"embeddings.class_embedding": "cls_token", "layer_norm1": "norm1"}
    names |= {"embeddings.position_embedding": "pos_embed", "embeddings.patch_embedding": "patch_embed.proj"}
    names |= {"encoder.layers": "blocks", "layer_norm2": "norm2", "self_attn.projection": "attn.proj"}
    names |= {"self_attn.qkv": "attn.qkv", "post_layernorm": "norm"}
    released = {}
    for name, array in load_file(folder / "model.safetensors").items():
        for old, new in names.items():
            name = name.replace(old, new)
        if name.endswith("qkv.bias"):
            q, _, v = np.split(array, 3)
            stem = name.removesuffix("qkv.bias")
            released |= {f"{prefix}{stem}q_bias": q, f"{prefix}{stem}v_bias": v}
        else:
            released[prefix + name] = array
    for name in [name for name in released if "blocks.2." in name]:
        released[name.replace("blocks.2.", "blocks.3.")] = released[name] + 1
    released[f"{prefix}head.weight"] = np.ones((2, 16), np.float32)
    save_file({name: np.ascontiguousarray(a) for name, a in released.items()}, tmp_path / "eva.safetensors")
    config, params = vision.load(folder)
    found = vision.load_eva(tmp_path / "eva.safetensors", config)
    assert jax.tree.structure(found) == jax.tree.structure(params)
    jax.tree.map(np.testing.assert_array_equal, found, params)
