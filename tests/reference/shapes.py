"""Names and shapes of everything the PyTorch port keeps, from its config."""

from collections.abc import Mapping
from typing import Any

Config = Mapping[str, Any]
Shapes = dict[str, tuple[int, ...]]

# The position table of the AST was made for longer sounds; it has this many rows whatever is read.
AST_ROWS = 512
EXTRA_TOKENS = {"image": 1, "audio": 2}


def under(module: str, shapes: Shapes) -> Shapes:
    """The same shapes, seen from the module around them."""
    return {f"{module}.{name}": shape for name, shape in shapes.items()}


def media_encoder(kind: str, config: Config) -> Shapes:
    """The ViT ("image") or the AST ("audio")."""
    width, mlp = config["emb_dim"], config["mlp_dim"]
    channels = {"image": 3, "audio": 1}[kind] * config["patch_size"] ** 2
    rows = config["num_pos"] if kind == "image" else EXTRA_TOKENS[kind] + AST_ROWS
    shapes: Shapes = {"embedding.weight": (width, channels), "positional_embedding": (rows, width)}
    if kind == "image":
        shapes |= {"class_embedding": (width,)} | _norm("pre_ln", width)
    else:
        shapes |= {"cls_token": (width,), "dist_token": (width,), "embedding.bias": (width,)}
    for i in range(config["num_layers"]):
        block = _norm("ln_1", width) | _norm("ln_2", width)
        block |= _affine("mlp.fc1", width, mlp) | _affine("mlp.fc2", mlp, width)
        block |= _affine("attn.out_proj", width, width)
        for name in ("query", "key", "value"):
            block |= {f"attn.{name}_in_proj_weight": (width, width), f"attn.{name}_in_proj_bias": (width,)}
        shapes |= under(f"transformer.resblocks.{i}", block)
    return under("vision_transformer", shapes)


def resampler_layer(config: Config, name: str, qk_norm: bool, scaled_cosine: bool) -> Shapes:
    """One layer of a resampler; `name` is its attention's: "xattention", or "attention" among the latents."""
    width = config["emb_dim"]
    return {
        f"pre_{name}_norm.scale": (width,),
        "pre_mlp_norm.scale": (width,),
        "mlp.wi.weight": (config["mlp_dim"], width),
        "mlp.wo.weight": (width, config["mlp_dim"]),
        **under(name, attention(width, config, qk_norm, scaled_cosine)),
    }


def attention(width: int, config: Config, qk_norm: bool, scaled_cosine: bool = False) -> Shapes:
    """Attention without biases."""
    inner = config["num_heads"] * config["head_dim"]
    shapes: Shapes = {f"{name}.weight": (inner, width) for name in ("query", "key", "value")}
    shapes |= {"out.weight": (width, inner)}
    if qk_norm:
        shapes |= {f"{name}_norm.scale": (config["head_dim"],) for name in ("query", "key")}
    return shapes | ({"logit_scale": (config["num_heads"],)} if scaled_cosine else {})


def history(config: Config, features: int, emb_dim: int) -> Shapes:
    """A history's embedder: a resampler of `config` between features of one width and tokens of another."""
    width = config["emb_dim"]
    perceiver: Shapes = {"latents": (config["latents_size"], width)}
    perceiver |= {f"{name}_norm.scale": (width,) for name in ("context", "perceiver")}
    for i in range(config["num_layers"]):
        name, kind = ("xattention", "xattn") if i in config["xattention_index"] else ("attention", "attn")
        layer = resampler_layer(config, name, config[f"{kind}_qk_norm"], config[f"{kind}_scaled_cosine"])
        perceiver |= under(f"layers_{i}", layer)
    return {
        "modality_embedding": (emb_dim,),
        "pre_projection.weight": (width, features),
        "post_projection.weight": (emb_dim, width),
        **under("resampler.perceiver", perceiver),
    }


def image_codec(config: Config) -> Shapes:
    """The image VQGAN."""
    widths = [config["ch"] * multiplier for multiplier in config["ch_mult"]]
    levels, blocks = len(widths), config["num_res_blocks"]

    def attends(level: int) -> bool:
        return config["resolution"] // 2**level in config["attn_resolutions"]

    encoder = _conv("conv_in", 3, config["ch"], 3)
    width = config["ch"]
    for level, new in enumerate(widths):
        for block in range(blocks):
            encoder |= _res_block(f"down_{level}_block_{block}", width, new)
            width = new
            encoder |= _attn_block(f"down_{level}_attn_{block}", width) if attends(level) else {}
        if level < levels - 1:
            encoder |= _conv(f"down_{level}_downsample.conv", width, width, 3)
    encoder |= _middle(width) | _norm("norm_out", width) | _conv("conv_out", width, config["z_channels"], 3)

    decoder = _conv("conv_in", config["z_channels"], width, 3) | _middle(width)
    for up, level in enumerate(reversed(range(levels))):
        for block in range(blocks + 1):
            decoder |= _res_block(f"up_{up}_block_{block}", width, widths[level])
            width = widths[level]
            decoder |= _attn_block(f"up_{up}_attn_{block}", width) if attends(level) else {}
        if level > 0:
            decoder |= _conv(f"up_{up}_upsample.conv", width, width, 3)
    decoder |= _norm("norm_out", width) | _conv("conv_out", width, 3, 3)

    return {
        "quantize.embedding.weight": (config["n_embed"], config["embed_dim"]),
        **_conv("quant_conv", config["z_channels"], config["embed_dim"], 1),
        **_conv("post_quant_conv", config["embed_dim"], config["z_channels"], 1),
        **under("encoder", encoder),
        **under("decoder", decoder),
    }


def audio_codec(config: Config) -> Shapes:
    """The audio ViT-VQGAN."""
    (height, width), code = config["patch_size"], config["proj_dim"]
    inner, outer = config["encoder_hidden_size"], config["decoder_hidden_size"]
    return {
        "quantize.embedding.weight": (config["vocab_size"], code),
        **_affine("encoder.embedding", height * width, inner),
        **under("encoder.transformer", _trunk(config, "encoder")),
        "encoder.encoder_proj.weight": (code, inner),
        "encoder.encoder_norm.bias": (code,),
        "decoder.decoder_proj.weight": (outer, code),
        **under("decoder.transformer", _trunk(config, "decoder")),
        "decoder.conv_transpose.weight": (outer, 1, height, width),
    }


def _trunk(config: Config, half: str) -> Shapes:
    sizes = {name: config[f"{half}_{name}"] for name in ("num_heads", "head_dim")}
    width, mlp = config[f"{half}_hidden_size"], config[f"{half}_mlp_dim"]
    shapes = _norm("encoder_norm", width)
    for i in range(config[f"{half}_num_layers"]):
        block = _norm("ln_1", width) | _norm("ln_2", width)
        block |= _affine("mlp.fc1", width, mlp) | _affine("mlp.fc2", mlp, width)
        shapes |= under(f"encoderblock_{i}", block | under("attn", attention(width, sizes, qk_norm=False)))
    return shapes


def vocoder(config: Config, mels: int) -> Shapes:
    """HiFi-GAN's generator for spectrograms of so many bands."""
    width = config["upsample_initial_channel"]
    shapes = _weight_norm("conv_pre", (width, mels, 7), width)
    kernels = config["resblock_kernel_sizes"]
    for stage, kernel in enumerate(config["upsample_kernel_sizes"]):
        shapes |= _weight_norm(f"ups.{stage}", (width, width // 2, kernel), width // 2)
        width //= 2
        for branch, size in enumerate(kernels):
            block = f"resblocks.{stage * len(kernels) + branch}"
            for i in range(len(config["resblock_dilation_sizes"][branch])):
                shapes |= _weight_norm(f"{block}.convs.{i}", (width, width, size), width)
    return shapes | _weight_norm("conv_post", (1, width, 7), 1)


def stack(config: Config, kind: str) -> Shapes:
    """The "encoder" or the "decoder" of the backbone."""
    width = config["emb_dim"]
    parts = {"encoder": ("attention",), "decoder": ("self_attention", "encoder_decoder_attention")}[kind]
    norms = {"encoder": ("attention",), "decoder": ("self_attention", "cross_attention")}[kind]
    layer: Shapes = {f"pre_{name}_norm.scale": (width,) for name in (*norms, "mlp")}
    for part in parts:
        layer |= under(part, attention(width, config, config["qk_norm"]))
    layer |= {f"mlp.{name}.weight": (config["mlp_dim"], width) for name in ("wi_0", "wi_1")}
    layer |= {"mlp.wo.weight": (width, config["mlp_dim"])}
    shapes: Shapes = {f"{kind}_norm.scale": (width,)}
    for i in range(config[f"num_{kind}_layers"]):
        shapes |= under(f"layers_{i}", layer)
    return shapes


def encoder_path(config: Config) -> Shapes:
    """All that reading needs: the text table, the input embedders, the encoder."""
    t5 = config["t5_config"]
    width = t5["emb_dim"]
    shapes: Shapes = {
        "text_token_embedder.weight": (t5["vocab_size"], width),
        "input_embedders.text.modality_embedding": (width,),
        **under("encoder", stack(t5, "encoder")),
    }
    for kind in ("image", "audio"):
        encoder = config[f"{kind}_vit_cfg"]
        features = encoder["emb_dim"]
        media: Shapes = {"modality_embedding": (width,), "projection.weight": (width, 2 * features)}
        media |= under("image_encoder", media_encoder(kind, encoder))
        shapes |= under(f"input_embedders.{kind}", media)
        past = history(config[f"{kind}_history_cfg"], features, width)
        shapes |= under(f"input_embedders.{kind}_history", past)
    return shapes


def model(config: Config) -> Shapes:
    """The whole network."""
    t5 = config["t5_config"]
    width = t5["emb_dim"]
    return {
        **encoder_path(config),
        **{f"{kind}_token_embedder.weight": (t5[f"{kind}_vocab_size"], width) for kind in ("image", "audio")},
        **{f"target_embedders.{kind}.modality_embedding": (width,) for kind in ("text", "image", "audio")},
        **under("target_embedders.image.vqgan", image_codec(config["image_vqgan"])),
        **under("target_embedders.audio.vqgan", audio_codec(config["audio_vqgan"])),
        **under("decoder", stack(t5, "decoder")),
    }


def resampler_cases(config: Config, cases: Config, features: int) -> Shapes:
    """What all cases of a resampler fixture together need.

    Layers of self-attention have names of their own, for in other cases something else stands in their place.
    """
    shapes: Shapes = {}
    for changes in cases.values():
        settings = {**config["resampler_cfg"], **changes}
        for name, shape in history(settings, features, config["t5_config"]["emb_dim"]).items():
            layer = name.removeprefix("resampler.perceiver.").split(".")[0]
            number = layer.removeprefix("layers_")
            own = number.isdigit() and int(number) not in settings["xattention_index"]
            shapes[name.replace("resampler.perceiver.", "self_attention_variant.") if own else name] = shape
    return shapes


def of_fixture(config: Config, inputs: Mapping[str, Any]) -> Shapes:
    """Returns what the weights file of a fixture holds; `inputs` are its `inputs.npz`."""
    kind, settings = config["fixture"], config["config"]
    if kind.endswith("_encoder"):
        media = kind.removesuffix("_encoder")
        return media_encoder(media, settings[f"{media}_vit_cfg"])
    if kind.endswith("_resampler"):
        return resampler_cases(settings, config["cases"], inputs["input"].shape[-1])
    if kind == "hifigan":
        return vocoder(settings, len(inputs["spectrogram"]))
    return {
        "image_vqgan": image_codec,
        "audio_vqgan": audio_codec,
        "encoder": encoder_path,
        "full_forward": model,
        "decode": model,
    }[kind](settings)


def _norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _affine(name: str, inputs: int, outputs: int) -> Shapes:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _conv(name: str, inputs: int, outputs: int, side: int) -> Shapes:
    return {f"{name}.weight": (outputs, inputs, side, side), f"{name}.bias": (outputs,)}


def _res_block(name: str, inputs: int, outputs: int) -> Shapes:
    shapes = _norm("norm1", inputs) | _conv("conv1", inputs, outputs, 3)
    shapes |= _norm("norm2", outputs) | _conv("conv2", outputs, outputs, 3)
    return under(name, shapes | (_conv("nin_shortcut", inputs, outputs, 1) if inputs != outputs else {}))


def _attn_block(name: str, width: int) -> Shapes:
    convolutions = [_conv(part, width, width, 1) for part in ("q", "k", "v", "proj_out")]
    shapes = _norm("norm", width)
    for convolution in convolutions:
        shapes |= convolution
    return under(name, shapes)


def _middle(width: int) -> Shapes:
    first, second = (_res_block(f"mid_block_{i}", width, width) for i in (1, 2))
    return first | _attn_block("mid_attn_1", width) | second


def _weight_norm(name: str, shape: tuple[int, ...], outputs: int) -> Shapes:
    return {
        f"{name}.weight_g": (shape[0], 1, 1),
        f"{name}.weight_v": shape,
        f"{name}.bias": (outputs,),
    }
