"""Encoders of others without their libraries: settings, names there and back, files that do not fit."""

import json

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

from unified_io import pytree
from unified_io.convert import vision, vision_names, vision_settings
from unified_io.encoders.clip import EVA_G, ClipConfig, ClipVit
from unified_io.encoders.dinov2 import Dinov2, Dinov2Config
from unified_io.encoders.point_bert import PointBert, PointBertConfig
from unified_io.encoders.video_transformer import VideoTransformer, VideoTransformerConfig
from unified_io.errors import CheckpointError, ConfigError

SIZES = {"width": 8, "num_heads": 2, "num_layers": 2, "mlp_dim": 12}
CLIP = ClipConfig(**SIZES, patch=4, grid=2, final_norm=True)
DINOV2 = Dinov2Config(**SIZES, patch=4, grid=2)
VIDEO = VideoTransformerConfig(**SIZES, tubelet=(2, 4, 4), num_frames=2, image_size=8, final_norm=True)
POINTS = PointBertConfig(**SIZES, num_groups=3, group_size=2, group_dim=6, projection_dim=5)
CLIP_SETTINGS = {"model_type": "clip_vision_model", "hidden_size": 8, "num_attention_heads": 2}
CLIP_SETTINGS |= {"num_hidden_layers": 2, "intermediate_size": 12, "patch_size": 4, "image_size": 8}


def params_of(module, *shape):
    shapes = nn.meta.unbox(jax.eval_shape(module.init, jax.random.key(0), jnp.zeros(shape)))["params"]
    rng = np.random.default_rng(0)
    return {
        name: rng.normal(size=leaf.shape).astype(np.float32)
        for name, leaf in pytree.named_leaves(shapes).items()
    }


def emitted(table, named):
    """What a file of theirs holds, of parameters of ours."""
    return {
        name: np.ascontiguousarray(layout.theirs(array))
        for array, (name, layout) in ((array, table.to_theirs(ours)) for ours, array in named.items())
    }


@pytest.mark.parametrize(
    ("table", "module", "shape"),
    [
        (vision_names.clip_table(CLIP), ClipVit(CLIP), (1, 8, 8, 3)),
        (vision_names.dinov2_table(DINOV2), Dinov2(DINOV2), (1, 8, 8, 3)),
        (vision_names.videomae_table(VIDEO), VideoTransformer(VIDEO), (1, 2, 8, 8, 3)),
    ],
    ids=["clip", "dinov2", "videomae"],
)
def test_names_there_and_back(table, module, shape):
    named = params_of(module, *shape)
    for theirs, array in emitted(table, named).items():
        ours, layout = table.to_ours(theirs)
        np.testing.assert_array_equal(layout.ours(array), named[ours])


def test_what_is_one_in_theirs_and_several_in_ours():
    joined = {"blocks_0/mlp/wi_0+wi_1/kernel": np.arange(12).reshape(2, 6), "norm/bias": np.ones(3)}
    parts = vision_names.split(joined)
    assert list(parts) == ["blocks_0/mlp/wi_0/kernel", "blocks_0/mlp/wi_1/kernel", "norm/bias"]
    np.testing.assert_array_equal(parts["blocks_0/mlp/wi_1/kernel"], [[3, 4, 5], [9, 10, 11]])


def ulip_names(i):
    """The parameters of block `i` of a PointBERT in ULIP-2's file, and their shapes, written out."""
    stem = f"blocks.blocks.{i}."
    return {
        **{stem + "norm1.weight": (8,), stem + "norm1.bias": (8,), stem + "attn.qkv.weight": (24, 8)},
        **{stem + "attn.proj.weight": (8, 8), stem + "attn.proj.bias": (8,), stem + "norm2.weight": (8,)},
        **{stem + "norm2.bias": (8,), stem + "mlp.fc1.weight": (12, 8), stem + "mlp.fc1.bias": (12,)},
        **{stem + "mlp.fc2.weight": (8, 12), stem + "mlp.fc2.bias": (8,)},
    }


ULIP = {
    **{"cls_token": (1, 1, 8), "cls_pos": (1, 1, 8), "norm.weight": (8,), "norm.bias": (8,)},
    **{"encoder.first_conv.0.weight": (128, 3, 1), "encoder.first_conv.0.bias": (128,)},
    **{f"encoder.first_conv.1.{n}": (128,) for n in ("weight", "bias", "running_mean", "running_var")},
    **{"encoder.first_conv.3.weight": (256, 128, 1), "encoder.first_conv.3.bias": (256,)},
    **{"encoder.second_conv.0.weight": (512, 512, 1), "encoder.second_conv.0.bias": (512,)},
    **{f"encoder.second_conv.1.{n}": (512,) for n in ("weight", "bias", "running_mean", "running_var")},
    **{"encoder.second_conv.3.weight": (6, 512, 1), "encoder.second_conv.3.bias": (6,)},
    **{"reduce_dim.weight": (8, 6), "reduce_dim.bias": (8,)},
    **{"pos_embed.0.weight": (128, 3), "pos_embed.0.bias": (128,)},
    **{"pos_embed.2.weight": (8, 128), "pos_embed.2.bias": (8,)},
    **ulip_names(0),
    **ulip_names(1),
}


def ulip(prefix):
    rng = np.random.default_rng(0)
    file = {f"{prefix}point_encoder.{name}": rng.normal(size=shape) for name, shape in ULIP.items()}
    file[f"{prefix}point_encoder.encoder.first_conv.1.num_batches_tracked"] = np.array([3])
    file[f"{prefix}pc_projection"] = rng.normal(size=(16, 5))
    file[f"{prefix}text_projection"] = rng.normal(size=(4, 5))
    return {name: array.astype(np.float32) for name, array in file.items()}


@pytest.mark.parametrize("prefix", ["", "module."])
def test_the_file_of_ulip(tmp_path, prefix):
    file = ulip(prefix)
    save_file(file, tmp_path / "ulip.safetensors")
    params = vision.load_point_bert(tmp_path / "ulip.safetensors", POINTS)
    named = pytree.named_leaves(params)
    encoder = f"{prefix}point_encoder."
    np.testing.assert_array_equal(named["projection/kernel"], file[f"{prefix}pc_projection"])
    np.testing.assert_array_equal(
        named["groups/second_norm/variance"], file[f"{encoder}encoder.second_conv.1.running_var"]
    )
    np.testing.assert_array_equal(
        named["groups/first_norm/mean"], file[f"{encoder}encoder.first_conv.1.running_mean"]
    )
    np.testing.assert_array_equal(
        named["groups/first_out/kernel"], file[f"{encoder}encoder.first_conv.3.weight"][..., 0].T
    )
    np.testing.assert_array_equal(
        named["blocks_1/attention/value/kernel"], file[f"{encoder}blocks.blocks.1.attn.qkv.weight"][16:].T
    )
    np.testing.assert_array_equal(named["position_out/kernel"], file[f"{encoder}pos_embed.2.weight"].T)
    pooled = jax.eval_shape(PointBert(POINTS).apply, {"params": params}, np.ones((1, 4, 3))).pooled
    assert pooled.shape == (1, 5)


def test_a_file_without_the_projection_is_refused(tmp_path):
    file = {name: array for name, array in ulip("").items() if name != "pc_projection"}
    save_file(file, tmp_path / "ulip.safetensors")
    with pytest.raises(CheckpointError, match="projection/kernel"):
        vision.load_point_bert(tmp_path / "ulip.safetensors", POINTS)


@pytest.fixture
def clip_folder(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(CLIP_SETTINGS))
    file = emitted(vision_names.clip_table(CLIP), params_of(ClipVit(CLIP), 1, 8, 8, 3))
    save_file(file, tmp_path / "model.safetensors")
    return tmp_path, file


def test_features_decide_what_is_taken(clip_folder):
    folder, _ = clip_folder
    assert {"norm", "blocks_1"} <= vision.load(folder, final_norm=True)[1].keys()
    assert not {"norm", "blocks_1"} & vision.load(folder, layer=1)[1].keys()


def test_a_tensor_too_few_or_too_many_is_named(clip_folder):
    folder, file = clip_folder
    lost = "encoder.layers.1.mlp.fc2.bias"
    save_file({name: a for name, a in file.items() if name != lost}, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match="blocks_1/mlp/wo/bias"):
        vision.load(folder)
    save_file({**file, "encoder.layers.1.extra.weight": np.ones(3, np.float32)}, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"encoder\.layers\.1\.extra\.weight"):
        vision.load(folder)
    save_file({**file, lost: np.ones(3, np.float32)}, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match="blocks_1/mlp/wo/bias"):
        vision.load(folder)


def test_more_blocks_than_announced_are_named(clip_folder):
    folder, _ = clip_folder
    (folder / "config.json").write_text(json.dumps({**CLIP_SETTINGS, "num_hidden_layers": 1}))
    with pytest.raises(CheckpointError, match="blocks_1/"):
        vision.load(folder)


def test_a_folder_without_the_encoder_is_refused(clip_folder):
    folder, file = clip_folder
    save_file({"text.weight": file["pre_layrnorm.bias"]}, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"0 tensors named embeddings\.class_embedding"):
        vision.load(folder)


def test_settings_that_are_not_written_are_those_of_the_library():
    assert vision_settings.config({"model_type": "instructblip_vision_model"}) == EVA_G
    assert vision_settings.config({"model_type": "videomae"}) == VideoTransformerConfig()
    base = vision_settings.config({"model_type": "clip", "vision_config": {}})
    assert (base.width, base.num_layers, base.patch, base.grid) == (768, 12, 32, 7)
    assert base.activation == "quick_gelu" and base.epsilon == 1e-5
    settings = {"model_type": "dinov2", "image_size": 518, "hidden_size": 1024, "num_hidden_layers": 24}
    assert vision_settings.config({**settings, "num_attention_heads": 16}) == Dinov2Config()


def test_llava_says_what_is_read():
    llava = {"model_type": "llava", "vision_config": CLIP_SETTINGS}
    read = vision_settings.config(llava)
    assert (read.layer, read.keep_class) == (-2, False)
    read = vision_settings.config(
        {**llava, "vision_feature_layer": -1, "vision_feature_select_strategy": "full"}
    )
    assert (read.layer, read.keep_class) == (-1, True)
    assert vision_settings.config(llava, layer=1).layer == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model_type": "dinov3"}, "unknown vision model_type 'dinov3'; did you mean 'dinov2'"),
        ({}, "unknown vision model_type ''"),
        ({**CLIP_SETTINGS, "hidden_act": "gelo"}, "unknown hidden_act 'gelo'"),
        ({**CLIP_SETTINGS, "num_channels": 4}, "num_channels is 4"),
        ({**CLIP_SETTINGS, "image_size": [8, 6]}, "image_size is"),
        ({"model_type": "videomae", "image_size": [8, 6]}, "image_size is"),
        (
            {"model_type": "llava", "vision_config": CLIP_SETTINGS, "vision_feature_layer": [-2, -5]},
            "vision_feature_layer is",
        ),
        (
            {
                "model_type": "llava",
                "vision_config": CLIP_SETTINGS,
                "vision_feature_select_strategy": "some",
            },
            "unknown vision_feature_select_strategy",
        ),
    ],
)
def test_settings_that_can_not_be_honoured_are_named(settings, message):
    with pytest.raises(ConfigError, match=message):
        vision_settings.config(settings)
