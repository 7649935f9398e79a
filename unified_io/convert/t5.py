"""Folders of T5 and Flan-T5 as Hugging Face has them: names beside ours, and what their settings mean."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from unified_io import pytree
from unified_io.backbones.t5 import T5
from unified_io.backbones.t5_block import T5Config
from unified_io.convert import hf
from unified_io.convert.rules import TRANSPOSED, Rule, Table
from unified_io.errors import ConfigError
from unified_io.nn.mlp import ACTIVATIONS


def _attention(theirs: str, ours: str) -> tuple[Rule, ...]:
    names = {"q": "query", "k": "key", "v": "value", "o": "out"}
    return tuple(
        Rule(f"{theirs}.{name}.weight", f"{ours}/{our_name}/kernel", TRANSPOSED)
        for name, our_name in names.items()
    )


def _stack(stack: str, parts: tuple[str, ...]) -> tuple[Rule, ...]:
    """One stack; `parts` are what the sublayers of a block are called on our side, in order."""
    block, ours = f"{stack}.block.{{i}}.layer", f"{stack}_layers_{{i}}"
    rules = [
        Rule(f"{stack}.final_layer_norm.weight", f"{stack}_norm/scale"),
        Rule(f"{stack}.block.0.layer.0.SelfAttention.relative_attention_bias.weight", f"{stack}_bias/table"),
    ]
    theirs = {"attention": "SelfAttention", "crossattention": "EncDecAttention"}
    for i, part in enumerate(parts):
        rules.append(Rule(f"{block}.{i}.layer_norm.weight", f"{ours}/{part}_norm/scale"))
        if part == "mlp":
            matrix = "{name:wi|wi_0|wi_1|wo}"
            rules.append(
                Rule(f"{block}.{i}.DenseReluDense.{matrix}.weight", f"{ours}/mlp/{matrix}/kernel", TRANSPOSED)
            )
        else:
            rules += _attention(f"{block}.{i}.{theirs[part]}", f"{ours}/{part}")
    return tuple(rules)


TABLE = Table(
    "T5",
    (
        Rule("shared.weight", "shared/embedding"),
        Rule("lm_head.weight", "head/kernel", TRANSPOSED),
        *_stack("encoder", ("attention", "mlp")),
        *_stack("decoder", ("attention", "crossattention", "mlp")),
    ),
)
"""Names of T5ForConditionalGeneration."""

# The table again, under the names of both stacks, and a bias that early files hold and nobody reads.
_UNREAD = (r"^(encoder|decoder)\.embed_tokens\.weight$", r"EncDecAttention\.relative_attention_bias\.weight$")


def read(folder: str | Path) -> tuple[T5Config, dict[str, np.ndarray]]:
    """Reads a folder: the config, and our names to arrays.

    Whether the head is the table is seen from what the file holds: settings written by newer libraries always say so.

    Raises:
      CheckpointError: The folder holds something else, or not all of it.
      ConfigError: It is a T5 that is not built here.
    """
    settings, named = hf.settings(folder), hf.read(folder, TABLE, ignore=_UNREAD)
    own_head = "head/kernel" in named or settings.get("tie_word_embeddings") is False
    found = config(settings, own_head=own_head)
    hf.check(folder, named, shapes(found))
    return found, named


def shapes(config: T5Config) -> dict[str, Any]:
    """Returns the shape of every parameter of a T5 by name."""
    ids, mask = jnp.zeros((1, 1), jnp.int32), jnp.ones((1, 1), bool)
    params = jax.eval_shape(T5(config).init, jax.random.key(0), ids, mask, ids)["params"]
    return pytree.named_leaves(nn.meta.unbox(params))


def config(settings: Mapping[str, Any], *, own_head: bool) -> T5Config:
    """Returns the T5 that a `config.json` describes; what it leaves out is as in the smallest T5.

    Args:
      own_head: Whether `lm_head.weight` is among the weights.

    Raises:
      ConfigError: It describes something else, or a T5 that is not built here; names the setting.
    """
    if (kind := settings.get("model_type")) != "t5":
        raise ConfigError(f"model_type is {kind!r}, not 't5'; give the folder of a T5 or Flan-T5")
    gate, _, act = settings.get("feed_forward_proj", "relu").rpartition("-")
    act = {"gelu": "gelu_tanh" if gate else "gelu", "gelu_new": "gelu_tanh"}.get(act, act)
    if gate not in ("", "gated") or act not in ACTIVATIONS:
        raise ConfigError(
            f"feed_forward_proj is {settings['feed_forward_proj']!r}; relu, gated-gelu and gated-silu are built here"
        )
    layers = settings.get("num_layers", 6)
    tied = settings.get("tie_word_embeddings", True)
    return T5Config(
        vocab_size=settings.get("vocab_size", 32128),
        width=settings.get("d_model", 512),
        num_heads=settings.get("num_heads", 8),
        head_dim=settings.get("d_kv", 64),
        num_encoder_layers=layers,
        num_decoder_layers=settings.get("num_decoder_layers") or layers,
        mlp_dim=settings.get("d_ff", 2048),
        gated=bool(gate),
        activation=act,
        buckets=settings.get("relative_attention_num_buckets", 32),
        max_distance=settings.get("relative_attention_max_distance", 128),
        own_head=own_head,
        # Older files say with `tie_word_embeddings` what newer ones have a name for.
        scale_logits=settings.get("scale_decoder_outputs", tied),
        epsilon=settings.get("layer_norm_epsilon", 1e-6),
    )
