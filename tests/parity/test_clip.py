"""CLIP's ViT against transformers, its weights through a folder on disk."""

import jax
import numpy as np
import pytest

from unified_io.convert import vision
from unified_io.encoders.clip import ClipVit

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

SIZES = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 3, "num_attention_heads": 2}
SETTINGS = {**SIZES, "image_size": 12, "patch_size": 4}


def scrambled(model, seed=0):
    """The model with every parameter drawn anew, biases and norms too: no name may stand for another."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            torch.nn.init.normal_(parameter, mean=float("norm" in name and "weight" in name), std=0.3)
    return model.eval()


def images(height=12, width=12):
    return np.random.default_rng(0).normal(size=(2, height, width, 3)).astype(np.float32)


def theirs(model, pixels, **arguments):
    with torch.no_grad():
        return model(torch.from_numpy(pixels).permute(0, 3, 1, 2), **arguments)


def ours(folder, pixels, **features):
    config, params = vision.load(folder, **features)
    return jax.jit(ClipVit(config).apply)({"params": params}, pixels)


@pytest.fixture(scope="module", params=["quick_gelu", "gelu"])
def clip(request, tmp_path_factory):
    settings = transformers.CLIPVisionConfig(**SETTINGS, hidden_act=request.param)
    model = scrambled(transformers.CLIPVisionModel(settings))
    folder = tmp_path_factory.mktemp(request.param)
    model.save_pretrained(folder)
    return model, folder


@pytest.mark.parametrize("layer", [-1, -2, 0])
def test_hidden_states_with_the_class_token(clip, layer):
    model, folder = clip
    wanted = theirs(model, images(), output_hidden_states=True).hidden_states[layer]
    found = ours(folder, images(), layer=layer)
    np.testing.assert_allclose(found.tokens, wanted.numpy(), atol=1e-5, rtol=1e-5)
    assert found.pooled is None and found.mask.shape == found.tokens.shape[:2] and found.mask.all()


def test_pooled_beside_patches_of_an_earlier_layer(clip):
    model, folder = clip
    output = theirs(model, images(), output_hidden_states=True)
    found = ours(folder, images(), layer=-2, keep_class=False, pooled=True)
    np.testing.assert_allclose(found.tokens, output.hidden_states[-2][:, 1:].numpy(), atol=1e-5, rtol=1e-5)
    np.testing.assert_allclose(found.pooled, output.pooler_output.numpy(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("size", [(20, 20), (8, 24)])
def test_another_resolution(clip, size):
    model, folder = clip
    wanted = theirs(model, images(*size), interpolate_pos_encoding=True).last_hidden_state
    found = ours(folder, images(*size))
    np.testing.assert_allclose(found.tokens, wanted.numpy(), atol=1e-5, rtol=1e-5)


def test_an_image_beside_others_is_what_it_is_alone(clip):
    folder = clip[1]
    np.testing.assert_allclose(
        ours(folder, images()).tokens[1:], ours(folder, images()[1:]).tokens, atol=1e-5, rtol=1e-5
    )


def test_projected(tmp_path):
    settings = transformers.CLIPVisionConfig(**SETTINGS, projection_dim=6)
    model = scrambled(transformers.CLIPVisionModelWithProjection(settings))
    model.save_pretrained(tmp_path)
    wanted = theirs(model, images()).image_embeds
    found = ours(tmp_path, images(), pooled=True, projection_dim=6)
    np.testing.assert_allclose(found.pooled, wanted.numpy(), atol=1e-5, rtol=1e-5)


def test_inside_a_whole_clip(tmp_path):
    text = {**SIZES, "vocab_size": 20, "max_position_embeddings": 8, "eos_token_id": 1}
    whole = transformers.CLIPConfig(vision_config=SETTINGS, text_config=text, projection_dim=6)
    model = scrambled(transformers.CLIPModel(whole))
    model.save_pretrained(tmp_path)
    with torch.no_grad():
        output = model.get_image_features(torch.from_numpy(images()).permute(0, 3, 1, 2))
    found = ours(tmp_path, images(), pooled=True, projection_dim=6)
    np.testing.assert_allclose(found.pooled, output.pooler_output.numpy(), atol=1e-5, rtol=1e-5)


def test_inside_a_llava_that_says_what_it_reads(tmp_path):
    text = {**SIZES, "vocab_size": 20, "num_key_value_heads": 2, "model_type": "llama"}
    whole = transformers.LlavaConfig(
        vision_config={**SETTINGS, "model_type": "clip_vision_model"},
        text_config=text,
        image_token_id=3,
        vision_feature_layer=-2,
    )
    model = scrambled(transformers.LlavaForConditionalGeneration(whole))
    model.save_pretrained(tmp_path)
    tower = next(m for m in model.modules() if isinstance(m, transformers.CLIPVisionModel))
    wanted = theirs(tower, images(), output_hidden_states=True).hidden_states[-2][:, 1:]
    np.testing.assert_allclose(ours(tmp_path, images()).tokens, wanted.numpy(), atol=1e-5, rtol=1e-5)
