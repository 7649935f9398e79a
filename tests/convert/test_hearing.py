"""Encoders of sound and motion out of files: names there and back, settings that are honoured or refused.

Numbers: tests/parity.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

from unified_io import pytree
from unified_io.convert import hearing, hearing_names, hearing_settings
from unified_io.encoders.beats import Beats, BeatsConfig
from unified_io.encoders.clap import Clap, ClapConfig
from unified_io.encoders.imagebind import ImageBindAudio, ImageBindAudioConfig, ImageBindImu, ImageBindVision
from unified_io.encoders.imu2clip import Imu2Clip
from unified_io.encoders.whisper import Whisper, WhisperConfig
from unified_io.errors import CheckpointError, ConfigError

TINY_BEATS = {
    "input_patch_size": 4,
    "embed_dim": 6,
    "encoder_embed_dim": 8,
    "encoder_attention_heads": 2,
    "encoder_layers": 2,
    "encoder_ffn_embed_dim": 10,
    "conv_pos": 4,
    "conv_pos_groups": 2,
    "relative_position_embedding": True,
    "num_buckets": 8,
    "max_distance": 9,
    "gru_rel_pos": True,
    "deep_norm": True,
    "conv_bias": False,
    "layer_norm_first": False,
    "activation_fn": "gelu",
    "finetuned_model": True,
}

MODULES = {
    "vision": (ImageBindVision(), (1, 224, 224, 3)),
    "audio": (ImageBindAudio(), (1, 204, 128)),
    "imu": (ImageBindImu(), (1, 2000, 6)),
}


def random_like(module, *shape):
    wanted = nn.meta.unbox(jax.eval_shape(module.init, jax.random.key(0), jnp.zeros(shape)))["params"]
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda leaf: rng.normal(size=leaf.shape).astype(np.float32), wanted)


def published(params, table):
    """A tree of ours under their names, in their layouts."""
    places = {name: (*table.to_theirs(name), leaf) for name, leaf in pytree.named_leaves(params).items()}
    assert len({theirs for theirs, _, _ in places.values()}) == len(places)
    return {theirs: np.ascontiguousarray(layout.theirs(leaf)) for theirs, layout, leaf in places.values()}


def assert_same(ours, params):
    ours, params = pytree.named_leaves(ours), pytree.named_leaves(params)
    assert ours.keys() == params.keys()
    for name, leaf in params.items():
        np.testing.assert_array_equal(ours[name], leaf, err_msg=name)


def test_beats_is_read_back(tmp_path):
    config = hearing_settings.beats(TINY_BEATS)
    config = BeatsConfig(**{**vars(config), "mels": 8})
    params = random_like(Beats(config), 1, 4, 8)
    state = {f"model.{name}": value for name, value in published(params, hearing_names.BEATS).items()}
    assert state["model.encoder.pos_conv.0.weight_g"].shape == (1, 1, 4)
    assert state["model.encoder.pos_conv.0.weight_v"].shape == (8, 4, 4)
    assert state["model.patch_embedding.weight"].shape == (6, 1, 4, 4)
    assert state["model.encoder.layers.1.self_attn.grep_a"].shape == (1, 2, 1, 1)
    shared = "model.encoder.layers.{}.self_attn.relative_attention_bias.weight"
    state[shared.format(1)] = state[shared.format(0)].copy()
    state["model.predictor.weight"] = np.zeros((3, 8), np.float32)
    save_file(state, tmp_path / "beats.safetensors")
    assert_same(hearing.load_beats(tmp_path / "beats.safetensors", config, prefix="model."), params)


def test_of_beats_nothing_may_be_left_over_or_missing(tmp_path):
    config = BeatsConfig(**{**vars(hearing_settings.beats(TINY_BEATS)), "mels": 8})
    state = published(random_like(Beats(config), 1, 4, 8), hearing_names.BEATS)
    save_file(state | {"encoder.extra": np.zeros(2, np.float32)}, tmp_path / "a.safetensors")
    with pytest.raises(CheckpointError, match=r"encoder\.extra"):
        hearing.load_beats(tmp_path / "a.safetensors", config)
    del state["encoder.layers.1.fc1.bias"]
    save_file(state, tmp_path / "b.safetensors")
    with pytest.raises(CheckpointError, match="block_1/mlp/wi/bias"):
        hearing.load_beats(tmp_path / "b.safetensors", config)


def test_settings_of_beats():
    config = hearing_settings.beats(TINY_BEATS | {"gru_rel_pos": False, "deep_norm": False})
    assert (config.patch, config.patch_width, config.width, config.num_layers) == (4, 6, 8, 2)
    assert (config.position_window, config.position_groups, config.mlp_dim) == (4, 2, 10)
    assert not config.gated and not config.deep_norm


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"layer_norm_first": True}, "layer_norm_first True"),
        ({"conv_bias": True}, "conv_bias True"),
        ({"activation_fn": "glu"}, "activation_fn 'glu'"),
        ({"relative_position_embedding": False}, "relative_position_embedding False"),
        ({"embed_dim": 8}, "no projection"),
    ],
)
def test_settings_of_beats_that_are_not_built_are_named(changed, message):
    with pytest.raises(ConfigError, match=message):
        hearing_settings.beats(TINY_BEATS | changed)


def test_settings_of_beats_that_are_missing_are_named():
    for name in ("relative_position_embedding", "deep_norm"):
        with pytest.raises(ConfigError, match=name):
            hearing_settings.beats({key: value for key, value in TINY_BEATS.items() if key != name})


@pytest.mark.parametrize("projection", [None, 5])
def test_names_of_clap_go_there_and_back(projection):
    config = ClapConfig(
        side=32, mels=16, width=4, depths=(2, 2), num_heads=(1, 2), window=2, projection_dim=projection
    )
    table = hearing_names.clap_table(config)
    for name in pytree.named_leaves(random_like(Clap(config), 1, 64, 16)):
        theirs, _ = table.to_theirs(name)
        assert table.to_ours(theirs)[0] == name
        assert theirs.startswith(("audio_model.", "audio_projection.") if projection else "audio_encoder.")


def test_settings_of_clap():
    assert hearing_settings.clap({"architectures": ["ClapModel"], "audio_config": {}}) == ClapConfig()
    plain = hearing_settings.clap(
        {"architectures": ["ClapAudioModel"], "patch_stride": [4, 4], "layer_norm_eps": 1e-6}
    )
    assert plain.projection_dim is None and plain.block_epsilon == 1e-6


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"enable_fusion": True}, "enable_fusion True"),
        ({"hidden_act": "relu"}, "hidden_act 'relu'"),
        ({"projection_hidden_act": "gelu"}, "projection_hidden_act 'gelu'"),
        ({"qkv_bias": False}, "qkv_bias False"),
        ({"patch_stride": [2, 2]}, r"patch_stride \[2, 2\]"),
        ({"patch_stride": [4, 2]}, "only with squares"),
        ({"mlp_ratio": 2.5}, "mlp_ratio 2.5"),
    ],
)
def test_settings_of_clap_that_are_not_built_are_named(changed, message):
    with pytest.raises(ConfigError, match=message):
        hearing_settings.clap({"audio_config": changed})


def test_names_of_whisper_go_there_and_back():
    config = WhisperConfig(mels=5, width=8, num_heads=2, num_layers=2, mlp_dim=12, num_positions=6)
    for name in pytree.named_leaves(random_like(Whisper(config), 1, 12, 5)):
        assert hearing_names.WHISPER.to_ours(hearing_names.WHISPER.to_theirs(name)[0])[0] == name


def test_settings_of_whisper_that_are_not_built_or_missing_are_named():
    with pytest.raises(ConfigError, match="activation_function 'relu'"):
        hearing_settings.whisper({"model_type": "whisper", "activation_function": "relu"})
    with pytest.raises(ConfigError, match="model_type 'bert'"):
        hearing_settings.whisper({"model_type": "bert"})
    with pytest.raises(ConfigError, match="encoder_ffn_dim"):
        hearing_settings.whisper({"d_model": 8, "encoder_layers": 1, "num_mel_bins": 80})


def names_of(module, shape):
    shapes = jax.eval_shape(module.init, jax.random.key(0), jnp.zeros(shape))["params"]
    return pytree.named_leaves(nn.meta.unbox(shapes))


@pytest.mark.parametrize("trunk", hearing_names.TRUNKS)
def test_names_and_shapes_of_imagebind_go_there_and_back(trunk):
    table = hearing_names.imagebind_table(trunk)
    theirs = {}
    for name, leaf in names_of(*MODULES[trunk]).items():
        their_name, layout = table.to_theirs(name)
        assert table.to_ours(their_name)[0] == name
        array = np.broadcast_to(np.float32(0), leaf.shape)
        theirs[their_name] = layout.theirs(array).shape
        assert layout.ours(layout.theirs(array)).shape == leaf.shape
    stem = {
        "vision": ("rgbt_stem.proj.1.weight", (1280, 3, 2, 14, 14)),
        "audio": ("rgbt_stem.proj.weight", (768, 1, 16, 16)),
        "imu": ("imu_stem.proj.weight", (512, 48)),
    }[trunk]
    assert theirs[f"modality_preprocessors.{trunk}.{stem[0]}"] == stem[1]
    width = stem[1][0]
    assert theirs[f"modality_trunks.{trunk}.blocks.5.attn.in_proj_weight"] == (3 * width, width)
    assert (f"modality_trunks.{trunk}.blocks.0.attn.bias_k" in theirs) == (trunk != "vision")
    assert theirs[f"modality_preprocessors.{trunk}.cls_token"] == (1, 1, width)
    assert theirs[f"modality_heads.{trunk}.{3 if trunk == 'imu' else 2}.weight"] == (1024, width)


def test_a_trunk_that_is_not_here_is_an_error():
    with pytest.raises(ConfigError, match="unknown trunk of ImageBind 'thermal'"):
        hearing_names.imagebind_table("thermal")


def test_names_of_imu2clip_go_there_and_back():
    names = names_of(Imu2Clip(), (1, 1000, 6))
    assert {
        hearing_names.IMU2CLIP.to_ours(hearing_names.IMU2CLIP.to_theirs(name)[0])[0] for name in names
    } == set(names)


def test_a_file_without_the_trunk_is_an_error(tmp_path):
    save_file({"modality_trunks.text.x": np.zeros(1, np.float32)}, tmp_path / "a.safetensors")
    config = ImageBindAudioConfig(width=4, num_heads=1, num_layers=1, scale=1.0)
    with pytest.raises(CheckpointError, match="missing in it"):
        hearing.load_imagebind(tmp_path, "audio", config)
