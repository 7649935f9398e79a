"""The released Unified-IO 2 models: names of the PyTorch port and of the T5X checkpoints beside ours.

Source: the parameter trees of the official JAX code and of its PyTorch port.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from unified_io import pytree
from unified_io.convert.rules import (
    CONVOLUTION,
    TRANSPOSED,
    TRANSPOSED_CONVOLUTION,
    Rule,
    Table,
)
from unified_io.errors import CheckpointError

_HISTORY = "{m:image_history|audio_history}"
_STACK = "{stack:encoder|decoder}"


def _main() -> tuple[Rule, ...]:
    """Tables, both stacks, modality vectors and projections."""
    layer, ours = f"{_STACK}.layers_{{i}}", f"{_STACK}/layers_{{i}}"
    return (
        Rule("text_token_embedder.weight", "shared_text_token_embedder/embedding"),
        Rule("{m:image|audio}_token_embedder.weight", "target_embedders_{m:image|audio}/table/embedding"),
        Rule("{stack:encoder|decoder}.{norm}.scale", "{stack:encoder|decoder}/{norm}/scale"),
        Rule(f"{layer}.pre_{{what}}_norm.scale", f"{ours}/pre_{{what}}_layer_norm/scale"),
        Rule(f"{layer}.{{part}}.{{name}}.weight", f"{ours}/{{part}}/{{name}}/kernel", TRANSPOSED),
        Rule(f"{layer}.{{part}}.{{name}}.scale", f"{ours}/{{part}}/{{name}}/scale"),
        Rule(
            "{side:input|target}_embedders.{m}.modality_embedding",
            "{side:input|target}_embedders_{m}/modality_embedding",
        ),
        Rule("input_embedders.{m}.{name}.weight", "input_embedders_{m}/{name}/kernel", TRANSPOSED),
    )


def _resampler() -> tuple[Rule, ...]:
    theirs, ours = f"input_embedders.{_HISTORY}.resampler.perceiver", f"input_embedders_{_HISTORY}/resampler"
    return (
        Rule(f"{theirs}.latents", f"{ours}/resampler_latents"),
        Rule(
            f"{theirs}.layers_{{i}}.pre_{{what}}_norm.scale",
            f"{ours}/layers_{{i}}/pre_{{what}}_layer_norm/scale",
        ),
        Rule(f"{theirs}.{{norm}}.scale", f"{ours}/{{norm}}/scale"),
        Rule(f"{theirs}.layers_{{i}}.{{part}}.logit_scale", f"{ours}/layers_{{i}}/{{part}}/logit_scale"),
        Rule(
            f"{theirs}.layers_{{i}}.{{part}}.{{name}}.scale", f"{ours}/layers_{{i}}/{{part}}/{{name}}/scale"
        ),
        Rule(
            f"{theirs}.layers_{{i}}.{{part}}.{{name}}.weight",
            f"{ours}/layers_{{i}}/{{part}}/{{name}}/kernel",
            TRANSPOSED,
        ),
    )


def _vit(kind: str, names: Mapping[str, str]) -> tuple[Rule, ...]:
    """One of the two media encoders; `names` are those that differ: theirs -> ours."""
    theirs, ours = f"input_embedders.{kind}.image_encoder.vision_transformer", f"shared_{kind}_encoder"
    block, our_block = (
        f"{theirs}.transformer.resblocks.{{i}}",
        f"{ours}/Transformer_0/ResidualAttentionBlock_{{i}}",
    )
    attention = f"{our_block}/MultiHeadDotProductAttention_0"
    rules = [
        Rule(f"{theirs}.embedding.weight", f"{ours}/embedding/kernel", TRANSPOSED),
        Rule(f"{theirs}.embedding.bias", f"{ours}/embedding/bias"),
        Rule(f"{theirs}.pre_ln.weight", f"{ours}/pre_ln/scale"),
        Rule(f"{theirs}.pre_ln.bias", f"{ours}/pre_ln/bias"),
        Rule(f"{block}.attn.out_proj.weight", f"{attention}/out/kernel", TRANSPOSED),
        Rule(f"{block}.attn.out_proj.bias", f"{attention}/out/bias"),
        Rule(
            f"{block}.attn.{{name:query|key|value}}_in_proj_weight",
            f"{attention}/{{name:query|key|value}}/kernel",
            TRANSPOSED,
        ),
        Rule(
            f"{block}.attn.{{name:query|key|value}}_in_proj_bias",
            f"{attention}/{{name:query|key|value}}/bias",
        ),
    ]
    for norm in ("ln_1", "ln_2"):
        rules.append(Rule(f"{block}.{norm}.weight", f"{our_block}/{names.get(norm, norm)}/scale"))
        rules.append(Rule(f"{block}.{norm}.bias", f"{our_block}/{names.get(norm, norm)}/bias"))
    for dense in ("fc1", "fc2"):
        name = f"MLP_0/{names.get(dense, dense)}"
        rules.append(Rule(f"{block}.mlp.{dense}.weight", f"{our_block}/{name}/kernel", TRANSPOSED))
        rules.append(Rule(f"{block}.mlp.{dense}.bias", f"{our_block}/{name}/bias"))
    for table in ("class_embedding", "cls_token", "dist_token", "positional_embedding"):
        if names.get(table, table):
            rules.append(Rule(f"{theirs}.{table}", f"{ours}/{names.get(table, table)}"))
    return tuple(rules)


def _image_tokenizer() -> tuple[Rule, ...]:
    theirs, ours = "target_embedders.image.vqgan", "target_embedders_image/tokenizer"
    norm = "{norm:norm\\d?|norm_out}"
    return (
        Rule(f"{theirs}.quantize.embedding.weight", f"{ours}/quantize/embedding"),
        Rule(f"{theirs}.{{path...}}.{norm}.weight", f"{ours}/{{path...}}/{norm}/scale"),
        Rule(f"{theirs}.{{path...}}.weight", f"{ours}/{{path...}}/kernel", CONVOLUTION),
        Rule(f"{theirs}.{{path...}}.bias", f"{ours}/{{path...}}/bias"),
    )


def _audio_tokenizer() -> tuple[Rule, ...]:
    theirs, ours = "target_embedders.audio.vqgan", "target_embedders_audio/tokenizer"
    half = "{half:encoder|decoder}"
    block = f"{theirs}.{half}.transformer.encoderblock_{{i}}"
    our_block = f"{ours}/{half}/Transformer_0/encoderblock_{{i}}"
    rules = [
        Rule(f"{theirs}.quantize.embedding.weight", f"{ours}/quantize/embedding"),
        Rule(
            f"{theirs}.decoder.conv_transpose.weight",
            f"{ours}/decoder/ConvTranspose_0/kernel",
            TRANSPOSED_CONVOLUTION,
        ),
        Rule(
            f"{theirs}.{half}.transformer.encoder_norm.weight",
            f"{ours}/{half}/Transformer_0/encoder_norm/scale",
        ),
        Rule(
            f"{theirs}.{half}.transformer.encoder_norm.bias", f"{ours}/{half}/Transformer_0/encoder_norm/bias"
        ),
        Rule(
            f"{block}.attn.{{name}}.weight",
            f"{our_block}/MultiHeadDotProductAttention_0/{{name}}/kernel",
            TRANSPOSED,
        ),
    ]
    for i in (1, 2):
        rules += [
            Rule(f"{block}.ln_{i}.weight", f"{our_block}/LayerNormWithBias_{i - 1}/scale"),
            Rule(f"{block}.ln_{i}.bias", f"{our_block}/LayerNormWithBias_{i - 1}/bias"),
            Rule(
                f"{block}.mlp.fc{i}.weight", f"{our_block}/MlpBlock_0/DenseGeneral_{i - 1}/kernel", TRANSPOSED
            ),
            Rule(f"{block}.mlp.fc{i}.bias", f"{our_block}/MlpBlock_0/DenseGeneral_{i - 1}/bias"),
        ]
    rest = f"{half}.{{name:embedding|encoder_proj|decoder_proj|encoder_norm}}"
    our_rest = f"{half}/{{name:embedding|encoder_proj|decoder_proj|encoder_norm}}"
    return (
        *rules,
        Rule(f"{theirs}.{rest}.weight", f"{ours}/{our_rest}/kernel", TRANSPOSED),
        Rule(f"{theirs}.{rest}.bias", f"{ours}/{our_rest}/bias"),
    )


PORT = Table(
    "the PyTorch port",
    (
        *_vit("image", {"fc1": "c_fc", "fc2": "c_proj", "cls_token": "", "dist_token": ""}),
        *_vit(
            "audio",
            {"ln_1": "norm1", "ln_2": "norm2", "class_embedding": "", "positional_embedding": "pos_embed"},
        ),
        *_resampler(),
        *_image_tokenizer(),
        *_audio_tokenizer(),
        *_main(),
    ),
)
"""Names of the port's state dict, in PyTorch's layouts."""

_MEDIA = "{m:image|audio}"

T5X = Table(
    "T5X",
    (
        Rule("text_token_embedder.embedding", "shared_text_token_embedder/embedding"),
        Rule(f"{_MEDIA}_token_embedder.embedding", f"target_embedders_{_MEDIA}/table/embedding"),
        Rule(
            f"input_{_MEDIA}_encoder.image_encoder.vision_transformer.{{rest...}}",
            f"shared_{_MEDIA}_encoder/{{rest...}}",
        ),
        Rule(
            "input_{m:text|image|audio}_encoder.{rest...}", "input_embedders_{m:text|image|audio}/{rest...}"
        ),
        Rule(
            f"input_encoders_{_HISTORY}.resampler.PerceiverResampler_0.{{rest...}}",
            f"input_embedders_{_HISTORY}/resampler/{{rest...}}",
        ),
        Rule(f"input_encoders_{_HISTORY}.{{rest...}}", f"input_embedders_{_HISTORY}/{{rest...}}"),
        Rule("target_encoders_{m}.discrete_vae.{rest...}", "target_embedders_{m}/tokenizer/{rest...}"),
        Rule("target_encoders_{m}.{rest...}", "target_embedders_{m}/{rest...}"),
        Rule(f"{_STACK}.{{rest...}}", f"{_STACK}/{{rest...}}"),
    ),
)
"""Names of a T5X `target` tree, dotted as its folders are, in JAX's layouts."""


def part(tensors: Mapping[str, np.ndarray], module: str) -> dict[str, Any]:
    """Returns the parameters of one module of ours from the port's.

    Args:
      tensors: Arrays by name, relative to `module`.
      module: Its dotted name in the port, e.g. "target_embedders.image.vqgan".

    Raises:
      CheckpointError: A name that no rule knows.
    """
    named = {}
    for name, array in tensors.items():
        found = PORT.to_ours(f"{module}.{name}")
        if found is None:
            raise CheckpointError(f"no parameter of ours is {module}.{name} in {PORT.family}")
        named[found[0]] = np.ascontiguousarray(found[1].ours(array))
    root = next(ours for theirs, ours in _ROOTS.items() if module == theirs)
    return pytree.nested({name.removeprefix(f"{root}/"): array for name, array in named.items()})


_ROOTS = {
    "input_embedders.image.image_encoder": "shared_image_encoder",
    "input_embedders.audio.image_encoder": "shared_audio_encoder",
    "input_embedders.image_history": "input_embedders_image_history",
    "input_embedders.audio_history": "input_embedders_audio_history",
    "target_embedders.image.vqgan": "target_embedders_image/tokenizer",
    "target_embedders.audio.vqgan": "target_embedders_audio/tokenizer",
}
