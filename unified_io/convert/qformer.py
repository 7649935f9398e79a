"""Q-Formers out of folders of InstructBLIP, whole or as the start of another one. Knows no encoder and no backbone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from unified_io import pytree
from unified_io.connectors.base import Instruction
from unified_io.connectors.qformer import QFormer, QFormerConfig
from unified_io.convert import hf
from unified_io.convert.rules import SAME, TRANSPOSED, Layout, Rule, Table
from unified_io.errors import ConfigError, unknown

T = TypeVar("T")

# Which of our names are left out when a Q-Former starts another one. A name holds "attention" where theirs does.
STARTS: dict[str, tuple[str, ...]] = {
    "all": (),
    "no-cross": ("crossattention", "token_norm", "projection"),
    "no-attention": ("attention", "token_norm", "projection"),
}

_QUERIES = Layout(lambda x: x[0], lambda x: x[None])
_LAYER, _OURS = "qformer.encoder.layer.{i}", "layers_{i}"
_KIND = "{kind:attention|crossattention}"
_PART = "{part:query|key|value}"


def _dense(theirs: str, ours: str) -> tuple[Rule, Rule]:
    return Rule(f"{theirs}.weight", f"{ours}/kernel", TRANSPOSED), Rule(f"{theirs}.bias", f"{ours}/bias")


def _norm(theirs: str, ours: str) -> tuple[Rule, Rule]:
    return Rule(f"{theirs}.weight", f"{ours}/scale"), Rule(f"{theirs}.bias", f"{ours}/bias")


TABLE = Table(
    "InstructBLIP",
    (
        Rule("query_tokens", "queries", _QUERIES),
        Rule("qformer.embeddings.word_embeddings.weight", "words", SAME),
        Rule("qformer.embeddings.position_embeddings.weight", "positions", SAME),
        *_norm("qformer.embeddings.layernorm", "embedding_norm"),
        *_dense(f"{_LAYER}.{_KIND}.attention.{_PART}", f"{_OURS}/{_KIND}/{_PART}"),
        *_dense(f"{_LAYER}.{_KIND}.output.dense", f"{_OURS}/{_KIND}/out"),
        *_norm(f"{_LAYER}.{_KIND}.output.LayerNorm", f"{_OURS}/{_KIND}_norm"),
        *_dense(f"{_LAYER}.intermediate.dense", f"{_OURS}/text_mlp/wi"),
        *_dense(f"{_LAYER}.output.dense", f"{_OURS}/text_mlp/wo"),
        *_norm(f"{_LAYER}.output.LayerNorm", f"{_OURS}/text_mlp_norm"),
        *_dense(f"{_LAYER}.intermediate_query.dense", f"{_OURS}/query_mlp/wi"),
        *_dense(f"{_LAYER}.output_query.dense", f"{_OURS}/query_mlp/wo"),
        *_norm(f"{_LAYER}.output_query.LayerNorm", f"{_OURS}/query_mlp_norm"),
        *_norm("vision_model.post_layernorm", "token_norm"),
        *_dense("language_projection", "projection"),
    ),
)
"""Names of InstructBlipForConditionalGeneration; the norm behind its vision model is our Q-Former's first."""

_ELSEWHERE = (r"^vision_model\.(?!post_layernorm\.)", r"^language_model\.")


def read(folder: str | Path, *, start: str = "all") -> dict[str, np.ndarray]:
    """Reads a Q-Former with its norm and projection, or of it what `start` keeps; our names to arrays.

    Raises:
      CheckpointError: The folder holds something else, or not all of it.
      ConfigError: There is no such start, or it is a Q-Former that is not built here.
    """
    settings, named = hf.settings(folder), hf.read(folder, TABLE, ignore=_ELSEWHERE)
    hf.check(folder, named, shapes(config(settings), settings["vision_config"]["hidden_size"]))
    return kept(named, start)


def shapes(config: QFormerConfig, encoder_width: int) -> dict[str, Any]:
    """Returns the shape of every parameter of a Q-Former by name."""
    one = jnp.ones((1, 1), bool)
    instruction = Instruction(jnp.zeros((1, 1), jnp.int32), one)
    init = lambda tokens: QFormer(config).init(jax.random.key(0), tokens, one, instruction=instruction)  # noqa: E731
    params = jax.eval_shape(init, jnp.zeros((1, 1, encoder_width)))["params"]
    return pytree.named_leaves(nn.meta.unbox(params))


def kept(named: Mapping[str, T], start: str) -> dict[str, T]:
    """Returns what of a Q-Former's parameters another one starts from; the rest keeps its own beginning.

        all           everything: the same encoder's width, the same backbone's
        no-cross      not what looks at the tokens, nor the norm before nor the matrix behind: any width
        no-attention  nor the attention among queries and text: MLPs, norms, embeddings and queries

    Raises:
      ConfigError: There is no such start.

    Source: X-InstructBLIP, section 3 ("no-cross"); its code leaves out all attention.
    """
    if start not in STARTS:
        raise unknown("start", start, STARTS)
    return {name: leaf for name, leaf in named.items() if not any(part in name for part in STARTS[start])}


def config(settings: Mapping[str, Any]) -> QFormerConfig:
    """Returns the Q-Former that a `config.json` of InstructBLIP describes.

    Raises:
      ConfigError: It describes something else, or a Q-Former that is not built here; names the setting.
    """
    missing = {"qformer_config", "vision_config", "text_config"} - settings.keys()
    if missing:
        raise ConfigError(
            f"no {', '.join(sorted(missing))} in this config.json; give the folder of an InstructBLIP model"
        )
    inner, text = settings["qformer_config"], settings["text_config"]
    dropout = inner.get("hidden_dropout_prob", 0.1)
    for name, built in (("position_embedding_type", "absolute"), ("attention_probs_dropout_prob", dropout)):
        if (given := inner.get(name, built)) != built:
            raise ConfigError(f"qformer_config.{name} is {given!r}; only {built!r} is built here")
    return QFormerConfig(
        out_width=_width(text),
        num_queries=settings.get("num_query_tokens", 32),
        width=inner.get("hidden_size", 768),
        num_heads=inner.get("num_attention_heads", 12),
        num_layers=inner.get("num_hidden_layers", 12),
        mlp_dim=inner.get("intermediate_size", 3072),
        cross_attention_every=inner.get("cross_attention_frequency", 2),
        vocab_size=inner.get("vocab_size", 30522),
        max_positions=inner.get("max_position_embeddings", 512),
        activation={"gelu_new": "gelu_tanh"}.get(act := inner.get("hidden_act", "gelu"), act),
        dropout_rate=dropout,
        epsilon=inner.get("layer_norm_eps", 1e-12),
        token_epsilon=settings["vision_config"].get("layer_norm_eps", 1e-6),
    )


def _width(text: Mapping[str, Any]) -> int:
    for name in ("hidden_size", "d_model"):
        if name in text:
            return text[name]
    raise ConfigError("text_config has neither hidden_size nor d_model: the width of soft tokens is not said")
