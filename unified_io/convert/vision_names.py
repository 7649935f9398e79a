"""Names and layouts of vision, video and point encoders of others, beside ours. Reads no file.

Source: the state dicts of transformers' CLIP, BLIP-2 / InstructBLIP, DINOv2 and VideoMAE, of LAVIS's EVA ViT and of
ULIP-2's PointBERT.
"""

from collections.abc import Mapping

import numpy as np

from unified_io.convert.rules import TRANSPOSED, Layout, Rule, Table
from unified_io.encoders.clip import ClipConfig
from unified_io.encoders.dinov2 import Dinov2Config
from unified_io.encoders.video_transformer import VideoTransformerConfig

# [1, 1, W] of theirs against [W], and [1, n, W] against [n, W].
_TOKEN = Layout(lambda x: x.reshape(-1), lambda x: x[None, None])
_ROWS = Layout(lambda x: x[0], lambda x: x[None])
# A convolution over one point, [out, in, 1], against a matrix [in, out].
_POINTWISE = Layout(lambda x: x[..., 0].T, lambda x: x.T[..., None])


def _patches(*size: int) -> Layout:
    """A convolution that steps by its own size, [out, 3, *size], against a matrix [numbers of a patch, out]."""
    return Layout(
        lambda x: np.moveaxis(x, (0, 1), (-1, -2)).reshape(-1, x.shape[0]),
        lambda x: np.moveaxis(x.reshape(*size, 3, -1), (-1, -2), (0, 1)),
    )


def _dense(theirs: str, ours: str, layout: Layout = TRANSPOSED) -> tuple[Rule, ...]:
    return Rule(f"{theirs}.weight", f"{ours}/kernel", layout), Rule(f"{theirs}.bias", f"{ours}/bias")


def _norm(theirs: str, ours: str) -> tuple[Rule, ...]:
    return Rule(f"{theirs}.weight", f"{ours}/scale"), Rule(f"{theirs}.bias", f"{ours}/bias")


def _block(theirs: str, names: Mapping[str, str]) -> tuple[Rule, ...]:
    """The rules of a block, from their names to ours; matrices that are one in theirs are joined by a plus in ours."""
    rules = []
    for name, ours in names.items():
        kind = _norm if ours.endswith("norm") else _dense
        rules += kind(f"{theirs}.{name}", f"blocks_{{i}}/{ours}")
    return tuple(rules)


_FUSED_ATTENTION = "attention/query+key+value"


def clip_table(config: ClipConfig) -> Table:
    """Names of `CLIPVisionModel`, without what stands before "embeddings"."""
    names = {
        "layer_norm1": "attention_norm",
        "layer_norm2": "mlp_norm",
        "mlp.fc1": "mlp/wi",
        "mlp.fc2": "mlp/wo",
    }
    heads = {"q": "query", "k": "key", "v": "value", "out": "out"}
    names |= {f"self_attn.{theirs}_proj": f"attention/{ours}" for theirs, ours in heads.items()}
    return Table(
        "CLIP vision model",
        (
            Rule("embeddings.class_embedding", "class_token"),
            Rule("embeddings.position_embedding.weight", "positions"),
            *_dense("embeddings.patch_embedding", "patch", _patches(config.patch, config.patch)),
            *_norm("pre_layrnorm", "pre_norm"),
            *_block("encoder.layers.{i}", names),
            *_norm("post_layernorm", "norm"),
        ),
    )


def blip_table(config: ClipConfig) -> Table:
    """Names of the vision model (EVA-CLIP) of BLIP-2 and InstructBLIP, without what stands before "embeddings"."""
    names = {
        "layer_norm1": "attention_norm",
        "layer_norm2": "mlp_norm",
        "mlp.fc1": "mlp/wi",
        "mlp.fc2": "mlp/wo",
    }
    names |= {"self_attn.qkv": _FUSED_ATTENTION, "self_attn.projection": "attention/out"}
    return Table(
        "BLIP-2 vision model",
        (
            Rule("embeddings.class_embedding", "class_token", _TOKEN),
            Rule("embeddings.position_embedding", "positions", _ROWS),
            *_dense("embeddings.patch_embedding", "patch", _patches(config.patch, config.patch)),
            *_block("encoder.layers.{i}", names),
            *_norm("post_layernorm", "norm"),
        ),
    )


def eva_table(config: ClipConfig) -> Table:
    """Names of the released EVA-CLIP ViT-g, as LAVIS reads it."""
    names = {"norm1": "attention_norm", "norm2": "mlp_norm", "mlp.fc1": "mlp/wi", "mlp.fc2": "mlp/wo"}
    names |= {"attn.qkv": _FUSED_ATTENTION, "attn.proj": "attention/out"}
    return Table(
        "EVA-CLIP",
        (
            Rule("cls_token", "class_token", _TOKEN),
            Rule("pos_embed", "positions", _ROWS),
            *_dense("patch_embed.proj", "patch", _patches(config.patch, config.patch)),
            Rule("blocks.{i}.attn.q_bias", "blocks_{i}/attention/query/bias"),
            Rule("blocks.{i}.attn.v_bias", "blocks_{i}/attention/value/bias"),
            *_block("blocks.{i}", names),
        ),
    )


def dinov2_table(config: Dinov2Config) -> Table:
    """Names of `Dinov2Model`, without what stands before "embeddings"."""
    names = {"norm1": "attention_norm", "norm2": "mlp_norm", "attention.output.dense": "attention/out"}
    names |= {f"attention.attention.{name}": f"attention/{name}" for name in ("query", "key", "value")}
    names |= {"mlp.fc1": "mlp/wi", "mlp.fc2": "mlp/wo"}
    names |= {"mlp.weights_in": "mlp/wi_0+wi_1", "mlp.weights_out": "mlp/wo"}
    if config.activation == "swiglu":  # one name of ours has two of theirs; the way back takes the first
        names = {theirs: ours for theirs, ours in names.items() if theirs not in ("mlp.fc1", "mlp.fc2")}
    return Table(
        "DINOv2",
        (
            Rule("embeddings.cls_token", "class_token", _TOKEN),
            Rule("embeddings.position_embeddings", "positions", _ROWS),
            *_dense("embeddings.patch_embeddings.projection", "patch", _patches(config.patch, config.patch)),
            Rule("encoder.layer.{i}.layer_scale1.lambda1", "blocks_{i}/attention_scale"),
            Rule("encoder.layer.{i}.layer_scale2.lambda1", "blocks_{i}/mlp_scale"),
            *_block("encoder.layer.{i}", names),
            *_norm("layernorm", "norm"),
        ),
    )


def videomae_table(config: VideoTransformerConfig) -> Table:
    """Names of `VideoMAEModel`, without what stands before "embeddings"."""
    names = {"layernorm_before": "attention_norm", "layernorm_after": "mlp_norm"}
    names |= {f"attention.attention.{name}": f"attention/{name}" for name in ("query", "key", "value")}
    names |= {
        "attention.output.dense": "attention/out",
        "intermediate.dense": "mlp/wi",
        "output.dense": "mlp/wo",
    }
    bias = "encoder.layer.{i}.attention.attention.{head}_bias"
    return Table(
        "VideoMAE",
        (
            *_dense("embeddings.patch_embeddings.projection", "patch", _patches(*config.tubelet)),
            Rule(bias.format(i="{i}", head="q"), "blocks_{i}/attention/query/bias"),
            Rule(bias.format(i="{i}", head="v"), "blocks_{i}/attention/value/bias"),
            *_block("encoder.layer.{i}", names),
            *_norm("layernorm", "norm"),
        ),
    )


PROJECTION = Table("CLIP", (Rule("visual_projection.weight", "projection/kernel", TRANSPOSED),))
"""The matrix that a CLIP model has beside its vision model."""

POINT_BERT = Table(
    "PointBERT of ULIP-2",
    (
        *_dense("encoder.first_conv.0", "groups/first_in", _POINTWISE),
        *_dense("encoder.first_conv.3", "groups/first_out", _POINTWISE),
        *_dense("encoder.second_conv.0", "groups/second_in", _POINTWISE),
        *_dense("encoder.second_conv.3", "groups/second_out", _POINTWISE),
        *(
            Rule(f"encoder.{half}_conv.1.{theirs}", f"groups/{half}_norm/{ours}")
            for half in ("first", "second")
            for theirs, ours in (
                ("weight", "scale"),
                ("bias", "bias"),
                ("running_mean", "mean"),
                ("running_var", "variance"),
            )
        ),
        *_dense("reduce_dim", "group"),
        *_dense("pos_embed.0", "position_in"),
        *_dense("pos_embed.2", "position_out"),
        Rule("cls_token", "class_token", _TOKEN),
        Rule("cls_pos", "class_position", _TOKEN),
        *_block(
            "blocks.blocks.{i}",
            {
                "norm1": "attention_norm",
                "norm2": "mlp_norm",
                "attn.qkv": _FUSED_ATTENTION,
                "attn.proj": "attention/out",
                "mlp.fc1": "mlp/wi",
                "mlp.fc2": "mlp/wo",
            },
        ),
        *_norm("norm", "norm"),
    ),
)
"""Names of the encoder, without what stands before "encoder"."""

POINT_PROJECTION = Table("ULIP-2", (Rule("pc_projection", "projection/kernel"),))
"""The matrix that ULIP-2 has beside its PointBERT."""


def split(named: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Takes apart what is one matrix in theirs and several in ours.

    blocks_0/mlp/wi_0+wi_1/kernel [W, 2 M]  ->  blocks_0/mlp/wi_0/kernel [W, M], blocks_0/mlp/wi_1/kernel [W, M]
    """
    parts = {}
    for name, array in named.items():
        *parents, module, leaf = name.split("/") if "+" in name else ["", name]
        modules = module.split("+")
        for own, piece in zip(modules, np.split(array, len(modules), axis=-1), strict=True):
            parts["/".join([*parents, own, leaf]) if own else name] = piece
    return parts
