"""Names and layouts of encoders of sound and motion of others, beside ours. Reads no file.

Source: the state dicts of transformers' CLAP and Whisper, and of the published BEATs, ImageBind and IMU2CLIP.
"""

from unified_io.convert.rules import CONVOLUTION, TRANSPOSED, Layout, Rule, Table
from unified_io.encoders.clap import ClapConfig
from unified_io.errors import unknown

# Convolutions: [out, in, *window] in PyTorch, [*window, in, out] in JAX.
_CONVOLUTION_1D = Layout(lambda x: x.transpose(2, 1, 0), lambda x: x.transpose(2, 1, 0))
_CONVOLUTION_3D = Layout(lambda x: x.transpose(2, 3, 4, 1, 0), lambda x: x.transpose(4, 3, 0, 1, 2))
# [1, 1, n] of theirs against [n], [1, n, m] against [n, m], and [1, n, 1, 1] against [n].
_TOKEN = Layout(lambda x: x.reshape(-1), lambda x: x[None, None])
_ROWS = Layout(lambda x: x[0], lambda x: x[None])
_HEADS = Layout(lambda x: x.reshape(-1), lambda x: x[None, :, None, None])

TRUNKS = ("vision", "audio", "imu")
"""Trunks of ImageBind that are here."""


def _dense(theirs: str, ours: str, layout: Layout = TRANSPOSED) -> tuple[Rule, ...]:
    """A matrix, or a convolution, with its bias."""
    return Rule(f"{theirs}.weight", f"{ours}/kernel", layout), Rule(f"{theirs}.bias", f"{ours}/bias")


def _norm(theirs: str, ours: str) -> tuple[Rule, ...]:
    return Rule(f"{theirs}.weight", f"{ours}/scale"), Rule(f"{theirs}.bias", f"{ours}/bias")


def clap_table(config: ClapConfig) -> Table:
    """Returns the names of ClapModel and ClapAudioModelWithProjection, or without a projection of ClapAudioModel."""
    root = "audio_encoder" if config.projection_dim is None else "audio_model.audio_encoder"
    block, ours = f"{root}.layers.{{s}}.blocks.{{b}}", "stage_{s}_block_{b}"
    part = "{part:query|key|value}"
    return Table(
        "CLAP",
        (
            *_norm(f"{root}.batch_norm", "mel_norm"),
            Rule(f"{root}.batch_norm.running_mean", "mel_norm/mean"),
            Rule(f"{root}.batch_norm.running_var", "mel_norm/variance"),
            *_dense(f"{root}.patch_embed.proj", "stem", CONVOLUTION),
            *_norm(f"{root}.patch_embed.norm", "stem_norm"),
            *_norm(f"{block}.layernorm_before", f"{ours}/attention_norm"),
            *_norm(f"{block}.layernorm_after", f"{ours}/mlp_norm"),
            Rule(f"{block}.attention.self.relative_position_bias_table", f"{ours}/windows/offset_bias"),
            *_dense(f"{block}.attention.self.{part}", f"{ours}/windows/attention/{part}"),
            *_dense(f"{block}.attention.output.dense", f"{ours}/windows/attention/out"),
            *_dense(f"{block}.intermediate.dense", f"{ours}/mlp/wi"),
            *_dense(f"{block}.output.dense", f"{ours}/mlp/wo"),
            *_norm(f"{root}.layers.{{s}}.downsample.norm", "stage_{s}_merging/norm"),
            Rule(
                f"{root}.layers.{{s}}.downsample.reduction.weight",
                "stage_{s}_merging/reduce/kernel",
                TRANSPOSED,
            ),
            *_norm(f"{root}.norm", "norm"),
            *_dense("audio_projection.linear{n:1|2}", "projection_{n:1|2}"),
        ),
    )


_LAYER = "layers.{i}"

WHISPER = Table(
    "Whisper",
    (
        *_dense("conv{n:1|2}", "conv_{n:1|2}", _CONVOLUTION_1D),
        Rule("embed_positions.weight", "positions"),
        Rule(f"{_LAYER}.self_attn.q_proj.weight", "blocks_{i}/attention/query/kernel", TRANSPOSED),
        Rule(f"{_LAYER}.self_attn.q_proj.bias", "blocks_{i}/attention/query/bias"),
        Rule(f"{_LAYER}.self_attn.k_proj.weight", "blocks_{i}/attention/key/kernel", TRANSPOSED),
        *_dense(f"{_LAYER}.self_attn.v_proj", "blocks_{i}/attention/value"),
        *_dense(f"{_LAYER}.self_attn.out_proj", "blocks_{i}/attention/out"),
        *_norm(f"{_LAYER}.self_attn_layer_norm", "blocks_{i}/attention_norm"),
        *_dense(f"{_LAYER}.fc1", "blocks_{i}/mlp/wi"),
        *_dense(f"{_LAYER}.fc2", "blocks_{i}/mlp/wo"),
        *_norm(f"{_LAYER}.final_layer_norm", "blocks_{i}/mlp_norm"),
        *_norm("layer_norm", "norm"),
    ),
)
"""Names of the encoder of WhisperModel, without what comes before them."""

_BEATS_LAYER = "encoder.layers.{i}"

BEATS = Table(
    "BEATs",
    (
        Rule("patch_embedding.weight", "stem/kernel", CONVOLUTION),
        *_norm("layer_norm", "stem_norm"),
        *_dense("post_extract_proj", "projection"),
        Rule("encoder.pos_conv.0.weight_g", "positions/length", _TOKEN),
        Rule("encoder.pos_conv.0.weight_v", "positions/direction", _CONVOLUTION_1D),
        Rule("encoder.pos_conv.0.bias", "positions/bias"),
        *_norm("encoder.layer_norm", "norm"),
        # One table, which every layer of theirs lists.
        Rule("encoder.layers.0.self_attn.relative_attention_bias.weight", "distance_bias"),
        *_dense(f"{_BEATS_LAYER}.self_attn.q_proj", "block_{i}/self_attention/attention/query"),
        *_dense(f"{_BEATS_LAYER}.self_attn.k_proj", "block_{i}/self_attention/attention/key"),
        *_dense(f"{_BEATS_LAYER}.self_attn.v_proj", "block_{i}/self_attention/attention/value"),
        *_dense(f"{_BEATS_LAYER}.self_attn.out_proj", "block_{i}/self_attention/attention/out"),
        *_dense(f"{_BEATS_LAYER}.self_attn.grep_linear", "block_{i}/self_attention/gate"),
        Rule(f"{_BEATS_LAYER}.self_attn.grep_a", "block_{i}/self_attention/gate_scale", _HEADS),
        *_norm(f"{_BEATS_LAYER}.self_attn_layer_norm", "block_{i}/attention_norm"),
        *_dense(f"{_BEATS_LAYER}.fc1", "block_{i}/mlp/wi"),
        *_dense(f"{_BEATS_LAYER}.fc2", "block_{i}/mlp/wo"),
        *_norm(f"{_BEATS_LAYER}.final_layer_norm", "block_{i}/mlp_norm"),
    ),
)
"""Names of the published checkpoints, without the `model.` before them."""


def imagebind_table(trunk: str) -> Table:
    """Returns the names of one of ImageBind's trunks.

    Raises:
      ConfigError: There is no such trunk here.
    """
    if trunk not in TRUNKS:
        raise unknown("trunk of ImageBind", trunk, TRUNKS)
    front, head = f"modality_preprocessors.{trunk}", f"modality_heads.{trunk}"
    block, ours = f"modality_trunks.{trunk}.blocks.{{i}}", "trunk/block_{i}"
    stems = {
        "vision": (Rule(f"{front}.rgbt_stem.proj.1.weight", "stem/kernel", _CONVOLUTION_3D),),
        "audio": (
            Rule(f"{front}.rgbt_stem.proj.weight", "stem/kernel", CONVOLUTION),
            *_norm(f"{front}.rgbt_stem.norm_layer", "stem_norm"),
        ),
        "imu": (
            Rule(f"{front}.imu_stem.proj.weight", "stem/kernel", TRANSPOSED),
            *_norm(f"{front}.imu_stem.norm_layer", "stem_norm"),
        ),
    }
    return Table(
        f"ImageBind ({trunk})",
        (
            *stems[trunk],
            Rule(f"{front}.cls_token", "trunk/class_token", _TOKEN),
            Rule(
                f"{front}.pos_embed" if trunk == "imu" else f"{front}.pos_embedding_helper.pos_embed",
                "trunk/positions",
                _ROWS,
            ),
            *_norm(f"modality_trunks.{trunk}.pre_transformer_layer.0", "trunk/first_norm"),
            *_norm(f"{block}.norm_1", f"{ours}/attention_norm"),
            *_norm(f"{block}.norm_2", f"{ours}/mlp_norm"),
            Rule(f"{block}.attn.in_proj_weight", f"{ours}/attention/in/kernel", TRANSPOSED),
            Rule(f"{block}.attn.in_proj_bias", f"{ours}/attention/in/bias"),
            Rule(f"{block}.attn.bias_k", f"{ours}/attention/extra_key", _TOKEN),
            Rule(f"{block}.attn.bias_v", f"{ours}/attention/extra_value", _TOKEN),
            *_dense(f"{block}.attn.out_proj", f"{ours}/attention/out"),
            *_dense(f"{block}.mlp.fc1", f"{ours}/mlp/wi"),
            *_dense(f"{block}.mlp.fc2", f"{ours}/mlp/wo"),
            *_norm(f"{head}.0", "trunk/norm"),
            # The head for motion has a dropout more.
            Rule(f"{head}.{3 if trunk == 'imu' else 2}.weight", "trunk/head/kernel", TRANSPOSED),
        ),
    )


IMU2CLIP = Table(
    "IMU2CLIP",
    (
        *_norm("net.0", "motion_norm"),
        Rule("net.1.net.0.weight", "conv_0/kernel", _CONVOLUTION_1D),
        Rule("net.2.net.0.weight", "conv_1/kernel", _CONVOLUTION_1D),
        Rule("net.3.net.0.weight", "conv_2/kernel", _CONVOLUTION_1D),
        *_norm("net.4", "norm"),
        Rule("net.5.weight_ih_l0", "gru/input_kernel", TRANSPOSED),
        Rule("net.5.weight_hh_l0", "gru/state_kernel", TRANSPOSED),
        Rule("net.5.bias_ih_l0", "gru/input_bias"),
        Rule("net.5.bias_hh_l0", "gru/state_bias"),
    ),
)
"""Names of the "mw2" encoder, without what comes before them."""
