"""Our own fixtures: what each of them is, before any number is computed."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from reference import examples, sizes

Config = dict[str, Any]
QK_NORM, COSINE, PLAIN = (
    sizes.attention_kind(*kind) for kind in ((True, False), (False, True), (False, False))
)
ALL = ["text", "image", "image_history", "audio", "audio_history"]


@dataclasses.dataclass(frozen=True)
class Recipe:
    """One fixture.

    Attributes:
      kind: What it is a fixture of.
      seed: Where to look for random numbers that leave no choice to float noise.
      config: What describes the model in its `config.json`.
      inputs: Makes the arrays of `inputs.npz`.
      cases: The cases in `config.json`.
      keep: Pattern of the outputs that are stored.
      more: Further entries of `config.json`.
    """

    kind: str
    seed: int
    config: Config
    inputs: Callable[[np.random.Generator, Config, Config], dict[str, np.ndarray]]
    cases: Config = dataclasses.field(default_factory=dict)
    keep: str = ".*"
    more: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def _backbone(
    *, width: int, heads: int, head_dim: int, mlp: int, encoder: int, decoder: int, qk_norm: bool
) -> Config:
    return {
        "emb_dim": width,
        "num_heads": heads,
        "head_dim": head_dim,
        "mlp_dim": mlp,
        "num_encoder_layers": encoder,
        "num_decoder_layers": decoder,
        "qk_norm": qk_norm,
    }


_SOUND_CODEC = sizes.audio_vqgan(
    encoder=sizes.trunk("encoder", width=12, heads=3, head_dim=4, layers=2, mlp=10),
    decoder=sizes.trunk("decoder", width=8, heads=2, head_dim=4, layers=1, mlp=9),
    entries=17,
    code=5,
    size=[6, 10],
    patch=2,
)

_READER = sizes.network(
    backbone=_backbone(width=36, heads=3, head_dim=12, mlp=30, encoder=2, decoder=1, qk_norm=True),
    image=sizes.image_vit(width=18, heads=3, layers=3, mlp=20, patch=2, side=4, table=5),
    image_side=4,
    history_side=3,
    audio=sizes.audio_vit(width=10, heads=2, layers=2, mlp=12, patch=3, grid=(4, 2)),
    image_history=sizes.resampler(
        width=12, heads=3, latents=3, mlp=14, crossing=[0, 1], layers=2, kind=QK_NORM
    ),
    audio_history=sizes.resampler(width=10, heads=2, latents=2, mlp=11, crossing=[0], layers=1, kind=QK_NORM),
    image_codec=sizes.image_vqgan(multipliers=[1], resolution=4, attending=[], z=3, code=5, entries=19),
    audio_codec=_SOUND_CODEC,
)
# Neither queries nor keys are normed anywhere, and the heads together are wider than the model.
_PLAIN_READER = sizes.network(
    backbone=_backbone(width=20, heads=3, head_dim=8, mlp=26, encoder=1, decoder=1, qk_norm=False),
    image=sizes.image_vit(width=12, heads=3, layers=2, mlp=14, patch=3, side=3, table=2),
    image_side=3,
    history_side=4,
    audio=sizes.audio_vit(width=9, heads=3, layers=3, mlp=13, patch=2, grid=(3, 4)),
    image_history=sizes.resampler(width=10, heads=2, latents=2, mlp=11, crossing=[1], layers=2, kind=PLAIN),
    audio_history=sizes.resampler(width=9, heads=3, latents=3, mlp=12, crossing=[0], layers=1, kind=PLAIN),
    image_codec=sizes.image_vqgan(multipliers=[1], resolution=4, attending=[], z=3, code=5, entries=19),
    audio_codec=_SOUND_CODEC,
)
# The image history is that of the xxl model, the audio history that of the others.
_NETWORK = sizes.network(
    backbone=_backbone(width=24, heads=3, head_dim=8, mlp=28, encoder=2, decoder=3, qk_norm=True),
    image=sizes.image_vit(width=18, heads=3, layers=2, mlp=20, patch=3, side=5, table=6),
    image_side=5,
    history_side=4,
    audio=sizes.audio_vit(width=10, heads=2, layers=2, mlp=12, patch=2, grid=(5, 3)),
    image_history=sizes.resampler(
        width=12, heads=3, latents=3, mlp=14, crossing=[0, 1], layers=2, kind=COSINE
    ),
    audio_history=sizes.resampler(width=10, heads=2, latents=2, mlp=11, crossing=[0], layers=1, kind=QK_NORM),
    image_codec=sizes.image_vqgan(multipliers=[1], resolution=4, attending=[], z=3, code=5, entries=19),
    audio_codec=_SOUND_CODEC,
)
_WRITER = sizes.network(
    backbone=_backbone(width=24, heads=2, head_dim=12, mlp=26, encoder=1, decoder=2, qk_norm=True),
    image=sizes.image_vit(width=12, heads=2, layers=2, mlp=15, patch=2, side=4, table=3),
    image_side=4,
    history_side=3,
    audio=sizes.audio_vit(width=12, heads=3, layers=2, mlp=14, patch=3, grid=(3, 4)),
    image_history=sizes.resampler(width=12, heads=3, latents=2, mlp=13, crossing=[0], layers=1, kind=QK_NORM),
    audio_history=sizes.resampler(width=10, heads=2, latents=3, mlp=12, crossing=[0], layers=1, kind=COSINE),
    image_codec=sizes.image_vqgan(multipliers=[1], resolution=4, attending=[4], z=4, code=3, entries=18),
    audio_codec=sizes.audio_vqgan(
        encoder=sizes.trunk("encoder", width=8, heads=2, head_dim=4, layers=1, mlp=9),
        decoder=sizes.trunk("decoder", width=12, heads=3, head_dim=4, layers=2, mlp=11),
        entries=16,
        code=4,
        size=[9, 12],
        patch=3,
    ),
)

_DETAILS = (
    r"total_loss|(text|image|audio)/(logits|targets|loss_mask|nll|loss|input_tokens|code_margin)|encoder/out"
    r"|decoder/out|decoder/layers_\d+/(self_attention|encoder_decoder_attention|mlp|out)|target_seq/.*"
    r"|(decoder_attn|encoder_decoder)_mask"
)
_RESULTS = r"total_loss|(text|image|audio)/(logits|targets|loss_mask|nll|loss)"

RECIPES: dict[str, Recipe] = {
    "image_encoder": Recipe(
        "image_encoder",
        1000,
        {"image_vit_cfg": sizes.image_vit(width=18, heads=3, layers=3, mlp=23, patch=3, side=5, table=5)},
        examples.image_encoder,
        {
            "own_grid": {"patch_num": [5, 5]},
            "finer": {"patch_num": [6, 7]},
            "coarser": {"patch_num": [3, 2]},
            "finer_and_coarser": {"patch_num": [3, 9]},
        },
        r"\w+/(x|x1|pos_grid)|finer/(patch_embedding|pre_ln|block0_.*|block._out)",
    ),
    "audio_encoder": Recipe(
        "audio_encoder",
        2000,
        {"audio_vit_cfg": sizes.audio_vit(width=9, heads=3, layers=4, mlp=14, patch=3, grid=(7, 4))},
        examples.audio_encoder,
        {"some": {"transpose_input": True}, "as_numbered": {"transpose_input": False}},
        r"\w+/(x|x1)|some/(pos_ids_transposed|patch_embedding|block0_.*|block._out)",
    ),
    "image_resampler": Recipe(
        "image_resampler",
        3000,
        {
            "resampler_cfg": sizes.resampler(
                width=15, heads=3, latents=4, mlp=19, crossing=[0, 1], layers=2, kind=QK_NORM
            ),
            "t5_config": {"emb_dim": 24, "num_heads": 3, "head_dim": 8},
        },
        examples.resampler,
        {
            "qk_norm": QK_NORM,
            "scaled_cosine": COSINE,
            "plain": PLAIN,
            "tanh_gelu": {**QK_NORM, "note": "the MLP's GELU is the tanh approximation"},
            "few_frames": {**QK_NORM, "max_images_per_example": 1.3},
            "self_attention": {**QK_NORM, "xattention_index": [1]},
        },
        r"[a-z_]+/embedder/(embed|mask|position_embed)|(scaled_cosine|self_attention)/resampler/.*"
        r"|few_frames/embedder/.*",
        {"modality": "image"},
    ),
    "audio_resampler": Recipe(
        "audio_resampler",
        4000,
        {
            "resampler_cfg": sizes.resampler(
                width=10, heads=2, latents=3, mlp=13, crossing=[0, 1, 2], layers=3, kind=QK_NORM
            ),
            "t5_config": {"emb_dim": 20, "num_heads": 5, "head_dim": 4},
        },
        examples.resampler,
        {"scaled_cosine": COSINE, "self_attention": {**QK_NORM, "xattention_index": [0, 2]}},
        r"[a-z_]+/embedder/(embed|mask|position_embed)|self_attention/resampler/.*",
        {"modality": "audio"},
    ),
    "image_vqgan": Recipe(
        "image_vqgan",
        5000,
        sizes.image_vqgan(multipliers=[1, 1], resolution=6, attending=[6], z=3, code=5, entries=21),
        examples.image_codec,
        keep=r"[a-z]\w+|decode/(post_quant_conv_out|mid_out|up_0_out|image)",
    ),
    "audio_vqgan": Recipe(
        "audio_vqgan",
        6000,
        sizes.audio_vqgan(
            encoder=sizes.trunk("encoder", width=12, heads=3, head_dim=6, layers=2, mlp=17),
            decoder=sizes.trunk("decoder", width=16, heads=2, head_dim=7, layers=3, mlp=11),
            entries=23,
            code=5,
            size=[9, 15],
            patch=3,
        ),
        examples.audio_codec,
        keep=r"position_embedding|patch_embedding|block0_.*|[a-z]+_out|distances|indices|margin|decode/.*|roundtrip",
    ),
    "hifigan": Recipe(
        "hifigan",
        7000,
        {
            "resblock": "2",
            "upsample_rates": [3, 2],
            "upsample_kernel_sizes": [7, 4],
            "upsample_initial_channel": 12,
            "resblock_kernel_sizes": [3, 5],
            "resblock_dilation_sizes": [[1, 3], [2, 4, 1]],
        },
        examples.vocoder,
    ),
    "encoder": Recipe(
        "encoder",
        8000,
        _READER,
        examples.reading,
        {"all": ALL},
        r"all/(vit|embed)/.*|\w+/seq/.*|\w+/encoder/(out|layers_\d/out)"
        r"|all/encoder/layers_1/(query_norm|key_norm|attention|mlp)",
    ),
    "encoder_plain": Recipe(
        "encoder",
        9000,
        _PLAIN_READER,
        examples.reading,
        {"but_text": ALL[1:]},
        r"\w+/embed/\w+/embed|\w+/seq/.*|\w+/encoder/(out|layers_\d/out)",
    ),
    "full_forward": Recipe(
        "full_forward",
        10000,
        _NETWORK,
        examples.training,
        {
            "all": {"inputs": ALL, "targets": ["text", "image", "audio"]},
            "restricted": {"inputs": ["audio_history"], "targets": ["image"]},
        },
        rf"all/({_DETAILS})|\w+/({_RESULTS})",
    ),
    "decode": Recipe(
        "decode",
        12421,
        _WRITER,
        examples.writing,
        {"text_steps": 9, "image_steps": 16, "audio_steps": 12, "guidance_scale": 1.75},
        r"\w+/cache/.*|\w+/\w+",
    ),
}
