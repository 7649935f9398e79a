"""Models from folders: every family, parts switched off, other dtypes, and what can be wrong with a folder."""

import dataclasses
import json
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tiny import tiny_config

from unified_io import UnifiedIO, pytree
from unified_io.api import loading
from unified_io.convert import folders, stores, stream, uio2
from unified_io.convert.port import config as port_config
from unified_io.convert.vocoder import VOCODER
from unified_io.errors import CheckpointError, ConfigError
from unified_io.tokenizers.hifigan import HiFiGAN, HiFiGANConfig
from unified_io.vocab import Vocabulary


def same(one, other) -> bool:
    one, other = pytree.named_leaves(one), pytree.named_leaves(other)
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


def changed(folder, tmp_path, change):
    """A copy of a folder whose tensors went through `change`."""
    copy = tmp_path / "changed"
    shutil.copytree(folder, copy)
    tensors = load_file(copy / "model.safetensors")
    change(tensors)
    save_file(tensors, copy / "model.safetensors")
    return copy


@pytest.mark.parametrize("family", ["unified-io", "port", "t5x"])
def test_a_saved_model_loads_in_every_family(port_model, saved, family):
    given = {"config": port_model.config} if family == "t5x" else {}
    model = UnifiedIO.from_pretrained(saved[family], **given)
    assert same(model.params, port_model.params)
    assert model.config == port_model.config


def test_the_config_goes_to_the_port_and_back(port_model):
    assert port_config.from_port(port_config.to_port(port_model.config)) == port_model.config


@pytest.mark.parametrize("crossing", [[0, 1], [0], []])
def test_which_layers_of_a_resampler_look_at_tokens_goes_to_the_port_and_back(port_json, crossing):
    layers = {
        "num_layers": 2,
        "xattention_index": crossing,
        "attn_qk_norm": True,
        "attn_scaled_cosine": False,
    }
    port_json["image_history_cfg"] |= layers
    config = port_config.from_port(port_json)
    assert port_config.to_port(config)["image_history_cfg"]["xattention_index"] == crossing
    assert port_config.from_port(port_config.to_port(config)) == config
    port_json["image_history_cfg"]["attn_qk_norm"] = False
    if len(crossing) < 2:
        with pytest.raises(ConfigError, match="attn_qk_norm differs from its xattn_qk_norm"):
            port_config.from_port(port_json)


@pytest.mark.parametrize("family", ["port", "t5x"])
def test_converting_there_and_back_is_the_identity(port_model, saved, family, tmp_path, capsys):
    folders.convert(saved[family], tmp_path / "ours", "unified-io", config=port_model.config)
    folders.convert(tmp_path / "ours", tmp_path / "back", family)
    assert "loaded" in capsys.readouterr().out
    first, second = (stores.open_store(folder) for folder in (saved[family], tmp_path / "back"))
    assert first.shapes() == second.shapes()
    for name in first.shapes():
        assert first.read(name).tobytes() == second.read(name).tobytes()


def test_a_scanned_model_saves_its_layers_apart(port_model, tmp_path):
    backbone = dataclasses.replace(port_model.config.backbone, scan_layers=True)
    config = dataclasses.replace(port_model.config, backbone=backbone)
    scanned = loading.from_config(config)
    scanned.save_pretrained(tmp_path / "scanned")
    assert same(UnifiedIO.from_pretrained(tmp_path / "scanned").params, scanned.params)
    names = stores.open_store(tmp_path / "scanned").shapes()
    assert "decoder.layers_2.mlp.wo.kernel" in names
    assert names.keys() == {name.replace("/", ".") for name in stream.shapes_of(port_model.config)}


def test_an_action_model_is_saved_as_ours_and_refused_elsewhere(tmp_path):
    model = loading.from_config(tiny_config())
    model.save_pretrained(tmp_path / "m")
    assert same(UnifiedIO.from_pretrained(tmp_path / "m").params, model.params)
    with pytest.raises(CheckpointError, match="the PyTorch port has no place for parameter"):
        folders.save(tmp_path / "port", model.config, model.params, "port")
    with pytest.raises(ConfigError, match="nearest|port"):
        folders.save(tmp_path / "port", model.config, model.params, "pytorch")


def test_what_is_switched_off_is_not_read(saved, monkeypatch):
    read = []
    plain = stores.SafetensorsStore.read
    monkeypatch.setattr(
        stores.SafetensorsStore, "read", lambda self, name: read.append(name) or plain(self, name)
    )
    model = UnifiedIO.from_pretrained(saved["port"], inputs=["text", "image"], targets=["text"])
    assert [m.name for m in model.config.inputs] == ["text", "image"]
    assert [m.name for m in model.config.targets] == ["text"]
    assert read and not any(
        "audio" in name or "history" in name or "target_embedders.image" in name for name in read
    )
    with pytest.raises(ConfigError, match="did you mean 'image'"):
        UnifiedIO.from_pretrained(saved["port"], inputs=["imag"])


@pytest.mark.parametrize(
    ("dtype", "stored", "compute"),
    [
        ("float32", "float32", "float32"),
        ("bfloat16", "bfloat16", "bfloat16"),
        ("mixed", "float32", "bfloat16"),
    ],
)
def test_a_dtype_says_what_is_kept_and_what_is_computed(saved, dtype, stored, compute):
    model = UnifiedIO.from_pretrained(saved["port"], dtype=dtype)
    leaves = pytree.named_leaves(model.params)
    assert leaves["decoder/layers_0/mlp/wo/kernel"].dtype == stored
    assert leaves["shared_text_token_embedder/embedding"].dtype == stored
    exact = [name for name in leaves if name.startswith("shared_image_encoder") or "/tokenizer/" in name]
    assert exact and all(leaves[name].dtype == jnp.float32 for name in exact)
    assert model.config.backbone.dtype == compute
    with pytest.raises(ConfigError, match="dtype"):
        UnifiedIO.from_pretrained(saved["port"], dtype="float16")


def test_bfloat16_files_load_as_float32(port_model, saved, tmp_path):
    def shorten(tensors):
        tensors.update({name: array.astype(jnp.bfloat16) for name, array in tensors.items()})

    model = UnifiedIO.from_pretrained(changed(saved["port"], tmp_path, shorten))
    for name, leaf in pytree.named_leaves(model.params).items():
        wanted = pytree.named_leaves(port_model.params)[name].astype(jnp.bfloat16).astype(jnp.float32)
        assert leaf.dtype == jnp.float32 and np.array_equal(leaf, wanted), name


NAME = "encoder.layers_0.mlp.wi_0.weight"


def test_a_missing_tensor_is_named(saved, tmp_path):
    folder = changed(saved["port"], tmp_path, lambda tensors: tensors.pop(NAME))
    with pytest.raises(CheckpointError, match=rf"{folder}.*missing in it \(1\): {NAME}"):
        UnifiedIO.from_pretrained(folder)


def test_a_left_over_tensor_is_named(saved, tmp_path):
    folder = changed(saved["port"], tmp_path, lambda tensors: tensors.update({"extra.weight": np.zeros(1)}))
    with pytest.raises(CheckpointError, match=r"in it but not wanted \(1\): extra\.weight"):
        UnifiedIO.from_pretrained(folder)


def test_a_wrong_shape_is_named(saved, tmp_path):
    folder = changed(
        saved["port"], tmp_path, lambda tensors: tensors.update({NAME: np.zeros((2, 3), np.float32)})
    )
    with pytest.raises(CheckpointError, match=rf"{NAME} is \(2, 3\), wanted \(24, 16\)"):
        UnifiedIO.from_pretrained(folder)


def test_a_config_of_another_size_is_named(saved, tmp_path, port_json):
    folder = changed(saved["port"], tmp_path, lambda tensors: None)
    port_json["t5_config"]["mlp_dim"] = 32
    (folder / "config.json").write_text(json.dumps(port_json))
    with pytest.raises(CheckpointError, match=r"is of another model.*other shapes.*wi_0"):
        UnifiedIO.from_pretrained(folder)


def test_a_config_that_is_none_or_of_something_else_is_named(saved, tmp_path, port_json):
    folder = changed(saved["port"], tmp_path, lambda tensors: None)
    (folder / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"config\.json is no JSON"):
        UnifiedIO.from_pretrained(folder)
    del port_json["image_vqgan"]
    (folder / "config.json").write_text(json.dumps(port_json))
    with pytest.raises(ConfigError, match="no field 'image_vqgan'"):
        UnifiedIO.from_pretrained(folder)
    (folder / "config.json").write_text('{"class": "unified_io.mel:MelConfig"}')
    with pytest.raises(CheckpointError, match="describes a MelConfig"):
        UnifiedIO.from_pretrained(folder)


@pytest.mark.parametrize(
    ("where", "name", "value"),
    [
        ("t5_config", "text_pos_emb", "learned"),
        ("audio_vqgan", "act_fn", "gelu"),
        ("image_vit_cfg", "mlp_activations", ["relu"]),
    ],
)
def test_what_no_released_model_switches_is_refused_by_name(port_json, where, name, value):
    port_json[where][name] = value
    with pytest.raises(ConfigError, match=rf"{where}\.{name} is "):
        port_config.from_port(port_json)


def test_a_folder_that_is_none(tmp_path):
    with pytest.raises(CheckpointError, match="hub=True"):
        UnifiedIO.from_pretrained(tmp_path / "nothing")
    with pytest.raises(CheckpointError, match="neither a saved model nor a T5X checkpoint"):
        UnifiedIO.from_pretrained(tmp_path)


def test_the_hub_is_asked_only_when_told_and_installed(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    with pytest.raises(ConfigError, match=r"unified-io\[hub\]"):
        UnifiedIO.from_pretrained("allenai/uio2-large", hub=True)


def test_the_folder_of_a_job_is_that_of_its_model(port_model, saved, tmp_path):
    shutil.copytree(saved["unified-io"], tmp_path / "run" / "model")
    assert same(UnifiedIO.from_pretrained(tmp_path / "run").params, port_model.params)
    folders.convert(tmp_path / "run", tmp_path / "port", "port")
    assert stores.open_store(tmp_path / "port").shapes() == stores.open_store(saved["port"]).shapes()


def test_a_t5x_checkpoint_needs_a_config(saved):
    with pytest.raises(CheckpointError, match="unified-io convert"):
        UnifiedIO.from_pretrained(saved["t5x"])


def test_parameters_left_at_random_do_not_generate(saved, tmp_path, capsys):
    folder = changed(saved["port"], tmp_path, lambda tensors: tensors.pop(NAME))
    ours = uio2.PORT.to_ours(NAME)[0]
    model = UnifiedIO.from_pretrained(folder, expect_missing=[f"^{ours}$"])
    assert f"left at initialisation (1): {ours}" in capsys.readouterr().out
    whole = UnifiedIO.from_pretrained(saved["port"])
    assert jax.tree.structure(model.params) == jax.tree.structure(whole.params)
    with pytest.raises(CheckpointError, match="allow_random"):
        model.encode(image=np.zeros((4, 4, 3), np.float32))


def test_the_tokenizer_travels_with_the_model(tmp_path):
    shipped = tmp_path / "words.model"
    import importlib.resources

    shipped.write_bytes(
        importlib.resources.files("unified_io.vocabularies").joinpath("small.model").read_bytes()
    )
    config = tiny_config()
    own = Vocabulary(str(shipped))
    config = dataclasses.replace(
        config,
        inputs=tuple(
            dataclasses.replace(m, vocabulary=own) if hasattr(m, "vocabulary") else m for m in config.inputs
        ),
        targets=tuple(
            dataclasses.replace(m, vocabulary=own) if hasattr(m, "vocabulary") else m for m in config.targets
        ),
    )
    loading.from_config(config).save_pretrained(tmp_path / "m")
    shipped.unlink()
    model = UnifiedIO.from_pretrained(tmp_path / "m")
    vocabulary = model.config.target("text").vocabulary
    assert vocabulary.decode(vocabulary.encode("seven")) == "seven"
    (tmp_path / "m" / "tokenizer.model").unlink()
    lost = UnifiedIO.from_pretrained(tmp_path / "m").config.target("text").vocabulary
    with pytest.raises(ConfigError, match="LLaMA's tokenizer.model.*put it into"):
        lost.encode("seven")


def test_a_vocoder_speaks_only_what_it_knows(port_model, saved, tmp_path):
    hifigan = HiFiGANConfig()
    shapes = jax.eval_shape(HiFiGAN(hifigan).init, jax.random.key(0), np.zeros((1, 4, 128), np.float32))[
        "params"
    ]
    tensors = {}
    for name, leaf in pytree.named_leaves(shapes).items():
        theirs, layout = VOCODER.to_theirs(name)
        tensors[theirs] = np.ascontiguousarray(layout.theirs(np.zeros(leaf.shape, np.float32)))
    save_file(tensors, tmp_path / "vocoder.safetensors")
    with pytest.raises(ConfigError, match=r"the vocoder speaks 128 mel bands, 256 samples.*writes 8 bands"):
        UnifiedIO.from_pretrained(saved["port"], vocoder=tmp_path / "vocoder.safetensors")
    # without an audio target there is nothing to speak, and nothing to compare
    model = UnifiedIO.from_pretrained(
        saved["port"], targets=["text"], vocoder=tmp_path / "vocoder.safetensors"
    )
    assert model.vocoder(np.zeros((4, 128), np.float32)).shape == (4 * 256,)
