"""Vision, video and point encoders of others: out of their files, with the features that are asked for."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from unified_io import pytree
from unified_io.convert import hf, vision_names, vision_settings
from unified_io.convert.rules import Table
from unified_io.convert.stores import open_store
from unified_io.encoders.clip import EVA_G, ClipConfig, ClipVit
from unified_io.encoders.dinov2 import Dinov2, Dinov2Config
from unified_io.encoders.point_bert import PointBert, PointBertConfig
from unified_io.encoders.video_transformer import VideoTransformer, VideoTransformerConfig
from unified_io.errors import CheckpointError

Config = ClipConfig | Dinov2Config | VideoTransformerConfig | PointBertConfig

# A table of names, and a name that tells where in a file the encoder lies.
_FAMILIES: dict[str, tuple[Callable[[Any], Table], str]] = {
    "clip_vision_model": (vision_names.clip_table, "embeddings.class_embedding"),
    "instructblip_vision_model": (vision_names.blip_table, "embeddings.class_embedding"),
    "blip_2_vision_model": (vision_names.blip_table, "embeddings.class_embedding"),
    "dinov2": (vision_names.dinov2_table, "embeddings.cls_token"),
    "videomae": (vision_names.videomae_table, "embeddings.patch_embeddings.projection.weight"),
}
# Positions that are counted, and the token that hides patches in pretraining.
_IGNORED = (r"^embeddings\.position_ids$", r"^embeddings\.mask_token$")


def load(folder: str | Path, **features: Any) -> tuple[Config, dict[str, Any]]:
    """Reads an encoder out of a folder that `save_pretrained` wrote, be it alone or inside a larger model.

    Args:
      folder: With `config.json` and safetensors.
      features: As `vision_settings.config` takes them. Weights that only other features need are left out.

    Returns:
      The config and the parameters, float32.

    Raises:
      CheckpointError: There are no weights, or not those that the settings announce; names them.
      ConfigError: As `vision_settings.config`.
    """
    settings = hf.settings(folder)
    ours = vision_settings.config(settings, **features)
    table, anchor = _FAMILIES[vision_settings.kind(settings)]
    prefix = _prefix(folder, anchor)
    named = hf.read(folder, table(ours), prefix=prefix, ignore=_IGNORED)
    if getattr(ours, "projection_dim", None):
        outer = prefix.removesuffix("vision_model.")
        named |= hf.read(folder, vision_names.PROJECTION, prefix=outer, ignore=("",))
    return ours, _parameters(folder, named, ours)


def load_eva(path: str | Path, config: ClipConfig = EVA_G) -> dict[str, Any]:
    """Reads the released EVA-CLIP ViT-g, saved as safetensors: alone, or in a BLIP-2 of LAVIS.

    Blocks behind those of the config, and the norm and head behind the last, are left out: LAVIS and Lynx read none.

    Raises:
      CheckpointError: There are no such weights, or of another shape than the config's.
    """
    prefix = _prefix(path, "patch_embed.proj.weight")
    table = vision_names.eva_table(config)
    named = hf.read(path, table, prefix=prefix, ignore=(r"^(norm|fc_norm|head)\.",))
    blocks = {f"blocks_{i}" for i in range(config.num_layers)}
    named = {
        name: array
        for name, array in named.items()
        if not name.startswith("blocks_") or name.split("/")[0] in blocks
    }
    return _parameters(path, named, config)


def load_point_bert(path: str | Path, config: PointBertConfig = PointBertConfig()) -> dict[str, Any]:
    """Reads the PointBERT of a ULIP-2 checkpoint, saved as safetensors, and its projection.

    Raises:
      CheckpointError: There are no such weights, or of another shape than the config's.
    """
    prefix = _prefix(path, "encoder.first_conv.0.weight")
    named = hf.read(path, vision_names.POINT_BERT, prefix=prefix, ignore=(r"num_batches_tracked$",))
    outer = prefix.removesuffix("point_encoder.")
    named |= hf.read(path, vision_names.POINT_PROJECTION, prefix=outer, ignore=("",))
    return _parameters(path, named, config)


def _parameters(path: str | Path, named: Mapping[str, np.ndarray], config: Config) -> dict[str, Any]:
    """Takes what the config's features need, and checks that it is whole."""
    wanted = _shapes(config)
    all_features = config
    if isinstance(config, ClipConfig):
        all_features = dataclasses.replace(config, final_norm=True, pooled=True)
    left_out = _shapes(all_features).keys() - wanted.keys()
    named = {
        name: array
        for name, array in vision_names.split(named).items()
        if name not in left_out and not _is_idle_bias(name, config)
    }
    hf.check(path, named, wanted)
    return pytree.nested(named)


def _is_idle_bias(name: str, config: Config) -> bool:
    """Whether it is a bias of keys that the config leaves out: it shifts all logits of a query alike."""
    return config.qkv_bias == "no_key" and name.endswith("/attention/key/bias")


def _shapes(config: Config) -> dict[str, Any]:
    module, shape = _module(config)
    variables = jax.eval_shape(module.init, jax.random.key(0), jax.ShapeDtypeStruct(shape, jnp.float32))
    return pytree.named_leaves(nn.meta.unbox(variables["params"]))


def _module(config: Config) -> tuple[nn.Module, tuple[int, ...]]:
    """The encoder of a config, and the shape of one example for it."""
    if isinstance(config, PointBertConfig):
        return PointBert(config), (1, max(config.num_groups, config.group_size), 3)
    if isinstance(config, VideoTransformerConfig):
        return VideoTransformer(config), (1, config.tubelet[0], config.image_size, config.image_size, 3)
    side = config.patch * config.grid
    kind = Dinov2 if isinstance(config, Dinov2Config) else ClipVit
    return kind(config), (1, side, side, 3)


def _prefix(path: str | Path, anchor: str) -> str:
    """What stands before the names of the encoder, wherever in a larger model it is."""
    store = open_store(path)
    found = sorted(name.removesuffix(anchor) for name in store.shapes() if f".{name}".endswith(f".{anchor}"))
    if len(found) != 1:
        raise CheckpointError(
            f"{store.where} has {len(found)} tensors named {anchor}, wanted one; is the encoder in it?"
        )
    return found[0]
